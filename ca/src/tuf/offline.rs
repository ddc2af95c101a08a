//! Roots: the next one made here, or written out, signed elsewhere and brought back.

use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use tough::schema::{RoleType, Root, Signature, Signed};

use crate::instance::Instance;
use crate::keys::{FileKey, Signer};
use crate::tuf::config::DAY_SECONDS;
use crate::tuf::keys::{Keyring, key_id, signers_named};
use crate::tuf::publish::Below;
use crate::tuf::repository::{Lock, Repository, Write, check_root, parse, write_all};
use crate::tuf::roles::{after, root, same_keys, seal, to_bytes};
use crate::tuf::{TufError, folder};

/// The next root as this folder asks for it, with the signatures of the root keys that are here:
/// the bytes to sign elsewhere with [`sign`].
///
/// # Errors
/// When the repository or a key is not as it should be.
pub fn export(instance: &Instance, now: i64) -> Result<Vec<u8>, TufError> {
    let folder = folder(&instance.dir);
    let _lock = Lock::take(&folder)?;
    let repository = whole(&folder)?;
    next(instance, &repository, RootKeys::Kept, now)
}

/// Adds a signature with the private key in `key` to the root in `bytes`.
///
/// # Errors
/// When `bytes` are no root, or the key is not usable.
pub fn sign(bytes: &[u8], key: &Path) -> Result<Vec<u8>, TufError> {
    let mut signed: Signed<Root> = parse(bytes, "the root to sign")?;
    let key = FileKey::read(key)?;
    let keyid = key_id(key.public_key())?;
    let message = tough::schema::Role::canonical_form(&signed.signed)?;
    let sig = key.sign(&message).map_err(|_failed| TufError::Sign { role: RoleType::Root })?;
    signed.signatures.retain(|signature| signature.keyid != keyid);
    signed.signatures.push(Signature { keyid, sig: sig.into() });
    to_bytes(&signed)
}

/// Publishes the root in `bytes` after the newest one: it must be signed by enough keys of both,
/// name the keys that this folder has, and be good for more than a day.
///
/// # Errors
/// [`TufError`] for the first thing that does not hold; nothing is changed then.
pub fn import(instance: &Instance, bytes: &[u8], now: i64) -> Result<NonZeroU64, TufError> {
    let folder = folder(&instance.dir);
    let _lock = Lock::take(&folder)?;
    let repository = whole(&folder)?;
    publish(instance, &folder, &repository, bytes, now)
}

/// Makes the next root with the keys that are here, and publishes it: after a change of keys or
/// thresholds in ca.toml, or to renew it by hand.
///
/// # Errors
/// As [`import`].
pub fn advance(instance: &Instance, now: i64) -> Result<NonZeroU64, TufError> {
    let folder = folder(&instance.dir);
    let _lock = Lock::take(&folder)?;
    let repository = whole(&folder)?;
    let bytes = next(instance, &repository, RootKeys::Kept, now)?;
    publish(instance, &folder, &repository, &bytes, now)
}

/// Publishes a root that names the key in `keys/tuf-root.pem`, after that file was replaced. The
/// key before it must be in another file below `keys/`; it signs this root too, and no other.
///
/// # Errors
/// As [`import`].
pub fn replace_root_key(instance: &Instance, now: i64) -> Result<NonZeroU64, TufError> {
    let folder = folder(&instance.dir);
    let _lock = Lock::take(&folder)?;
    let repository = whole(&folder)?;
    let bytes = next(instance, &repository, RootKeys::Replaced, now)?;
    publish(instance, &folder, &repository, &bytes, now)
}

fn whole(folder: &Path) -> Result<Repository, TufError> {
    Repository::read(folder)?.ok_or_else(|| TufError::Missing { name: "1.root.json".to_owned() })
}

/// Which root keys the next root names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RootKeys {
    /// Those of ca.toml; where it lists none, those of the newest root.
    Kept,
    /// Those of ca.toml; where it lists none, `keys/tuf-root.pem`.
    Replaced,
}

fn next(
    instance: &Instance,
    repository: &Repository,
    root_keys: RootKeys,
    now: i64,
) -> Result<Vec<u8>, TufError> {
    let config = &instance.config.tuf;
    let current = repository.root();
    let kept = (root_keys == RootKeys::Kept).then_some(current);
    let keyring = Keyring::read(&instance.dir, config, kept)?;
    let next = root(after(Some(current.version)), config, &keyring, kept, now)?;
    // A root is also signed by those who signed the one before it (section 5.3.4).
    let before = signers_named(&instance.dir, current, RoleType::Root);
    let signers = union(keyring.signers(RoleType::Root), before);
    Ok(seal(next, &signers)?.bytes)
}

/// Checks a signed root and publishes it. Where it names other keys for the roles below, those are
/// signed by the old and the new keys first, so that a client follows whichever root it knows.
fn publish(
    instance: &Instance,
    folder: &Path,
    repository: &Repository,
    bytes: &[u8],
    now: i64,
) -> Result<NonZeroU64, TufError> {
    let config = &instance.config.tuf;
    let current = repository.root();
    let signed: Signed<Root> = parse(bytes, "the new root")?;
    let version = after(Some(current.version));
    check_root(&signed, version, Some(current))?;
    let new = &signed.signed;
    let keyring = Keyring::read(&instance.dir, config, Some(new))?;
    let wanted = root(version, config, &keyring, Some(new), now)?;
    if !same_keys(new, &wanted) || !new.consistent_snapshot {
        return Err(TufError::AnotherRoot);
    }
    if new.expires.as_second() <= now.saturating_add(DAY_SECONDS) {
        return Err(TufError::RootExpired);
    }

    let path = format!("{version}.root.json").into();
    let mut writes = vec![Write { path, bytes: to_bytes(&signed)? }];
    if BELOW.iter().any(|role| current.roles.get(role) != new.roles.get(role)) {
        let before = |role| signers_named(&instance.dir, current, role);
        let signers = |role| union(keyring.signers(role), before(role));
        let present = repository.current.as_ref();
        let below =
            Below { current: present, config, signers: &signers, files: None, anew: true, now };
        let handed_over = BELOW.iter().all(|role| {
            let threshold = current.roles.get(role).map_or(u64::MAX, |keys| keys.threshold.get());
            before(*role).len() as u64 >= threshold
        });
        // Without the old keys clients that have the old root must learn of the new one first; a
        // start after a stop in between signs the rest.
        let place = if handed_over { 0 } else { writes.len() };
        writes.splice(place..place, below.plan()?);
    }
    write_all(folder, &writes)?;
    Ok(version)
}

fn union(mut signers: Vec<Arc<dyn Signer>>, more: Vec<Arc<dyn Signer>>) -> Vec<Arc<dyn Signer>> {
    for signer in more {
        if signers.iter().all(|known| known.public_key().id() != signer.public_key().id()) {
            signers.push(signer);
        }
    }
    signers
}

const BELOW: [RoleType; 3] = [RoleType::Targets, RoleType::Snapshot, RoleType::Timestamp];
