//! Finds the binaries under test, and builds them when they are missing or older than their
//! sources: `cargo test` builds a package's binaries for that package's own tests only.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::SystemTime;

/// The path of one of `ca`, `signer` and `verifier`.
///
/// `PARAPH_BIN` names the folder to take them from, as they are. Otherwise they are those of this
/// test's own profile, built if need be.
///
/// # Panics
/// When there is no such binary and none can be built: with what to do about it.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    if let Some(folder) = std::env::var_os("PARAPH_BIN") {
        let path = PathBuf::from(folder).join(name);
        assert!(
            path.is_file(),
            "{}: no such binary; {ADVICE}, or unset PARAPH_BIN",
            path.display()
        );
        return path;
    }
    static FOUND: OnceLock<Mutex<BTreeMap<String, PathBuf>>> = OnceLock::new();
    let mut found = FOUND.get_or_init(Mutex::default).lock().unwrap_or_else(|e| e.into_inner());
    found.entry(name.to_owned()).or_insert_with(|| fresh(name)).clone()
}

fn fresh(name: &str) -> PathBuf {
    let folder = profile_folder();
    let path = folder.join(name);
    if !is_fresh(&path) {
        let _one_at_a_time = BuildLock::take(&folder);
        if !is_fresh(&path) {
            build(&folder);
        }
    }
    assert!(path.is_file(), "{}: no such binary; {ADVICE}", path.display());
    path
}

/// `target/<profile>`: test executables lie in its `deps`.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a test executable has a path");
    let deps = test.parent().expect("a test executable lies in a folder");
    deps.parent().expect("deps lies in the profile's folder").to_owned()
}

/// Whether the binary is at least as new as every source that cargo's dep-info file names.
fn is_fresh(binary: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified());
    let Ok(built) = modified(binary) else { return false };
    let Ok(info) = fs::read_to_string(binary.with_extension("d")) else { return false };
    let Some((_, sources)) = info.split_once(": ") else { return false };
    let older = |source: &str| {
        let path = source.replace('\u{0}', " ");
        modified(Path::new(&path)).is_ok_and(|time: SystemTime| time <= built)
    };
    // Blanks inside a path are written as "\ ".
    sources.trim_end().replace("\\ ", "\u{0}").split(' ').all(older)
}

fn build(folder: &Path) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--bins", "--locked", "--quiet"]);
    cargo.args(["-p", "ca", "-p", "signer", "-p", "verifier"]);
    match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => {}
        Some(profile) => {
            cargo.args(["--profile", profile]);
        }
    }
    let target = folder.parent().expect("a profile's folder lies in the target folder");
    cargo.arg("--target-dir").arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = cargo.output().expect("cargo runs");
    assert!(
        output.status.success(),
        "the binaries could not be built; {ADVICE}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// One build at a time over all test executables; a lock that was left behind is taken over.
struct BuildLock(PathBuf);

impl BuildLock {
    fn take(folder: &Path) -> Self {
        let path = folder.join(".e2e-build-lock");
        for _ in 0..MAX_WAIT_SECONDS {
            let made = fs::OpenOptions::new().write(true).create_new(true).open(&path);
            if made.is_ok() {
                return Self(path);
            }
            let age = fs::metadata(&path).and_then(|data| data.modified()).ok();
            let age = age.and_then(|time| time.elapsed().ok());
            if age.is_some_and(|age| age.as_secs() > MAX_WAIT_SECONDS) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
        Self(path)
    }
}

impl Drop for BuildLock {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.0);
    }
}

const ADVICE: &str = "run `cargo build --bins` first";
const MAX_WAIT_SECONDS: u64 = 600;
