//! What is held of a repository, in the folder of the instance: read, and replaced as a whole.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use formats::digest::{Digest, HashAlgorithm};
use formats::limits::MAX_TRUSTED_ROOT_BYTES;
use formats::tuf::{Signed, Timestamp};

use super::record::State;
use super::{MAX_RECORD, NamedError, home};
use crate::tuf::{Contents, Metadata};

/// When the repository was last asked, in Unix seconds, and what it gave.
pub(super) fn read(folder: &Path) -> Result<(i64, Metadata), NamedError> {
    let path = folder.join(STATE);
    let absent =
        |path: &Path| home::failed("read", path, &io::Error::from(io::ErrorKind::NotFound));
    let json = home::read(&path, MAX_RECORD)?.ok_or_else(|| absent(&path))?;
    let state = State::from_json(&json, &path)?;
    let blob = |digest: &Digest| {
        let path = folder.join(BLOBS).join(digest.to_hex());
        home::read(&path, MAX_BLOB)?.ok_or_else(|| absent(&path))
    };
    let held = Metadata {
        roots: state.roots.iter().map(blob).collect::<Result<_, _>>()?,
        timestamp: Some(blob(&state.timestamp)?),
        snapshot: Some(blob(&state.snapshot)?),
        targets: Some(blob(&state.targets)?),
        files: state.files.iter().map(blob).collect::<Result<_, _>>()?,
    };
    Ok((state.checked, held))
}

/// Keeps verified contents. Blobs first, each whole under its digest, then the state that names
/// them, by one rename; a crash in between leaves the state before, and blobs that nothing names.
/// Under a lock, so that of two runs the one with the older answer does not win.
pub(super) fn commit(folder: &Path, contents: &Contents, now: i64) -> Result<(), NamedError> {
    let lock = folder.join(LOCK);
    let lock_failed = |error: io::Error| home::failed("write", &lock, &error);
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&lock)
        .map_err(lock_failed)?;
    file.lock().map_err(lock_failed)?;
    let stored = read(folder).ok().and_then(|(_, held)| timestamp_version(&held));
    if stored.is_some_and(|stored| stored > contents.timestamp_version) {
        return Ok(());
    }

    let blobs = folder.join(BLOBS);
    home::make_folder(&blobs)?;
    let mut named = Vec::new();
    let mut put = |bytes: &[u8]| {
        let digest = HashAlgorithm::Sha256.digest(bytes);
        let path = blobs.join(digest.to_hex());
        if home::read(&path, MAX_BLOB).ok().flatten().as_deref() != Some(bytes) {
            home::write(&path, bytes)?;
        }
        named.push(digest.to_hex());
        Ok::<_, NamedError>(digest)
    };
    let Metadata { roots, timestamp, snapshot, targets, files } = &contents.metadata;
    let state = State {
        checked: now,
        roots: roots.iter().map(|json| put(json)).collect::<Result<_, _>>()?,
        timestamp: put(timestamp.as_deref().unwrap_or_default())?,
        snapshot: put(snapshot.as_deref().unwrap_or_default())?,
        targets: put(targets.as_deref().unwrap_or_default())?,
        files: files.iter().map(|bytes| put(bytes)).collect::<Result<_, _>>()?,
    };
    home::write(&folder.join(STATE), state.to_json().as_bytes())?;

    // What nothing names any more; whoever still reads the state before will read it again.
    for entry in fs::read_dir(&blobs).into_iter().flatten().flatten() {
        if !named.iter().any(|name| entry.file_name() == name.as_str()) {
            _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// For the order of two commits alone, so that no signature is looked at.
fn timestamp_version(held: &Metadata) -> Option<u64> {
    let json = held.timestamp.as_deref()?;
    Signed::<Timestamp>::timestamp(json).ok().map(|signed| signed.content.version)
}

const STATE: &str = "state.json";
const BLOBS: &str = "blobs";
const LOCK: &str = "lock";
/// No metadata and no file that is kept is larger.
const MAX_BLOB: usize = MAX_TRUSTED_ROOT_BYTES;
