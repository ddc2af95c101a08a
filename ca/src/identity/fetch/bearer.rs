//! A bearer token for one issuer's own host: a cluster's discovery may be closed to strangers.
//!
//! Two other projects sent theirs wherever a discovery document or a redirect pointed
//! (GHSA-f5mr-q85p-6hh6, GHSA-8wfp-579w-6r25). Ours goes to the scheme, host and port that the
//! operator wrote, and nowhere else.

use std::path::PathBuf;

use openidconnect::url::{Origin, Url};
use reqwest::header::HeaderValue;
use zeroize::Zeroizing;

use super::FetchFault;

/// The file, and whom its token is for.
pub(in crate::identity) struct Bearer {
    file: PathBuf,
    home: Origin,
}

impl Bearer {
    /// A token in `file` (read at each request: the kubelet renews it) for the host of `home`.
    pub(in crate::identity) fn new(file: PathBuf, home: &Url) -> Self {
        Self { file, home: home.origin() }
    }

    /// The `Authorization` of a request, if the request goes home.
    pub(super) async fn header(&self, url: &Url) -> Result<Option<HeaderValue>, FetchFault> {
        if url.origin() != self.home {
            return Ok(None);
        }
        let token = tokio::fs::read(&self.file).await.map_err(|_| FetchFault::BearerFile)?;
        let token = Zeroizing::new(token);
        let token = token.trim_ascii();
        if !(1..=MAX_BEARER).contains(&token.len()) {
            return Err(FetchFault::BearerFile);
        }
        let value = Zeroizing::new([&b"Bearer "[..], token].concat());
        let mut value = HeaderValue::from_bytes(&value).map_err(|_| FetchFault::BearerFile)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

const MAX_BEARER: usize = 16 * 1024;
