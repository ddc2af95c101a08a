//! A token service on this machine: it records each request, byte for byte, and gives the answers
//! it was told.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// Listens until the test ends.
pub struct StandIn {
    port: u16,
    requests: Receiver<Asked>,
}

/// A request, as it came.
#[derive(Debug)]
pub struct Asked {
    /// Method, path and query.
    pub line: String,
    /// The head's fields, as `name: value` with small letters in the name.
    pub fields: Vec<String>,
    /// The body.
    pub body: String,
}

impl StandIn {
    /// Gives these answers, one after the other: status line's rest and body.
    pub fn new(answers: Vec<(&'static str, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, requests) = channel();
        thread::spawn(move || {
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut raw = Vec::new();
                let mut piece = [0; 4096];
                let asked = loop {
                    let count = stream.read(&mut piece).unwrap();
                    raw.extend_from_slice(&piece[..count]);
                    if let Some(asked) = whole(&raw) {
                        break asked;
                    }
                    assert!(count > 0, "half a request");
                };
                tell.send(asked).unwrap();
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).unwrap();
                stream.write_all(body.as_bytes()).unwrap();
            }
        });
        Self { port, requests }
    }

    /// Its host and port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The next request that came.
    pub fn asked(&self) -> Asked {
        self.requests.try_recv().expect("it was asked")
    }

    /// Whether nobody asked (more).
    pub fn is_silent(&self) -> bool {
        self.requests.try_recv().is_err()
    }
}

impl Asked {
    /// Asserts a field of the head.
    #[track_caller]
    pub fn has(&self, field: &str) {
        assert!(self.fields.iter().any(|found| found == field), "{field:?} not in {self:?}");
    }
}

fn whole(raw: &[u8]) -> Option<Asked> {
    let text = std::str::from_utf8(raw).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let line = lines.next()?.strip_suffix(" HTTP/1.1").unwrap().to_owned();
    let fields: Vec<String> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| format!("{}: {value}", name.to_ascii_lowercase()))
        .collect();
    let length = fields.iter().find_map(|field| field.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    (body.len() >= length).then(|| Asked { line, fields, body: body.to_owned() })
}

/// A token with these claims (a JSON object without its braces), good until 2100, signed by nobody.
pub fn token(claims: &str) -> String {
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let claims = format!("{{{claims},\"exp\":4102444800}}");
    format!("{}.{}.{}", encode("{\"alg\":\"RS256\"}"), encode(&claims), encode("signature"))
}
