//! What a publication changes: worked out first, then written in an order that never leads a
//! client astray.

use std::borrow::Cow;
use std::collections::HashMap;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use tough::TargetName;
use tough::schema::{Role, RoleType, Root, Snapshot, Target, Targets, Timestamp};

use crate::keys::Signer;
use crate::tuf::TufError;
use crate::tuf::config::TufConfig;
use crate::tuf::keys::Keyring;
use crate::tuf::repository::{Current, Lock, Repository, TIMESTAMP, Write, target_path, write_all};
use crate::tuf::roles::{
    Sealed, after, expiry, is_due, root, same_keys, seal, snapshot, target, targets, timestamp,
};
use crate::tuf::targets::TargetFile;

/// Brings the repository in `folder` up to date under its lock: a first root where there is none,
/// another root when the old one ages and its keys are here, the targets in `files` where they
/// differ (`None` leaves them as they are), and whatever signatures age.
///
/// # Errors
/// When what is there is not ours: see [`TufError`].
pub(super) fn update(
    dir: &Path,
    config: &TufConfig,
    files: Option<&[TargetFile]>,
    now: i64,
) -> Result<(), TufError> {
    let folder = dir.join("tuf");
    let _lock = Lock::take(&folder)?;
    let repository = Repository::read(&folder)?;
    let keyring = Keyring::read(dir, config, repository.as_ref().map(Repository::root))?;
    let mut writes = missing_targets(&folder, files.unwrap_or_default());
    writes.extend(plan(repository.as_ref(), config, &keyring, files, now)?);
    for write in &writes {
        tracing::debug!(file = %write.path.display(), "publishing in the TUF repository");
    }
    write_all(&folder, &writes)
}

/// The targets whose bytes are not there yet: their names hold their digests.
pub(super) fn missing_targets(folder: &Path, files: &[TargetFile]) -> Vec<Write> {
    files
        .iter()
        .map(|file| Write {
            path: target_path(&file.name, &file.bytes).into(),
            bytes: file.bytes.clone(),
        })
        .filter(|write| !folder.join(&write.path).exists())
        .collect()
}

/// The writes that bring a repository up to date, in their order; none when it is.
pub(super) fn plan(
    repository: Option<&Repository>,
    config: &TufConfig,
    keyring: &Keyring,
    files: Option<&[TargetFile]>,
    now: i64,
) -> Result<Vec<Write>, TufError> {
    let mut writes = Vec::new();
    if let Some(root) = next_root(repository, config, keyring, now)? {
        writes.push(Write {
            path: format!("{}.root.json", root.role.version).into(),
            bytes: root.bytes,
        });
    }
    let current = repository.and_then(|repository| repository.current.as_ref());
    let signers = |role| keyring.signers(role);
    let anew = current.is_some_and(|current| !current.fits);
    writes.extend(Below { current, config, signers: &signers, files, anew, now }.plan()?);
    Ok(writes)
}

/// The next root, when there is none, or the newest ages and can be signed here.
fn next_root(
    repository: Option<&Repository>,
    config: &TufConfig,
    keyring: &Keyring,
    now: i64,
) -> Result<Option<Sealed<Root>>, TufError> {
    let current = repository.map(Repository::root);
    let next = root(after(current.map(|root| root.version)), config, keyring, current, now)?;
    let signers = keyring.signers(RoleType::Root);
    let enough = signers.len() as u64 >= next.roles[&RoleType::Root].threshold.get();
    match current {
        None if enough => seal(next, &signers).map(Some),
        None => Err(TufError::TooFewKeys { role: RoleType::Root }),
        // Another key or threshold is a change of trust, which no start makes by itself.
        Some(current) if !same_keys(current, &next) => {
            Err(TufError::NotOurRoot { version: current.version })
        }
        Some(current) if enough && is_due(current, config, now) => seal(next, &signers).map(Some),
        Some(_) => Ok(None),
    }
}

