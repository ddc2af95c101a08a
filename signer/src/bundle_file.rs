//! The bundle as a file: all of it or none of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::Failure;

/// Finds out, before anything is sent anywhere, whether a bundle can be written to `path`.
///
/// # Errors
/// [`Failure::Unwritable`].
pub fn probe(path: &Path) -> Result<(), Failure> {
    if is_special(path) {
        return Ok(());
    }
    // Made and removed again.
    Temporary::create(path).map(drop).map_err(|error| unwritable(path, &error))
}

/// Writes the bundle to `path`: into a new file beside it, which takes its place when it is whole and
/// on disk. What is not a plain file, such as `/dev/stdout`, is written to as it is.
///
/// # Errors
/// [`Failure::Unwritable`]; nothing is left behind then, and what was at `path` is as it was.
pub fn write(path: &Path, bundle: &str) -> Result<(), Failure> {
    let outcome = if is_special(path) {
        OpenOptions::new().write(true).open(path).and_then(|mut file| write_all(&mut file, bundle))
    } else {
        Temporary::create(path).and_then(|temporary| temporary.become_file(path, bundle))
    };
    outcome.map_err(|error| unwritable(path, &error))
}

/// A file that is removed unless it becomes the real one.
struct Temporary {
    file: File,
    path: Option<PathBuf>,
}

impl Temporary {
    fn create(target: &Path) -> io::Result<Self> {
        if target.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| io::ErrorKind::Other)?;
        let name = format!(".paraph-{:016x}.tmp", u64::from_le_bytes(random));
        let path = target.with_file_name(name);
        // The mode is the system's 0666 less the umask: a bundle is no secret.
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self { file, path: Some(path) })
    }

    fn become_file(mut self, target: &Path, bundle: &str) -> io::Result<()> {
        write_all(&mut self.file, bundle)?;
        self.file.sync_all()?;
        if let Some(path) = &self.path {
            fs::rename(path, target)?;
        }
        self.path = None;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            _ = fs::remove_file(path);
        }
    }
}

fn write_all(file: &mut File, bundle: &str) -> io::Result<()> {
    file.write_all(bundle.as_bytes())?;
    file.write_all(b"\n")
}

/// A device, a pipe or a socket: renaming onto `/dev/null` would take it away from everyone.
pub(crate) fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|facts| !facts.is_file() && !facts.is_dir())
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::Unwritable { path: path.to_string_lossy().into_owned(), kind: error.kind() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn replaces_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b.sigstore.json");
        for bundle in ["one", "two"] {
            probe(&path).unwrap();
            write(&path, bundle).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{bundle}\n"));
        }
        assert_eq!(names(folder.path()), ["a b.sigstore.json"]);
    }

    #[test]
    fn leaves_nothing_when_it_fails() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("taken");
        fs::create_dir(&target).unwrap();
        let error = write(&target, "x").unwrap_err();
        assert!(matches!(error, Failure::Unwritable { kind: io::ErrorKind::IsADirectory, .. }));
        assert!(probe(&target).is_err());
        assert!(probe(&folder.path().join("no/such/folder/x")).is_err());
        assert_eq!(names(folder.path()), ["taken"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_device_stays_a_device() {
        let path = Path::new("/dev/null");
        probe(path).unwrap();
        write(path, "x").unwrap();
        assert!(is_special(path));
    }

    #[cfg(unix)]
    #[test]
    fn everyone_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (bundle, plain) = (folder.path().join("bundle"), folder.path().join("plain"));
        write(&bundle, "x").unwrap();
        fs::write(&plain, "x").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&bundle), mode(&plain));
    }
}
