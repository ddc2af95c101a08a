//! A TLS client that shares no code with us: `openssl s_client`, and certificates for servers.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::openssl::Desk;

/// Makes a self-signed certificate for `localhost` and its key, as two PEM files with this serial
/// number, and moves both to `folder` by rename.
///
/// # Panics
/// When openssl refuses.
pub fn certificate(folder: &Path, serial: u32, days: u32) -> PathBuf {
    let desk = Desk::new();
    let (serial, days) = (serial.to_string(), days.to_string());
    let _made = desk.ok(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-set_serial",
        &serial,
        "-days",
        &days,
    ]);
    fs::create_dir_all(folder).expect("a folder can be made");
    for name in ["key.pem", "cert.pem"] {
        replace(&folder.join(name), &desk.get(name));
    }
    folder.join("cert.pem")
}

/// Puts a file in place by rename, readable by its owner alone.
///
/// # Panics
/// When it can't be written.
pub fn replace(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("new");
    fs::write(&new, bytes).expect("a file can be written");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).expect("its mode can be set");
    fs::rename(&new, path).expect("it can be renamed");
}

/// An open TLS connection.
pub struct TlsClient {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl TlsClient {
    /// Shakes hands with 127.0.0.1 as `localhost`, trusting this certificate.
    ///
    /// # Panics
    /// When there is no `openssl`.
    #[must_use]
    pub fn open(port: u16, trusted: &Path) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_client", "-quiet", "-verify_return_error", "-servername", "localhost"])
            .args(["-verify_hostname", "localhost", "-connect", &format!("127.0.0.1:{port}")])
            .arg("-CAfile")
            .arg(trusted)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("these tests need the openssl command");
        let stdin = child.stdin.take().expect("standard input is piped");
        let stdout = child.stdout.take().expect("standard output is piped");
        Self { child, stdin, stdout: BufReader::new(stdout) }
    }

    /// GET; answers the status and the body, or nothing when the connection is not there.
    pub fn get(&mut self, path: &str) -> Option<(u16, String)> {
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.stdin.write_all(head.as_bytes()).ok()?;
        self.stdin.flush().ok()?;
        let mut line = String::new();
        self.stdout.read_line(&mut line).ok()?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut length = 0;
        loop {
            line.clear();
            self.stdout.read_line(&mut line).ok()?;
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        self.stdout.read_exact(&mut body).ok()?;
        Some((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

impl Drop for TlsClient {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// One handshake with these flags of `openssl s_client`; answers everything it said.
///
/// # Panics
/// When there is no `openssl`.
#[must_use]
pub fn handshake(port: u16, flags: &[&str]) -> String {
    let output = Command::new("openssl")
        .args(["s_client", "-servername", "localhost", "-connect", &format!("127.0.0.1:{port}")])
        .args(flags)
        .stdin(Stdio::null())
        .output()
        .expect("these tests need the openssl command");
    [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat()
}
