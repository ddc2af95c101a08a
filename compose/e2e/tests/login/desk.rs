//! Somebody at a machine, with `signer`, a file to sign, and a browser that is a script: it writes
//! down what it was started with, and the test goes where it was sent.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use e2e::binaries::binary;
use e2e::http::{self, Response};
use tempfile::TempDir;

pub struct Desk(TempDir);

/// `signer` at work.
pub struct AtWork<'a> {
    desk: &'a Desk,
    child: RefCell<Option<Child>>,
}

impl Desk {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("f"), "f").unwrap();
        let path = folder.path().display().to_string();
        let script = format!(
            "#!/bin/sh\nenv > {path}/environment\nprintf '%s\\n' \"$@\" > {path}/new\n\
             mv {path}/new {path}/arguments\n"
        );
        let browser = folder.path().join("browser");
        fs::write(&browser, script).unwrap();
        fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn command(&self, tool: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary(tool));
        command.args(arguments).current_dir(self.0.path()).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("BROWSER", self.path("browser"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Signs `f`, by this flow.
    pub fn sign(&self, flow: &str, arguments: &[&str]) -> AtWork<'_> {
        let flow = ["sign-blob", "f", "--fulcio-auth-flow", flow];
        self.start(&[&flow, arguments].concat())
    }

    /// Starts `signer`.
    pub fn start(&self, arguments: &[&str]) -> AtWork<'_> {
        let mut command = self.command("signer", arguments);
        command.env("BUILDKITE_AGENT_ACCESS_TOKEN", "a-pipelines-credential");
        AtWork { desk: self, child: RefCell::new(Some(command.spawn().unwrap())) }
    }

    /// What the browser was started with, once it was.
    pub fn browser(&self) -> Vec<String> {
        let arguments = self.path("arguments");
        until("the browser is started", || arguments.exists());
        fs::read_to_string(arguments).unwrap().lines().map(str::to_owned).collect()
    }

    /// The variables that it was given.
    pub fn browsers_environment(&self) -> String {
        fs::read_to_string(self.path("environment")).unwrap()
    }
}

impl AtWork<'_> {
    /// The page that it sends its browser to.
    pub fn page(&self) -> String {
        let arguments = self.desk.browser();
        assert_eq!(arguments.len(), 1, "{arguments:?}");
        arguments[0].clone()
    }

    pub fn has_ended(&self) -> bool {
        self.child.borrow_mut().as_mut().unwrap().try_wait().unwrap().is_some()
    }

    pub fn end(self) -> Ended {
        let child = self.child.take().unwrap();
        Ended::of(child.wait_with_output().unwrap())
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        if let Some(child) = self.child.get_mut() {
            _ = child.kill();
            _ = child.wait();
        }
    }
}

pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub fn expect(self, code: i32, said: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        for part in said {
            assert!(self.stderr.contains(part), "{part:?} not in {}", self.stderr);
        }
        self
    }
}

/// A GET of an `http://localhost:PORT/...` URL.
pub fn get(url: &str) -> Response {
    let (port, target) = split(url);
    let host = format!("localhost:{port}");
    http::request(port, "GET", &target, &[("host", &host)], b"").unwrap()
}

/// A POST of a form to such a URL, with this cookie.
pub fn post(url: &str, cookie: &str, form: &str) -> Response {
    let (port, target) = split(url);
    let kind = ("content-type", "application/x-www-form-urlencoded");
    http::request(port, "POST", &target, &[kind, ("cookie", cookie)], form.as_bytes()).unwrap()
}

fn split(url: &str) -> (u16, String) {
    let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("{url}"));
    let (host, target) = rest.split_at(rest.find('/').unwrap());
    (host.rsplit_once(':').unwrap().1.parse().unwrap(), target.to_owned())
}

/// A parameter of a URL's query, decoded.
pub fn parameter(url: &str, name: &str) -> String {
    let query = url.split_once('?').unwrap().1;
    let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    decode(found.unwrap_or_else(|| panic!("no {name} in {url}")))
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
