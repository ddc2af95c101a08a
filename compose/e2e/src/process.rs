//! Commands that end by themselves, and the guard over those that do not.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::binaries::binary;

/// Runs a command of `ca` that ends by itself.
///
/// # Panics
/// When it does not end within 30 s.
#[must_use]
pub fn ca<S: AsRef<OsStr>>(arguments: &[S]) -> Output {
    let scratch = TempDir::new().expect("a temporary folder");
    run("ca", scratch.path(), &[], arguments)
}

/// Runs one of our binaries in a folder, with these variables beside the environment, and nothing
/// on standard input.
///
/// # Panics
/// When it does not end within 30 s.
#[must_use]
pub fn run<S: AsRef<OsStr>>(
    name: &str,
    cwd: &Path,
    variables: &[(&str, &str)],
    arguments: &[S],
) -> Output {
    let mut child = Command::new(binary(name))
        .args(arguments)
        .current_dir(cwd)
        .env_remove("SIGSTORE_ID_TOKEN")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    let stdout = all_of(child.stdout.take());
    let stderr = all_of(child.stderr.take());
    let Some(status) = wait(&mut child, Duration::from_secs(30)) else {
        let _already_dead = child.kill();
        let _reaped = child.wait();
        let shown: Vec<&OsStr> = arguments.iter().map(AsRef::as_ref).collect();
        panic!("{name} did not end: {shown:?}");
    };
    let stdout = stdout.join().expect("reading standard output");
    let stderr = stderr.join().expect("reading standard error");
    Output { status, stdout, stderr }
}

fn all_of(pipe: Option<impl std::io::Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    let mut pipe = pipe.expect("the output is piped");
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _broken = pipe.read_to_end(&mut bytes);
        bytes
    })
}

/// Waits for a child's end.
pub(crate) fn wait(child: &mut Child, time: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + time;
    while Instant::now() < until {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// Kills a server when this test process ends without having done so itself: it was interrupted,
/// or a thread that outlived the tests still had the server in its hands. The pipe to the guard
/// closes with the process, however that ends.
pub(crate) struct Guard(Child);

impl Guard {
    pub(crate) fn over(pid: u32) -> Self {
        let script = "read -r _; kill -KILL \"$0\" 2>/dev/null";
        let mut command = Command::new("sh");
        command.args(["-c", script, &pid.to_string()]).stdin(Stdio::piped());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("sh can be started"))
    }

    /// Ends the guard before its server's process id can belong to somebody else.
    pub(crate) fn dismiss(&mut self) {
        let _already_gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.dismiss();
    }
}
