//! A token in a file that the surroundings put there: Kubernetes projects a service account's token
//! for the audience `sigstore` into the place that cosign looks at, and anything else may do so too.

use std::fs::File;
use std::io::{ErrorKind, Read as _};

use formats::limits::MAX_TOKEN_BYTES;
use zeroize::Zeroizing;

use super::ambient::{AmbientError, Asked};

/// The token in the file; none when there is no file.
///
/// # Errors
/// [`AmbientError::File`] for one that is there and cannot be read.
pub(super) fn token(asked: &Asked<'_>) -> Result<Option<Zeroizing<String>>, AmbientError> {
    let path = asked.files.projected_token;
    let unreadable =
        |kind: ErrorKind| AmbientError::File { path: path.to_string_lossy().into_owned(), kind };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error.kind())),
    };
    let mut text = Zeroizing::new(String::with_capacity(MAX_TOKEN_BYTES + 2));
    file.take(MAX_TOKEN_BYTES as u64 + 1)
        .read_to_string(&mut text)
        .map_err(|error| unreadable(error.kind()))?;
    Ok(Some(text))
}
