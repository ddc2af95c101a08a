//! The metadata of the four roles: made, signed, and judged by age (TUF specification 1.0,
//! section 4).

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tough::schema::decoded::{Decoded, Hex};
use tough::schema::{
    Hashes, Metafile, Role, RoleKeys, RoleType, Root, Signature, Signed, Snapshot, Target, Targets,
    Timestamp,
};

use crate::keys::Signer;
use crate::tuf::TufError;
use crate::tuf::config::{ROLES, TufConfig};
use crate::tuf::keys::{Keyring, key_id, tuf_key};
use crate::tuf::targets::TargetFile;

/// A role's file: what is signed, and the bytes that are published for it.
#[derive(Clone)]
pub(super) struct Sealed<T> {
    pub(super) role: T,
    pub(super) bytes: Vec<u8>,
}

/// Signs a role with each of `signers`. The signature is over the canonical form (OLPC); the bytes
/// are the same with its members sorted and indented, so that a person can read them.
pub(super) fn seal<T: Role + Serialize>(
    role: T,
    signers: &[Arc<dyn Signer>],
) -> Result<Sealed<T>, TufError> {
    let message = role.canonical_form()?;
    let signatures = signers
        .iter()
        .map(|signer| {
            let sig = signer.sign(&message).map_err(|_failed| TufError::Sign { role: T::TYPE })?;
            Ok(Signature { keyid: key_id(signer.public_key())?, sig: sig.into() })
        })
        .collect::<Result<Vec<_>, TufError>>()?;
    let signed = Signed { signed: role, signatures };
    let bytes = to_bytes(&signed)?;
    Ok(Sealed { role: signed.signed, bytes })
}

/// The bytes of signed metadata.
pub(super) fn to_bytes<T: Role + Serialize>(signed: &Signed<T>) -> Result<Vec<u8>, TufError> {
    let broken = |source| TufError::Json { name: T::TYPE.to_string(), source };
    // Through a value, whose members are sorted: a hash map's own order changes by the run.
    let value = serde_json::to_value(signed).map_err(broken)?;
    let mut bytes = serde_json::to_vec_pretty(&value).map_err(broken)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// A root that names the keys and thresholds that ca.toml and the key files have.
pub(super) fn root(
    version: NonZeroU64,
    config: &TufConfig,
    keyring: &Keyring,
    current: Option<&Root>,
    now: i64,
) -> Result<Root, TufError> {
    let mut keys = HashMap::new();
    let mut roles = HashMap::new();
    for role in ROLES {
        let mut keyids = Vec::new();
        for key in keyring.role(role) {
            let id = key_id(&key.public)?;
            keys.insert(id.clone(), tuf_key(&key.public));
            keyids.push(id);
        }
        keyids.sort();
        let unlisted = config.role(role).keys.is_none() && config.role(role).threshold.is_none();
        let kept = current.filter(|_| role == RoleType::Root && unlisted);
        let threshold = kept
            .and_then(|root| root.roles.get(&role))
            .map(|kept| kept.threshold)
            .or_else(|| NonZeroU64::new(config.threshold(role).into()))
            .unwrap_or(NonZeroU64::MIN);
        if threshold.get() > keyids.len() as u64 {
            return Err(TufError::TooFewKeys { role });
        }
        roles.insert(role, RoleKeys { keyids, threshold, _extra: HashMap::new() });
    }
    Ok(Root {
        spec_version: SPEC_VERSION.to_owned(),
        consistent_snapshot: true,
        version,
        expires: expiry(now, config.life_seconds(RoleType::Root))?,
        keys,
        roles,
        _extra: HashMap::new(),
    })
}

/// True when both roots name the same keys with the same thresholds.
pub(super) fn same_keys(left: &Root, right: &Root) -> bool {
    let roles = |root: &Root| {
        ROLES.map(|role| {
            root.roles.get(&role).map(|keys| {
                let mut ids = keys.keyids.clone();
                ids.sort();
                (ids, keys.threshold)
            })
        })
    };
    left.keys == right.keys && roles(left) == roles(right)
}

pub(super) fn targets(
    version: NonZeroU64,
    files: HashMap<tough::TargetName, Target>,
    expires: jiff::Timestamp,
) -> Targets {
    let mut targets = Targets::new(SPEC_VERSION.to_owned(), version, expires);
    // No delegations, not even an empty table of them: our targets are top-level only.
    targets.delegations = None;
    targets.targets = files;
    targets
}

pub(super) fn target(file: &TargetFile) -> Target {
    let custom = file.custom.as_ref().map(|custom| ("sigstore".to_owned(), custom.to_value()));
    Target {
        length: file.bytes.len() as u64,
        hashes: hashes(&file.bytes),
        custom: custom.into_iter().collect(),
        _extra: HashMap::new(),
    }
}

pub(super) fn snapshot(
    version: NonZeroU64,
    targets: &Sealed<Targets>,
    expires: jiff::Timestamp,
) -> Snapshot {
    let mut snapshot = Snapshot::new(SPEC_VERSION.to_owned(), version, expires);
    snapshot.meta.insert("targets.json".to_owned(), metafile(targets));
    snapshot
}

pub(super) fn timestamp(
    version: NonZeroU64,
    snapshot: &Sealed<Snapshot>,
    expires: jiff::Timestamp,
) -> Timestamp {
    let mut timestamp = Timestamp::new(SPEC_VERSION.to_owned(), version, expires);
    timestamp.meta.insert("snapshot.json".to_owned(), metafile(snapshot));
    timestamp
}

/// Length and hash beside the version, so that a client knows how much to read, and of what.
fn metafile<T: Role>(sealed: &Sealed<T>) -> Metafile {
    Metafile {
        length: Some(sealed.bytes.len() as u64),
        hashes: Some(hashes(&sealed.bytes)),
        version: sealed.role.version(),
        _extra: HashMap::new(),
    }
}

fn hashes(bytes: &[u8]) -> Hashes {
    let sha256: Decoded<Hex> = Sha256::digest(bytes).to_vec().into();
    Hashes { sha256, _extra: HashMap::new() }
}

/// The version after `version`; the first one is 1.
pub(super) fn after(version: Option<NonZeroU64>) -> NonZeroU64 {
    version.map_or(NonZeroU64::MIN, |version| version.saturating_add(1))
}

/// `life` seconds after `now`, in whole seconds: python-tuf refuses a fraction.
pub(super) fn expiry(now: i64, life: i64) -> Result<jiff::Timestamp, TufError> {
    jiff::Timestamp::from_second(now.saturating_add(life)).map_err(|_range| TufError::Clock)
}

/// True when a signature should be made anew: a quarter of its life is over (half, for a root), or
/// ca.toml has since given it a shorter one.
pub(super) fn is_due<T: Role>(role: &T, config: &TufConfig, now: i64) -> bool {
    let life = config.life_seconds(T::TYPE);
    let left = role.expires().as_second().saturating_sub(now);
    let wanted = if T::TYPE == RoleType::Root { life / 2 } else { life / 4 * 3 };
    left <= wanted || left > life
}

/// The version of the specification that is followed.
const SPEC_VERSION: &str = "1.0.31";
