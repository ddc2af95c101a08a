//! Starts and stops `ca`, and asks it things.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::binaries::binary;
use crate::http::{self, Connection, Response};
use crate::process::{Guard, wait};

/// A running server. Dropping it kills exactly this process, and fails the test if the server has
/// panicked anywhere on the way.
pub struct Instance {
    child: Child,
    guard: Guard,
    dir: PathBuf,
    temporary: Option<TempDir>,
    scratch: TempDir,
    port: u16,
    metrics_port: Option<u16>,
    ready_after: Duration,
    stopped: bool,
}

/// A server that did not come up.
#[derive(Debug)]
pub struct NotStarted {
    /// Its exit code; none when it hung and was killed.
    pub code: Option<i32>,
    /// What it wrote on standard error.
    pub stderr: String,
}

impl Instance {
    /// `ca dev` in a new temporary folder, on a free port.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn dev() -> Self {
        Self::dev_with(&[])
    }

    /// As [`Self::dev`], with further flags of `ca`.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn dev_with(flags: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let dir = folder.path().join("instance");
        let mut arguments: Vec<&OsStr> = vec![OsStr::new("dev"), dir.as_os_str()];
        arguments.extend(["--listen", "127.0.0.1:0"].map(OsStr::new));
        arguments.extend(flags.iter().map(OsStr::new));
        let mut instance = Self::start(&dir, &arguments)
            .unwrap_or_else(|refused| panic!("ca dev did not come up: {refused:?}"));
        instance.temporary = Some(folder);
        instance
    }

    /// One server that the tests of an executable share while any of them runs.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Instance>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(|e| e.into_inner());
        shared.upgrade().unwrap_or_else(|| {
            let instance = Arc::new(Self::dev());
            *shared = Arc::downgrade(&instance);
            instance
        })
    }

    /// `ca dev` on a folder that exists.
    ///
    /// # Errors
    /// [`NotStarted`] when it ends or hangs before it is ready.
    pub fn dev_in(dir: &Path) -> Result<Self, NotStarted> {
        Self::start(dir, &[OsStr::new("dev"), dir.as_os_str()])
    }

    /// `ca serve` on a folder that exists.
    ///
    /// # Errors
    /// [`NotStarted`] when it ends or hangs before it is ready.
    pub fn serve_in(dir: &Path) -> Result<Self, NotStarted> {
        let mut instance = Self::start(dir, &[OsStr::new("serve"), dir.as_os_str()])?;
        let config = fs::read_to_string(dir.join("ca.toml")).unwrap_or_default();
        let metrics = config.lines().find_map(|line| line.strip_prefix("metrics = \"127.0.0.1:"));
        instance.metrics_port = metrics.and_then(|rest| rest.trim_end_matches('"').parse().ok());
        Ok(instance)
    }

    /// Any command of `ca` that ends in a running server; `dir` is where its files will be.
    ///
    /// # Errors
    /// [`NotStarted`] when it ends or hangs before it is ready.
    pub fn start(dir: &Path, arguments: &[&OsStr]) -> Result<Self, NotStarted> {
        let scratch = TempDir::new().expect("a temporary folder");
        // Whatever lies in the working folder must not matter, so it is an empty one.
        let cwd = scratch.path().join("cwd");
        fs::create_dir(&cwd).expect("a folder in a temporary folder");
        Self::start_at(dir, arguments, &cwd, scratch)
    }

    /// As [`Self::start`], in a working folder of the caller's choice.
    ///
    /// # Errors
    /// [`NotStarted`] when it ends or hangs before it is ready.
    pub fn start_from(dir: &Path, arguments: &[&OsStr], cwd: &Path) -> Result<Self, NotStarted> {
        Self::start_at(dir, arguments, cwd, TempDir::new().expect("a temporary folder"))
    }

    fn start_at(
        dir: &Path,
        arguments: &[&OsStr],
        cwd: &Path,
        scratch: TempDir,
    ) -> Result<Self, NotStarted> {
        let stderr = File::create(scratch.path().join(STDERR)).expect("a file for standard error");
        let began = Instant::now();
        let mut child = Command::new(binary("ca"))
            .args(arguments)
            .current_dir(cwd)
            .env("TMPDIR", scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("ca can be started");
        let guard = Guard::over(child.id());
        let stdout = child.stdout.take().expect("standard output is piped");
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _nobody_waits = tell.send(line);
            }
        });
        let line = told.recv_timeout(START_TIMEOUT);
        let ready_after = began.elapsed();
        let port = line.ok().and_then(|line| {
            line.strip_prefix("ready ")?.trim_end_matches('/').rsplit_once(':')?.1.parse().ok()
        });
        let Some(port) = port else {
            let code = wait(&mut child, Duration::from_secs(2)).and_then(|status| status.code());
            drop(guard);
            let _already_dead = child.kill();
            let _reaped = child.wait();
            let stderr = fs::read_to_string(scratch.path().join(STDERR)).unwrap_or_default();
            return Err(NotStarted { code, stderr });
        };
        Ok(Self {
            child,
            guard,
            dir: dir.to_owned(),
            temporary: None,
            scratch,
            port,
            metrics_port: None,
            ready_after,
            stopped: false,
        })
    }

    /// The instance folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder that the server was given for temporary files.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// The port it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How long it took from its start to the line that says it is ready.
    #[must_use]
    pub const fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// `http://localhost:PORT`.
    #[must_use]
    pub fn base(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// What it has written on standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.scratch.path().join(STDERR)).unwrap_or_default()
    }

    /// A connection to it.
    ///
    /// # Panics
    /// When it takes none.
    #[must_use]
    pub fn connect(&self) -> Connection {
        Connection::open(self.port).expect("the server takes connections")
    }

    /// One request on a connection of its own.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        http::request(self.port, method, target, headers, body)
            .unwrap_or_else(|error| panic!("{method} {target}: {error}\n{}", self.log()))
    }

    /// GET.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn get(&self, target: &str) -> Response {
        self.request("GET", target, &[], b"")
    }

    /// GET of a JSON document that must be there.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn json(&self, target: &str) -> Value {
        self.get(target).expect(200).json()
    }

    /// POST of JSON, with further headers.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn post(&self, target: &str, headers: &[(&str, &str)], body: &Value) -> Response {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.request("POST", target, &all, body.to_string().as_bytes())
    }

    /// The value of an unlabelled metric, or of a series written out with its labels.
    #[must_use]
    pub fn metric(&self, series: &str) -> f64 {
        let text = self.metrics();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.and_then(|value| value.parse().ok()).unwrap_or(0.0)
    }

    /// The text of `/metrics`.
    #[must_use]
    pub fn metrics(&self) -> String {
        let port = self.metrics_port.unwrap_or(self.port);
        http::request(port, "GET", "/metrics", &[], b"").expect("metrics answer").expect(200).text()
    }

    /// Resident memory in KiB.
    ///
    /// # Panics
    /// When the system does not tell.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = fs::read_to_string(path).expect("a running process has a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.expect("VmRSS is a number of KiB")
    }

    /// SIGKILL. The folder stays until the value that is answered is dropped.
    ///
    /// # Panics
    /// When the process had ended by itself before.
    pub fn kill(mut self) -> Stopped {
        self.kill_now();
        self.into_stopped()
    }

    /// SIGKILL through a shared reference's owner: see [`Self::kill`].
    fn kill_now(&mut self) {
        let ended = self.child.try_wait().expect("a child can be asked");
        assert!(ended.is_none(), "the server ended by itself: {ended:?}\n{}", self.log());
        self.child.kill().expect("a child can be killed");
        self.guard.dismiss();
        let _reaped = self.child.wait();
        self.stopped = true;
    }

    /// Waits for the end of a server that somebody else has killed or is about to.
    ///
    /// # Panics
    /// When it goes on for 15 s.
    pub fn killed(mut self) -> Stopped {
        let status = wait(&mut self.child, Duration::from_secs(15));
        assert!(status.is_some(), "still running\n{}", self.log());
        self.stopped = true;
        self.into_stopped()
    }

    /// Sends SIGTERM and does not wait.
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub fn signal_stop(&self) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Waits for the server's own end after [`Self::signal_stop`]; answers how long that took.
    ///
    /// # Panics
    /// When it takes over 15 s, or does not end with 0.
    pub fn wait_stopped(mut self) -> (Stopped, Duration) {
        let began = Instant::now();
        let status = wait(&mut self.child, Duration::from_secs(15));
        let took = began.elapsed();
        let status =
            status.unwrap_or_else(|| panic!("still running after SIGTERM\n{}", self.log()));
        assert_eq!(status.code(), Some(0), "{}", self.log());
        self.stopped = true;
        (self.into_stopped(), took)
    }

    /// SIGTERM, and the wait for the end.
    ///
    /// # Panics
    /// As [`Self::wait_stopped`].
    pub fn terminate(self) -> Stopped {
        self.signal_stop();
        self.wait_stopped().0
    }

    fn into_stopped(mut self) -> Stopped {
        Stopped { dir: self.dir.clone(), _temporary: self.temporary.take() }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.guard.dismiss();
        if !self.stopped {
            let _already_dead = self.child.kill();
            let _reaped = self.child.wait();
        }
        let log = self.log();
        if std::thread::panicking() {
            let tail: Vec<&str> = log.lines().rev().take(15).collect();
            for line in tail.iter().rev() {
                #[allow(clippy::print_stderr, reason = "the server's last words, for the reader")]
                {
                    eprintln!("ca: {line}");
                }
            }
        } else {
            assert!(!log.contains("panicked at"), "the server panicked:\n{log}");
        }
    }
}

/// The folder of a server that has stopped; removed with this value if the harness made it.
pub struct Stopped {
    dir: PathBuf,
    _temporary: Option<TempDir>,
}

impl Stopped {
    /// The instance folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Starts `ca dev` on it again.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn restart(self) -> Instance {
        let mut instance = Instance::dev_in(&self.dir)
            .unwrap_or_else(|refused| panic!("ca dev did not come up again: {refused:?}"));
        instance.temporary = self._temporary;
        instance
    }
}

const STDERR: &str = "stderr";
const START_TIMEOUT: Duration = Duration::from_secs(30);
