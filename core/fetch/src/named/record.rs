//! The two files of a trusted instance, strictly: what was pinned, and what is held.

use std::path::Path;

use formats::digest::{Digest, HashAlgorithm};
use formats::json::{self, JsonError};
use serde::{Deserialize, Serialize};

use super::{Name, NamedError};
use crate::endpoint::Endpoint;

/// `instance.json`: what a person trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The name it goes by here.
    pub name: Name,
    /// The URL that was given.
    pub url: Endpoint,
    /// Where its TUF metadata is.
    pub repository: Endpoint,
    /// The SHA-256 of the pinned root's file.
    pub fingerprint: Digest,
}

/// `state.json`: what is held of the repository, by the SHA-256 of each file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// When the repository was last asked, in Unix seconds.
    pub checked: i64,
    pub roots: Vec<Digest>,
    pub timestamp: Digest,
    pub snapshot: Digest,
    pub targets: Digest,
    pub files: Vec<Digest>,
}

impl Record {
    /// Reads the record of the instance with this name, which stands in it too.
    pub(super) fn from_json(json: &[u8], name: &Name, path: &Path) -> Result<Self, NamedError> {
        let wire: WireRecord = json::from_slice(json).map_err(|fault| damaged(path, fault))?;
        let schema =
            |message: &str| damaged(path, JsonError::Schema { message: message.to_owned() });
        if wire.media_type != RECORD_TYPE {
            return Err(schema("mediaType is of another version"));
        }
        if wire.name != name.as_str() {
            return Err(schema("name is another than the folder's"));
        }
        let fingerprint = digest(&wire.fingerprint).ok_or_else(|| schema("fingerprint"))?;
        let url = |text: &str, member| Endpoint::parse(text).map_err(|_| schema(member));
        Ok(Self {
            name: name.clone(),
            url: url(&wire.url, "url")?,
            repository: url(&wire.repository, "repository")?,
            fingerprint,
        })
    }

    pub(super) fn to_json(&self) -> String {
        to_json(&WireRecord {
            media_type: RECORD_TYPE.to_owned(),
            name: self.name.as_str().to_owned(),
            url: self.url.to_string(),
            repository: self.repository.to_string(),
            fingerprint: self.fingerprint.to_hex(),
        })
    }
}

impl State {
    pub(super) fn from_json(json: &[u8], path: &Path) -> Result<Self, NamedError> {
        let wire: WireState = json::from_slice(json).map_err(|fault| damaged(path, fault))?;
        let read = |hex: &String| {
            let message = "a digest is none".to_owned();
            digest(hex).ok_or_else(|| damaged(path, JsonError::Schema { message }))
        };
        Ok(Self {
            checked: wire.checked,
            roots: wire.roots.iter().map(read).collect::<Result<_, _>>()?,
            timestamp: read(&wire.timestamp)?,
            snapshot: read(&wire.snapshot)?,
            targets: read(&wire.targets)?,
            files: wire.files.iter().map(read).collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn to_json(&self) -> String {
        to_json(&WireState {
            checked: self.checked,
            roots: self.roots.iter().map(Digest::to_hex).collect(),
            timestamp: self.timestamp.to_hex(),
            snapshot: self.snapshot.to_hex(),
            targets: self.targets.to_hex(),
            files: self.files.iter().map(Digest::to_hex).collect(),
        })
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireRecord {
    media_type: String,
    name: String,
    url: String,
    repository: String,
    fingerprint: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireState {
    checked: i64,
    roots: Vec<String>,
    timestamp: String,
    snapshot: String,
    targets: String,
    files: Vec<String>,
}

fn digest(hex: &str) -> Option<Digest> {
    Digest::from_hex(HashAlgorithm::Sha256, hex).ok()
}

fn damaged(path: &Path, fault: JsonError) -> NamedError {
    NamedError::Damaged { path: path.to_string_lossy().into_owned(), fault }
}

fn to_json(wire: &impl Serialize) -> String {
    // Strings and integers in structs: nothing that serde_json could refuse.
    serde_json::to_string_pretty(wire).unwrap_or_default() + "\n"
}

const RECORD_TYPE: &str = "application/vnd.paraph.trust.v1+json";