/// Targets, snapshot and timestamp, and what may change them.
pub(super) struct Below<'a> {
    pub(super) current: Option<&'a Current>,
    pub(super) config: &'a TufConfig,
    pub(super) signers: &'a dyn Fn(RoleType) -> Vec<Arc<dyn Signer>>,
    /// The targets to publish; `None` leaves them as they are.
    pub(super) files: Option<&'a [TargetFile]>,
    /// Signs all three anew, whatever their age.
    pub(super) anew: bool,
    pub(super) now: i64,
}

impl Below<'_> {
    /// The writes: each file is named by the next one, and the timestamp, which alone has a fixed
    /// name, comes last.
    pub(super) fn plan(&self) -> Result<Vec<Write>, TufError> {
        let (targets, new) = self.targets()?;
        let mut writes: Vec<_> = new
            .then(|| versioned("targets", targets.role.version, &targets.bytes))
            .into_iter()
            .collect();
        let (snapshot, new) = self.snapshot(&targets, new)?;
        writes.extend(new.then(|| versioned("snapshot", snapshot.role.version, &snapshot.bytes)));
        if let Some(timestamp) = self.timestamp(&snapshot, new)? {
            writes.push(Write { path: TIMESTAMP.into(), bytes: timestamp.bytes });
        }
        Ok(writes)
    }

    /// The targets, and whether they are new.
    fn targets(&self) -> Result<(Cow<'_, Sealed<Targets>>, bool), TufError> {
        let current = self.current.map(|current| &current.targets);
        let wanted = match (self.files, current) {
            (Some(files), _) => listed(files)?,
            (None, Some(current)) => current.role.targets.clone(),
            (None, None) => return Err(TufError::Missing { name: TIMESTAMP.to_owned() }),
        };
        match current {
            Some(kept) if kept.role.targets == wanted && !self.aged(&kept.role) => {
                Ok((Cow::Borrowed(kept), false))
            }
            _ => {
                let version = after(current.map(|current| current.role.version));
                let role = targets(version, wanted, self.until(RoleType::Targets)?);
                Ok((Cow::Owned(self.seal(role)?), true))
            }
        }
    }

    fn snapshot(
        &self,
        targets: &Sealed<Targets>,
        named_anew: bool,
    ) -> Result<(Cow<'_, Sealed<Snapshot>>, bool), TufError> {
        let current = self.current.map(|current| &current.snapshot);
        match current {
            Some(kept) if !named_anew && !self.aged(&kept.role) => Ok((Cow::Borrowed(kept), false)),
            _ => {
                let version = after(current.map(|current| current.role.version));
                let role = snapshot(version, targets, self.until(RoleType::Snapshot)?);
                Ok((Cow::Owned(self.seal(role)?), true))
            }
        }
    }

    fn timestamp(
        &self,
        snapshot: &Sealed<Snapshot>,
        named_anew: bool,
    ) -> Result<Option<Sealed<Timestamp>>, TufError> {
        let current = self.current.map(|current| &current.timestamp.role);
        if !named_anew && current.is_some_and(|kept| !self.aged(kept)) {
            return Ok(None);
        }
        let version = after(current.map(|current| current.version));
        self.seal(timestamp(version, snapshot, self.until(RoleType::Timestamp)?)).map(Some)
    }

    fn aged<T: Role>(&self, role: &T) -> bool {
        self.anew || is_due(role, self.config, self.now)
    }

    fn until(&self, role: RoleType) -> Result<jiff::Timestamp, TufError> {
        expiry(self.now, self.config.life_seconds(role))
    }

    fn seal<T: Role>(&self, role: T) -> Result<Sealed<T>, TufError> {
        seal(role, &(self.signers)(T::TYPE))
    }
}

fn listed(files: &[TargetFile]) -> Result<HashMap<TargetName, Target>, TufError> {
    files
        .iter()
        .map(|file| {
            let name = TargetName::new(file.name.as_str())
                .map_err(|_unsafe| TufError::Missing { name: file.name.clone() })?;
            Ok((name, target(file)))
        })
        .collect()
}

fn versioned(role: &str, version: NonZeroU64, bytes: &[u8]) -> Write {
    Write { path: format!("{version}.{role}.json").into(), bytes: bytes.to_vec() }
}
