//! Where this user's settings are, and how files get there: the one place of this crate that reads
//! the environment and knows which system it runs on.

use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::NamedError;

/// The folder of Paraph's settings: `$PARAPH_HOME`, or `paraph` in `$XDG_CONFIG_HOME`
/// (`~/.config`), in `~/Library/Application Support` on macOS, in `%APPDATA%` on Windows. It need
/// not be there, nor be writable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    /// The folder that the environment names. Nothing is touched.
    ///
    /// # Errors
    /// [`NamedError::NoHome`], [`NamedError::RelativeHome`]: a relative path would make the working
    /// directory a source of trust.
    pub fn of_environment() -> Result<Self, NamedError> {
        Self::of(|name| env::var_os(name))
    }

    fn of(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, NamedError> {
        let set = |name: &'static str| {
            variable(name).filter(|value| !value.is_empty()).map(|value| (name, value))
        };
        if let Some(own) = set("PARAPH_HOME") {
            return absolute(own).map(Self);
        }
        if cfg!(windows) {
            let base = absolute(set("APPDATA").ok_or(NamedError::NoHome("APPDATA"))?)?;
            return Ok(Self(base.join(FOLDER)));
        }
        let home = || absolute(set("HOME").ok_or(NamedError::NoHome("HOME"))?);
        if cfg!(target_os = "macos") {
            return Ok(Self(home()?.join("Library/Application Support").join(FOLDER)));
        }
        // The XDG specification has a relative path ignored; refusing it hides no mistake.
        let base = match set("XDG_CONFIG_HOME") {
            Some(base) => absolute(base)?,
            None => home()?.join(".config"),
        };
        Ok(Self(base.join(FOLDER)))
    }

    /// A folder that the caller knows.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

fn absolute((variable, value): (&'static str, OsString)) -> Result<PathBuf, NamedError> {
    let path = PathBuf::from(value);
    if path.is_absolute() {
        return Ok(path);
    }
    Err(NamedError::RelativeHome { variable, path: path.to_string_lossy().into_owned() })
}

/// Makes a folder that only this user may enter, with those above it.
pub(super) fn make_folder(path: &Path) -> Result<(), NamedError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| failed("write", path, &error))
}

/// Reads a file of at most `cap` bytes; `None` where there is none.
pub(super) fn read(path: &Path, cap: usize) -> Result<Option<Vec<u8>>, NamedError> {
    let mut bytes = Vec::new();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(failed("read", path, &error)),
    };
    // One byte more than allowed tells a file that fits from one that was cut.
    file.take(cap as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| failed("read", path, &error))?;
    if bytes.len() > cap {
        return Err(failed("read", path, &io::Error::from(io::ErrorKind::FileTooLarge)));
    }
    Ok(Some(bytes))
}

/// Puts a file in place whole or not at all: written beside, synced, renamed.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), NamedError> {
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let put = || {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    put().map_err(|error| {
        _ = fs::remove_file(&beside);
        failed("write", path, &error)
    })
}

pub(super) fn failed(doing: &'static str, path: &Path, error: &io::Error) -> NamedError {
    NamedError::Io { doing, path: path.to_string_lossy().into_owned(), kind: error.kind() }
}

/// A path through a file is no path either.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

const FOLDER: &str = "paraph";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(set: &[(&str, &str)]) -> Result<Home, NamedError> {
        Home::of(|name| {
            set.iter().find(|(wanted, _)| *wanted == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    #[cfg(all(unix, not(target_os = "macos")))]
    fn the_environment_says_where() {
        let at = |path: &str| Ok(Home::at(path.into()));
        let home = ("HOME", "/home/a");
        assert_eq!(of(&[home]), at("/home/a/.config/paraph"));
        assert_eq!(of(&[home, ("XDG_CONFIG_HOME", "/c")]), at("/c/paraph"));
        assert_eq!(of(&[home, ("XDG_CONFIG_HOME", "")]), at("/home/a/.config/paraph"));
        assert_eq!(of(&[home, ("PARAPH_HOME", "/p")]), at("/p"));
        assert_eq!(of(&[]), Err(NamedError::NoHome("HOME")));
    }

    #[test]
    fn the_working_directory_is_no_home() {
        for variable in ["PARAPH_HOME", "XDG_CONFIG_HOME"] {
            if variable == "XDG_CONFIG_HOME" && (cfg!(windows) || cfg!(target_os = "macos")) {
                continue;
            }
            let refused = of(&[("HOME", "/home/a"), (variable, "trust")]);
            assert_eq!(refused, Err(NamedError::RelativeHome { variable, path: "trust".into() }));
        }
    }

    #[test]
    fn a_file_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        assert_eq!(read(&path, 3), Ok(None));
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read(&path, 3), Ok(Some(b"two".to_vec())));
        assert!(matches!(read(&path, 2), Err(NamedError::Io { doing: "read", .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
