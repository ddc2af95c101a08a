//! Someone with a folder of their own, a token, and the two tools.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use e2e::binaries::binary;
use e2e::instance::Instance;
use e2e::token::token;
use serde_json::Value;
use tempfile::TempDir;

use crate::proxy::Proxy;

/// Alice, at work in an empty folder.
pub struct Person {
    folder: TempDir,
    /// Holds the token, outside of the folder.
    pocket: TempDir,
    instance: String,
    issuer: String,
}

/// A tool's end.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Person {
    pub fn new(instance: &Instance) -> Self {
        let pocket = TempDir::new().unwrap();
        fs::write(pocket.path().join("token"), token(instance, crate::ALICE)).unwrap();
        Self {
            folder: TempDir::new().unwrap(),
            pocket,
            instance: instance.dir().to_str().unwrap().to_owned(),
            issuer: format!("{}/oidc", instance.base()),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub fn bundle(&self, name: &str) -> Value {
        let bytes = fs::read(self.path(&format!("{name}.sigstore.json"))).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    /// All that is in the folder, hidden files included.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn token(&self) -> String {
        fs::read_to_string(self.pocket.path().join("token")).unwrap()
    }

    /// `signer sign-blob` with this person's instance and token.
    pub fn sign(&self, arguments: &[&str]) -> Ended {
        let instance = ["--instance", &self.instance];
        self.run("signer", &[&["sign-blob"], arguments, &instance].concat())
    }

    /// As [`Self::sign`], with a proxy between this person and every service.
    pub fn sign_through(&self, proxy: &Proxy, arguments: &[&str]) -> Ended {
        let services = proxy.arguments();
        let services: Vec<&str> = services.iter().map(String::as_str).collect();
        self.run("signer", &[&["sign-blob"], arguments, &services].concat())
    }

    /// As [`Self::sign_through`], still running.
    pub fn spawn_through(&self, proxy: &Proxy, arguments: &[&str]) -> Running {
        let services = proxy.arguments();
        let services: Vec<&str> = services.iter().map(String::as_str).collect();
        let mut command = self.command("signer", &[&["sign-blob"], arguments, &services].concat());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(command.spawn().unwrap())
    }

    /// `verifier verify-blob` pinning this identity of the instance's own issuer.
    pub fn verify(&self, arguments: &[&str], identity: &str) -> Ended {
        let pins = ["--certificate-identity", identity, "--certificate-oidc-issuer", &self.issuer];
        let trust = ["--instance", &self.instance];
        self.run("verifier", &[&["verify-blob"], arguments, &pins, &trust].concat())
    }

    pub fn run(&self, tool: &str, arguments: &[&str]) -> Ended {
        self.run_with(tool, arguments, |_| ())
    }

    pub fn run_with(
        &self,
        tool: &str,
        arguments: &[&str],
        change: impl FnOnce(&mut Command),
    ) -> Ended {
        let mut command = self.command(tool, arguments);
        change(&mut command);
        Ended::of(command.output().unwrap())
    }

    /// The token is a file, unless the arguments name another.
    fn command(&self, tool: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary(tool));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        let signs = arguments.first() == Some(&"sign-blob");
        if signs && !arguments.contains(&"--identity-token") {
            command.arg("--identity-token").arg(self.pocket.path().join("token"));
        }
        command
    }
}

impl Ended {
    pub fn of(output: Output) -> Self {
        Self {
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}{}", self.stdout, self.stderr);
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("{}", self.stdout))
    }
}

/// A tool at work.
pub struct Running(Child);

impl Running {
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits for the tool's own end.
    pub fn wait_with_output_within(&mut self, time: Duration) -> Output {
        let until = Instant::now() + time;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
                self.0.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
                self.0.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
                return Output { status, stdout, stderr };
            }
            assert!(Instant::now() < until, "the tool has not ended within {time:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// The flags that pin an identity of the instance's own issuer.
pub fn default_arguments(identity: &str, instance: &Instance) -> Vec<String> {
    let issuer = format!("{}/oidc", instance.base());
    ["--certificate-identity", identity, "--certificate-oidc-issuer", &issuer]
        .map(str::to_owned)
        .to_vec()
}
