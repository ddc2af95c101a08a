//! The repository on the disk: read and checked whole, and changed by a list of writes, each of
//! which leaves it whole.
//!
//! Layout (TUF specification 1.0, section 6, consistent snapshots): `N.root.json`,
//! `N.targets.json`, `N.snapshot.json`, `timestamp.json` and `targets/SHA256.NAME`.

use std::fs;
use std::io::Write as _;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tough::schema::{Metafile, Role, RoleType, Root, Signed, Snapshot, Targets, Timestamp};

use crate::tuf::TufError;
use crate::tuf::roles::{Sealed, after};

/// What is published. Every signature below the root was checked when it was read.
pub(super) struct Repository {
    /// All roots, the first one first: clients walk from the one that they know to the newest.
    pub(super) roots: Vec<Sealed<Root>>,
    /// The other three roles; absent until the first timestamp was written.
    pub(super) current: Option<Current>,
}

/// The metadata that the timestamp leads to.
pub(super) struct Current {
    /// Signed as the newest root demands; false when a root that names other keys was the last
    /// thing written, and only a root before it fits.
    pub(super) fits: bool,
    pub(super) targets: Sealed<Targets>,
    pub(super) snapshot: Sealed<Snapshot>,
    pub(super) timestamp: Sealed<Timestamp>,
}

/// One file to write, relative to the repository's folder.
pub(super) struct Write {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
}

impl Repository {
    /// Reads the repository in `folder`; none where nothing was ever published.
    ///
    /// # Errors
    /// When metadata are missing, do not parse, or are not signed as the root before them demands.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, TufError> {
        let mut roots: Vec<Sealed<Root>> = Vec::new();
        loop {
            let version = after(roots.last().map(|root| root.role.version));
            let Some(bytes) = read(&folder.join(format!("{version}.root.json")))? else { break };
            let signed: Signed<Root> = parse(&bytes, &format!("{version}.root.json"))?;
            check_root(&signed, version, roots.last().map(|root| &root.role))?;
            roots.push(Sealed { role: signed.signed, bytes });
        }
        let Some(newest) = roots.last() else {
            return match read(&folder.join(TIMESTAMP))? {
                Some(_) => Err(TufError::Missing { name: "1.root.json".to_owned() }),
                None => Ok(None),
            };
        };
        let mut current = Current::read(folder, &newest.role);
        if let (Err(TufError::Unsigned { .. }), [.., before, _]) = (&current, &roots[..])
            && let Ok(Some(left_behind)) = Current::read(folder, &before.role)
        {
            current = Ok(Some(Current { fits: false, ..left_behind }));
        }
        Ok(Some(Self { current: current?, roots }))
    }

    /// The newest root.
    pub(super) fn root(&self) -> &Root {
        // `read` makes no repository without a root.
        &self.roots[self.roots.len() - 1].role
    }
}

impl Current {
    fn read(folder: &Path, root: &Root) -> Result<Option<Self>, TufError> {
        let Some(bytes) = read(&folder.join(TIMESTAMP))? else { return Ok(None) };
        let signed: Signed<Timestamp> = parse(&bytes, TIMESTAMP)?;
        let timestamp = signed_by(root, signed, bytes)?;

        let named = timestamp.role.meta.get("snapshot.json");
        let version = named.map(|file| file.version).ok_or(TufError::Unnamed("snapshot.json"))?;
        let name = format!("{version}.snapshot.json");
        let bytes = must_read(folder, &name, named)?;
        let snapshot = signed_by(root, parse::<Snapshot>(&bytes, &name)?, bytes)?;

        let named = snapshot.role.meta.get("targets.json");
        let version = named.map(|file| file.version).ok_or(TufError::Unnamed("targets.json"))?;
        let name = format!("{version}.targets.json");
        let bytes = must_read(folder, &name, named)?;
        let targets = signed_by(root, parse::<Targets>(&bytes, &name)?, bytes)?;
        Ok(Some(Self { fits: true, targets, snapshot, timestamp }))
    }
}

/// A root is the next one, signed as itself and as the one before it demand (section 5.3.4).
pub(super) fn check_root(
    signed: &Signed<Root>,
    version: NonZeroU64,
    before: Option<&Root>,
) -> Result<(), TufError> {
    if signed.signed.version != version {
        return Err(TufError::RootVersion { found: signed.signed.version, expected: version });
    }
    for root in before.into_iter().chain([&signed.signed]) {
        root.verify_role(signed)
            .map_err(|source| TufError::Unsigned { role: RoleType::Root, source })?;
    }
    Ok(())
}

fn signed_by<T: Role>(
    root: &Root,
    signed: Signed<T>,
    bytes: Vec<u8>,
) -> Result<Sealed<T>, TufError> {
    root.verify_role(&signed).map_err(|source| TufError::Unsigned { role: T::TYPE, source })?;
    Ok(Sealed { role: signed.signed, bytes })
}

fn must_read(folder: &Path, name: &str, named: Option<&Metafile>) -> Result<Vec<u8>, TufError> {
    let bytes =
        read(&folder.join(name))?.ok_or_else(|| TufError::Missing { name: name.to_owned() })?;
    let hash = named.and_then(|file| file.hashes.as_ref());
    if hash.is_none_or(|hash| hash.sha256[..] != Sha256::digest(&bytes)[..]) {
        return Err(TufError::Differs { name: name.to_owned() });
    }
    Ok(bytes)
}

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8], name: &str) -> Result<Signed<T>, TufError> {
    serde_json::from_slice(bytes).map_err(|source| TufError::Json { name: name.to_owned(), source })
}

pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, TufError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TufError::File { path: path.to_owned(), source }),
    }
}

/// The address of a target's file, below the repository's folder and in URLs alike.
pub(super) fn target_path(name: &str, bytes: &[u8]) -> String {
    let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("targets/{digest}.{name}")
}

/// Writes in the order of the list. A reader sees each file old or new, and a machine that stops
/// between two of them leaves the repository as it was before: nothing leads to the new files
/// until the timestamp, which is last, is replaced.
pub(super) fn write_all(folder: &Path, writes: &[Write]) -> Result<(), TufError> {
    for Write { path, bytes } in writes {
        let path = folder.join(path);
        let new = path.with_extension("new");
        let write = || -> std::io::Result<()> {
            let mut file = fs::File::create(&new)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            // The names must last too, in this order.
            sync_folder(path.parent().unwrap_or(folder))
        };
        write().map_err(|source| TufError::File { path: path.clone(), source })?;
    }
    Ok(())
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Held by whoever changes the repository: the running server, or a command beside it.
pub(super) struct Lock(#[expect(dead_code, reason = "unlocks when it is closed")] fs::File);

impl Lock {
    /// Makes the folder when it is not there, and waits for its lock.
    pub(super) fn take(folder: &Path) -> Result<Self, TufError> {
        let take = || -> std::io::Result<fs::File> {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(folder.join("targets"))?;
            let file = fs::File::create(folder.join(".lock"))?;
            file.lock()?;
            Ok(file)
        };
        take().map(Self).map_err(|source| TufError::File { path: folder.to_owned(), source })
    }
}

/// The one file whose name never changes.
pub(super) const TIMESTAMP: &str = "timestamp.json";
