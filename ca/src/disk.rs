//! Files that are replaced whole, and the lock that says a server runs.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Writes by rename, so that a reader sees the old file or the new one, and a crash leaves one of
/// them.
///
/// # Errors
/// What the system says; then the old file is there.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    match path.parent() {
        // The name is as durable as its folder.
        #[cfg(unix)]
        Some(folder) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// Held by whoever uses the active keys of an instance: shared by servers, alone by a rotation, so
/// that no server signs with a key whose end was written down. The system lets go of it when the
/// process ends, however it does.
#[derive(Debug)]
pub struct InUse {
    _file: File,
}

/// The instance is in use in a way that does not go together with what was asked.
#[derive(Debug, thiserror::Error)]
pub enum InUseError {
    /// A server runs.
    #[error("{path}: a server runs in this folder; stop it, run this again, and start it")]
    Serving {
        /// The lock.
        path: PathBuf,
    },
    /// A rotation is under way.
    #[error("{path}: keys of this folder are being rotated; start again when that is done")]
    Rotating {
        /// The lock.
        path: PathBuf,
    },
    /// The lock cannot be had at all.
    #[error("{path}: {source}")]
    File {
        /// The lock.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl InUse {
    /// As a server, beside other servers.
    ///
    /// # Errors
    /// [`InUseError::Rotating`].
    pub fn by_server(dir: &Path) -> Result<Self, InUseError> {
        Self::lock(dir, File::try_lock_shared, |path| InUseError::Rotating { path })
    }

    /// As a rotation, alone.
    ///
    /// # Errors
    /// [`InUseError::Serving`].
    pub fn by_rotation(dir: &Path) -> Result<Self, InUseError> {
        Self::lock(dir, File::try_lock, |path| InUseError::Serving { path })
    }

    fn lock(
        dir: &Path,
        how: fn(&File) -> Result<(), TryLockError>,
        taken: fn(PathBuf) -> InUseError,
    ) -> Result<Self, InUseError> {
        let path = dir.join(LOCK_NAME);
        let failed = |source| InUseError::File { path: path.clone(), source };
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(failed)?;
        match how(&file) {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(taken(path)),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

const LOCK_NAME: &str = "in-use";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn servers_share_and_a_rotation_is_alone() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let first = InUse::by_server(dir).unwrap();
        let second = InUse::by_server(dir).unwrap();
        assert!(matches!(InUse::by_rotation(dir), Err(InUseError::Serving { .. })));
        drop(first);
        assert!(matches!(InUse::by_rotation(dir), Err(InUseError::Serving { .. })));
        drop(second);
        let rotation = InUse::by_rotation(dir).unwrap();
        assert!(matches!(InUse::by_server(dir), Err(InUseError::Rotating { .. })));
        drop(rotation);
        InUse::by_server(dir).unwrap();
    }
}
