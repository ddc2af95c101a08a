//! A proxy between the signer and the instance, which can see, hold up and falsify what passes.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use e2e::http::{self, Response};
use e2e::instance::Instance;
use tempfile::TempDir;

type Change = dyn Fn(&str, Response) -> Response + Send + Sync;

/// Listens on a port of its own until the test ends.
pub struct Proxy {
    folder: TempDir,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Passes everything on, and remembers it.
    pub fn honest(instance: &Instance) -> Self {
        Self::new(instance, |_, answer| answer)
    }

    /// Keeps the answer of one path back for a while.
    pub fn holding(instance: &Instance, path: &'static str, time: Duration) -> Self {
        Self::new(instance, move |asked, answer| {
            if asked == path {
                thread::sleep(time);
            }
            answer
        })
    }

    /// Changes each answer, given its request's path.
    pub fn new(
        instance: &Instance,
        change: impl Fn(&str, Response) -> Response + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let folder = TempDir::new().unwrap();
        let public = instance.dir().join("public");
        fs::copy(public.join("trusted_root.json"), folder.path().join("root.json")).unwrap();
        let services = fs::read_to_string(public.join("signing_config.v0.2.json")).unwrap();
        assert!(services.contains(&instance.base()));
        let services = services.replace(&instance.base(), &base);
        fs::write(folder.path().join("services.json"), services).unwrap();

        let seen = Arc::new(Mutex::new(Vec::new()));
        let (remember, port) = (seen.clone(), instance.port());
        let change: Arc<Change> = Arc::new(change);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (remember, change) = (remember.clone(), change.clone());
                thread::spawn(move || while pass(&stream, port, &remember, &*change).is_some() {});
            }
        });
        Self { folder, seen }
    }

    /// The flags that send the signer here.
    pub fn arguments(&self) -> Vec<String> {
        let path = |name: &str| self.folder.path().join(name).to_str().unwrap().to_owned();
        vec![
            "--trusted-root".into(),
            path("root.json"),
            "--signing-config".into(),
            path("services.json"),
        ]
    }

    /// Every request so far: request line, headers and body as text.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// Returns when a request for `path` has come.
    pub fn wait_for(&self, path: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        while !self.seen().iter().any(|seen| seen.contains(&format!(" {path} "))) {
            assert!(Instant::now() < until, "no request for {path}: {:?}", self.seen());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// One request and its answer; none at the connection's end.
fn pass(
    stream: &TcpStream,
    port: u16,
    remember: &Mutex<Vec<String>>,
    change: &Change,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let headers: Vec<(&str, &str)> =
        lines[1..].iter().filter_map(|line| line.split_once(": ")).collect();
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    remember.lock().unwrap().push(format!(
        "{}\n\n{}",
        lines.join("\n"),
        String::from_utf8_lossy(&body)
    ));

    let (method, rest) = lines[0].split_once(' ')?;
    let (path, _) = rest.split_once(' ')?;
    let own = ["host", "content-length", "connection"];
    let passed: Vec<(&str, &str)> =
        headers.into_iter().filter(|(name, _)| !own.contains(&&*name.to_lowercase())).collect();
    let answer = http::request(port, method, path, &passed, &body).ok()?;
    let answer = change(path, answer);
    let mut head = format!("HTTP/1.1 {} Answer\r\n", answer.status);
    for (name, value) in &answer.headers {
        if !["content-length", "transfer-encoding", "connection"].contains(&name.as_str()) {
            head += &format!("{name}: {value}\r\n");
        }
    }
    head += &format!("content-length: {}\r\n\r\n", answer.body.len());
    let mut writer = stream;
    writer.write_all(head.as_bytes()).ok()?;
    writer.write_all(&answer.body).ok()
}
