//! An OpenID provider of the test's own: it says whatever it is told to, and counts who asks.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::instance::Instance;
use crate::process::ca;

/// A provider on loopback. It stops when it is dropped.
pub struct Provider {
    shared: Arc<Shared>,
    port: u16,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    pages: Mutex<BTreeMap<String, Vec<u8>>>,
    asked: Mutex<Vec<String>>,
    forms: Mutex<Vec<(String, String)>>,
    stop: AtomicBool,
}

impl Provider {
    /// A provider with a right discovery document and these keys.
    ///
    /// # Panics
    /// When there is no port for it.
    #[must_use]
    pub fn new(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            pages: Mutex::default(),
            asked: Mutex::default(),
            forms: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let served = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if served.stop.load(Ordering::SeqCst) {
                    return;
                }
                let _client_fault = answer(&served, stream);
            }
        });
        let provider = Self { shared, port, thread: Some(thread) };
        let issuer = provider.url();
        provider
            .page(DISCOVERY, &json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/jwks") }));
        provider.page("/jwks", &json!({ "keys": keys }));
        provider
    }

    /// Its URL, and the `iss` of its tokens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Puts JSON at a path.
    pub fn page(&self, path: &str, body: &Value) {
        let body = body.to_string();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
        let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        self.raw(path, answer.into_bytes());
    }

    /// Puts the bytes of a whole answer at a path; the connection is closed after them.
    ///
    /// # Panics
    /// When a thread has panicked with the pages in its hands.
    pub fn raw(&self, path: &str, answer: Vec<u8>) {
        self.shared.pages.lock().expect("pages").insert(path.to_owned(), answer);
    }

    /// The paths that were asked for, in order.
    ///
    /// # Panics
    /// When a thread has panicked with the list in its hands.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().expect("a list").clone()
    }

    /// The bodies that were sent to a path, in order.
    ///
    /// # Panics
    /// When a thread has panicked with the list in its hands.
    #[must_use]
    pub fn forms(&self, path: &str) -> Vec<String> {
        let forms = self.shared.forms.lock().expect("a list");
        forms.iter().filter(|(to, _)| to == path).map(|(_, body)| body.clone()).collect()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _woken = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn answer(shared: &Shared, stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut head = line.clone();
    while reader.read_line(&mut head)? > 2 {}
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    shared.forms.lock().expect("a list").push((path.clone(), body));
    shared.asked.lock().expect("a list").push(path.clone());
    let page = shared.pages.lock().expect("pages").get(&path).cloned();
    let nothing = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    reader.get_mut().write_all(page.as_deref().unwrap_or(nothing))
}

/// A server of `ca serve` that trusts these issuers, and the folder it lives in.
pub struct Served {
    /// The server.
    pub server: Instance,
    _folder: TempDir,
}

/// Starts `ca serve` with `[[issuer]]` tables appended to its configuration.
///
/// # Panics
/// When it does not come up.
#[must_use]
pub fn serve(tables: &str) -> Served {
    serve_listening("", tables)
}

/// The same, with more keys for its listener.
///
/// # Panics
/// When it does not come up.
#[must_use]
pub fn serve_listening(keys: &str, tables: &str) -> Served {
    let folder = TempDir::new().expect("a temporary folder");
    let dir = folder.path().join("instance");
    let path = dir.to_str().expect("a plain path");
    let listen = format!("127.0.0.1:{}", free_port());
    let made = ca(&["init", path, "--listen", &listen]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let config = fs::read_to_string(dir.join("ca.toml")).expect("a configuration");
    let metrics = format!("127.0.0.1:{}", free_port());
    let config = config.replace("127.0.0.1:2112", &metrics);
    let config = config.replacen("[listen]\n", &format!("[listen]\n{keys}\n"), 1);
    fs::write(dir.join("ca.toml"), format!("{config}\n{tables}\n")).expect("a file");
    let server = Instance::serve_in(&dir)
        .unwrap_or_else(|refused| panic!("ca serve did not come up: {refused:?}"));
    Served { server, _folder: folder }
}

/// A port that was free a moment ago.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Where OpenID Connect Discovery begins.
pub const DISCOVERY: &str = "/.well-known/openid-configuration";
