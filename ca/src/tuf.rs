//! The TUF repository: how a client that was told one fingerprint learns everything else, and
//! learns when it changes (The Update Framework, specification 1.0).
//!
//! The metadata are made with the library `tough` and signed through
//! [`Signer`](crate::keys::Signer). The root may be
//! signed elsewhere; targets, snapshot and timestamp are signed here and renew themselves.

pub mod command;
pub mod config;
pub mod offline;
pub mod renew;
pub mod rotate;
pub mod serve;

mod keys;
mod publish;
mod repository;
mod roles;
mod targets;

#[cfg(test)]
mod tests;

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tough::schema::RoleType;

use crate::ceremony::{self, CeremonyError};
use crate::instance::Instance;
use crate::keys::{KeyFileError, Role};
use crate::tuf::config::{ROLES, TufConfig};

/// Why the TUF repository is not published or not changed.
#[derive(Debug, thiserror::Error)]
pub enum TufError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that must be there is not.
    #[error("tuf/{name} is missing; put the folder tuf back from a backup")]
    Missing {
        /// Its name.
        name: String,
    },
    /// Metadata do not parse, or cannot be written.
    #[error("tuf/{name}: {source}")]
    Json {
        /// The file, or the role.
        name: String,
        /// What the JSON reader said.
        source: serde_json::Error,
    },
    /// A file is not the one that the metadata above it name.
    #[error("tuf/{name} is not the file that was published; put the folder tuf back from a backup")]
    Differs {
        /// Its name.
        name: String,
    },
    /// Metadata do not name what every repository has.
    #[error("the metadata do not name {0}")]
    Unnamed(&'static str),
    /// Metadata are not signed by enough of the keys that the root names.
    #[error("the {role} metadata are not signed as their root demands: {source}")]
    Unsigned {
        /// The role.
        role: RoleType,
        /// What the check said.
        source: tough::schema::Error,
    },
    /// A root is not the one after the newest.
    #[error("this is root {found}, and root {expected} is wanted")]
    RootVersion {
        /// The root's version.
        found: NonZeroU64,
        /// The version that comes next.
        expected: NonZeroU64,
    },
    /// The published root names other keys or thresholds than this folder has.
    #[error(
        "tuf/{version}.root.json names other keys or thresholds than ca.toml and keys/ have, and \
         clients believe the root: put the old keys back, or publish the change with: \
         ca tuf root DIR"
    )]
    NotOurRoot {
        /// The newest root's version.
        version: NonZeroU64,
    },
    /// A root that was signed elsewhere is not the one that this folder asks for.
    #[error(
        "this root names other keys or thresholds than ca.toml and keys/ have now; export it anew"
    )]
    AnotherRoot,
    /// A root has expired, or is as good as expired.
    #[error("this root expires within a day; export it anew")]
    RootExpired,
    /// Too few keys are here for a role's threshold.
    #[error(
        "too few keys for the TUF role {role}: its threshold cannot be met here (a root can be \
         signed elsewhere: ca tuf root DIR --export FILE)"
    )]
    TooFewKeys {
        /// The role.
        role: RoleType,
    },
    /// ca.toml names key files, which no command exchanges.
    #[error(
        "tuf.{role}.keys in ca.toml names the keys: put the new ones there, then run: ca tuf root DIR"
    )]
    KeysListed {
        /// The role.
        role: RoleType,
    },
    /// The root's private key is not in the folder.
    #[error(
        "keys/tuf-root.pem is not here, and the next root must be signed with it: bring it back for \
         this one call, or sign the next root where it is (ca tuf root DIR --export FILE)"
    )]
    RootKeyElsewhere,
    /// One key stands twice in a role, where the threshold would count it twice.
    #[error("tuf.{role}.keys: one key stands there twice")]
    KeyTwice {
        /// The role.
        role: RoleType,
    },
    /// A key of the repository has another task in the instance.
    #[error("a key of the TUF role {role} has another task in this instance; give it its own")]
    SharedKey {
        /// The role.
        role: RoleType,
    },
    /// A key in a root is of a kind that this server does not make.
    #[error("a key of the root is not ECDSA P-256")]
    ForeignKey,
    /// A public key file is refused.
    #[error("{path}: {source}")]
    PublicKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: formats::key::KeyError,
    },
    /// A public key is of the wrong kind.
    #[error("{path}: an ECDSA P-256 key is needed here")]
    NotP256 {
        /// The file.
        path: PathBuf,
    },
    /// A private key is refused.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// A key could not be made.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// The published trust root does not parse.
    #[error(transparent)]
    TrustedRoot(#[from] formats::trusted_root::TrustedRootError),
    /// A key did not sign.
    #[error("the key of the TUF role {role} could not be used")]
    Sign {
        /// The role.
        role: RoleType,
    },
    /// The library could not write a canonical form.
    #[error("TUF metadata: {0}")]
    Canonical(#[from] tough::schema::Error),
    /// The clock is out of every calendar.
    #[error("the clock shows no date that can be written")]
    Clock,
}

/// Publishes what is in the instance's folder of trust files: the one call after they changed, and
/// at every start. Signatures that age are renewed too. `now` is in Unix seconds.
///
/// # Errors
/// [`TufError`]; nothing is published that clients could not follow from what was there before.
pub fn publish(instance: &Instance, now: i64) -> Result<(), TufError> {
    let config = &instance.config.tuf;
    make_missing_keys(&instance.dir, config)?;
    let others = [
        instance.issuing_key.public_key(),
        instance.ct_key.public_key(),
        instance.log_key.public_key(),
        instance.timestamp_key.public_key(),
    ];
    let root = repository::Repository::read(&folder(&instance.dir))?;
    keys::Keyring::read(&instance.dir, config, root.as_ref().map(repository::Repository::root))?
        .refuse_shared(&others)?;
    let files = targets::published(&instance.public(), now)?;
    publish::update(&instance.dir, config, Some(&files), now)
}

/// The fingerprint by which a person trusts the instance: SHA-256 of `1.root.json`, in hex, as
/// `cosign initialize --root-checksum` takes it.
///
/// # Errors
/// When the first root is not there.
pub fn fingerprint(dir: &Path) -> Result<String, TufError> {
    let digest = Sha256::digest(first_root(dir)?);
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The bytes of `1.root.json`.
///
/// # Errors
/// When it is not there.
pub fn first_root(dir: &Path) -> Result<Vec<u8>, TufError> {
    let name = "1.root.json";
    repository::read(&folder(dir).join(name))?
        .ok_or_else(|| TufError::Missing { name: name.to_owned() })
}

/// Signs what ages, as the running server does by itself.
///
/// # Errors
/// As [`publish`].
pub fn renew(instance: &Instance, now: i64) -> Result<(), TufError> {
    publish::update(&instance.dir, &instance.config.tuf, None, now)
}

/// Where the repository of the instance in `dir` lies.
pub fn folder(dir: &Path) -> PathBuf {
    dir.join("tuf")
}

/// An instance from before there were TUF keys gets them at its first start: nobody pinned a root
/// of it yet. Where there is a root, a missing key is missing.
fn make_missing_keys(dir: &Path, config: &TufConfig) -> Result<(), TufError> {
    if folder(dir).join("1.root.json").exists() {
        return Ok(());
    }
    let unlisted = |role: &RoleType| config.role(*role).keys.is_none();
    let [root, below @ ..] = &ROLES;
    for (role, wanted) in [(Role::TufRoot, unlisted(root)), (Role::Tuf, below.iter().any(unlisted))]
    {
        if wanted && !role.path(dir).exists() {
            ceremony::add_key(dir, role)?;
            tracing::info!("made keys/{}.pem for the TUF repository", role.name());
        }
    }
    Ok(())
}
