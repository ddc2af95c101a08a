//! The `openssl` command as a judge that shares no code with us.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder in which files for `openssl` are put.
pub struct Desk(TempDir);

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

impl Desk {
    /// An empty one.
    ///
    /// # Panics
    /// When the system has no room.
    #[must_use]
    pub fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    /// Puts a file there.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("a file can be written");
        path
    }

    /// The path of a file there.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Reads a file there.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Runs `openssl` in that folder, whatever comes of it.
    ///
    /// # Panics
    /// When there is no `openssl`.
    #[must_use]
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Output {
        run_in(self.0.path(), arguments)
    }

    /// Runs `openssl` in that folder; answers its standard output.
    ///
    /// # Panics
    /// When it does not succeed.
    #[must_use]
    pub fn ok<S: AsRef<OsStr>>(&self, arguments: &[S]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let shown: Vec<&OsStr> = arguments.iter().map(AsRef::as_ref).collect();
        assert!(
            output.status.success(),
            "openssl {shown:?}\n{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }
}

fn run_in<S: AsRef<OsStr>>(folder: &Path, arguments: &[S]) -> Output {
    let run = Command::new("openssl").args(arguments).current_dir(folder).output();
    run.expect("these tests need the openssl command")
}
