//! The repository on the wire: `/tuf/...`, out of memory.
//!
//! A path is looked up among the names that were read from the repository, and never joined to a
//! folder: there is no name that leads elsewhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path as UrlPath, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};

use crate::answer::{Refusal, typed};
use crate::tuf::TufError;
use crate::tuf::renew::Expiries;
use crate::tuf::repository::{Repository, TIMESTAMP, read};

/// What is served, shared by the server and the renewal.
#[derive(Clone, Default)]
pub struct Shelf(Arc<RwLock<Arc<Contents>>>);

#[derive(Default)]
struct Contents {
    files: BTreeMap<String, Bytes>,
    expiries: Option<Expiries>,
}

impl Shelf {
    /// Reads the repository in `folder`.
    ///
    /// # Errors
    /// When it is not whole.
    pub fn open(folder: &Path) -> Result<Self, TufError> {
        let shelf = Self::default();
        shelf.reload(folder)?;
        Ok(shelf)
    }

    /// Takes over what is in `folder` now. What was current until now stays: a client may have
    /// read its timestamp a moment ago.
    ///
    /// # Errors
    /// When it is not whole; what is served stays as it was.
    pub fn reload(&self, folder: &Path) -> Result<(), TufError> {
        let Some(repository) = Repository::read(folder)? else {
            return Err(TufError::Missing { name: "1.root.json".to_owned() });
        };
        let before = self.contents();
        let timestamp = repository.current.as_ref().map(|current| &current.timestamp.bytes);
        let roots = repository.roots.len();
        let newest_root = format!("{roots}.root.json");
        if timestamp.map(Vec::as_slice) == before.files.get(TIMESTAMP).map(Bytes::as_ref)
            && before.files.contains_key(&newest_root)
        {
            return Ok(());
        }
        let mut files = read_files(folder, &repository)?;
        for (name, bytes) in &before.files {
            files.entry(name.clone()).or_insert_with(|| bytes.clone());
        }
        let contents = Contents { files, expiries: Expiries::of(&repository) };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(contents);
        Ok(())
    }

    /// When the signatures end of what is served.
    pub fn expiries(&self) -> Option<Expiries> {
        self.contents().expiries
    }

    fn contents(&self) -> Arc<Contents> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn read_files(folder: &Path, repository: &Repository) -> Result<BTreeMap<String, Bytes>, TufError> {
    let mut files = BTreeMap::new();
    for root in &repository.roots {
        files.insert(format!("{}.root.json", root.role.version), root.bytes.clone().into());
    }
    let Some(current) = &repository.current else { return Ok(files) };
    let named = |version, role: &str| format!("{version}.{role}.json");
    files.insert(TIMESTAMP.to_owned(), current.timestamp.bytes.clone().into());
    let (snapshot, targets) = (&current.snapshot, &current.targets);
    files.insert(named(snapshot.role.version, "snapshot"), snapshot.bytes.clone().into());
    files.insert(named(targets.role.version, "targets"), targets.bytes.clone().into());
    for (name, target) in &targets.role.targets {
        let digest: String =
            target.hashes.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("targets/{digest}.{}", name.raw());
        let bytes =
            read(&folder.join(&name))?.ok_or_else(|| TufError::Missing { name: name.clone() })?;
        files.insert(name, bytes.into());
    }
    Ok(files)
}

/// The addresses below `/tuf/`.
pub fn routes(shelf: Shelf) -> Router {
    Router::new().route("/tuf/{*name}", get(file)).with_state(shelf)
}

async fn file(State(shelf): State<Shelf>, UrlPath(name): UrlPath<String>) -> Response {
    let found = shelf.contents().files.get(&name).cloned();
    // 404 is an answer: it ends a client's walk through the roots.
    let mut response = found.map_or_else(
        || Refusal::not_found("there is no such file in the TUF repository").into_response(),
        |bytes| typed(StatusCode::OK, media_type(&name), Body::from(bytes)),
    );
    let lasting = response.status() == StatusCode::OK && name.starts_with("targets/");
    // A target's name holds its digest.
    let cache = if lasting { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

fn media_type(name: &str) -> &'static str {
    if name.ends_with(".json") { "application/json" } else { "application/x-pem-file" }
}
