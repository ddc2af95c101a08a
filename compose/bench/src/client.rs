//! An HTTP/1.1 client that costs little: prepared requests over kept connections, one thread for
//! every few of them.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

/// A prepared request.
pub struct Request(Vec<u8>);

impl Request {
    /// A POST with this body.
    pub fn post(path: &str, headers: &str, body: &[u8]) -> Self {
        let mut bytes = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        Self(bytes)
    }

    /// A GET.
    pub fn get(path: &str) -> Self {
        Self(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes())
    }
}

/// One connection.
pub struct Connection(TcpStream);

impl Connection {
    /// Connects to a port of this machine.
    pub fn open(port: u16) -> Result<Self, Box<dyn Error>> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(std::time::Duration::from_secs(30)))?;
        Ok(Self(stream))
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When the answer's status is not the one expected; the message has its body.
    pub fn exchange(&mut self, request: &Request, status: u16) -> Result<Vec<u8>, Box<dyn Error>> {
        self.0.write_all(&request.0)?;
        self.answer(status)
    }

    /// Sends a request without waiting.
    pub fn send(&mut self, request: &Request) -> Result<(), Box<dyn Error>> {
        Ok(self.0.write_all(&request.0)?)
    }

    /// Reads an answer.
    pub fn answer(&mut self, status: u16) -> Result<Vec<u8>, Box<dyn Error>> {
        let mut buffer = Vec::with_capacity(8192);
        let head = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            self.more(&mut buffer)?;
        };
        let text = std::str::from_utf8(&buffer[..head])?.to_ascii_lowercase();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .ok_or("an answer without content-length")?;
        let length: usize = length.trim().parse()?;
        while buffer.len() < head + length {
            self.more(&mut buffer)?;
        }
        let body = buffer.split_off(head);
        if text.get(9..12) != Some(status.to_string().as_str()) {
            return Err(format!("{text}{}", String::from_utf8_lossy(&body)).into());
        }
        Ok(body)
    }

    fn more(&mut self, buffer: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
        let mut chunk = [0; 16384];
        match self.0.read(&mut chunk)? {
            0 => Err("the server closed the connection".into()),
            count => {
                buffer.extend_from_slice(&chunk[..count]);
                Ok(())
            }
        }
    }
}

/// Sends all requests over `connections` connections, each always having one under way, and
/// answers the bodies in order. Four threads write to their share of the connections in turn and
/// then read in the same turn, so the server sees `connections` requests at once.
///
/// # Errors
/// The first answer with another status.
pub fn load(
    port: u16,
    connections: usize,
    requests: &[Request],
    status: u16,
) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let share = requests.len().div_ceil(THREADS).max(1);
    let each = connections.div_ceil(THREADS);
    let answers: Result<Vec<Vec<Vec<u8>>>, String> = std::thread::scope(|scope| {
        let threads: Vec<_> = requests
            .chunks(share)
            .map(|mine| {
                scope.spawn(move || {
                    rounds(port, each, mine, status).map_err(|error| error.to_string())
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_panic| "a client panicked".to_owned())?)
            .collect()
    });
    Ok(answers?.into_iter().flatten().collect())
}

fn rounds(
    port: u16,
    connections: usize,
    requests: &[Request],
    status: u16,
) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(port)?);
    }
    let mut answers = Vec::with_capacity(requests.len());
    let mut waiting = std::collections::VecDeque::new();
    for request in requests {
        let mut connection = match open.pop() {
            Some(idle) => idle,
            None => {
                let mut oldest: Connection = waiting.pop_front().ok_or("no connection")?;
                answers.push(oldest.answer(status)?);
                oldest
            }
        };
        connection.send(request)?;
        waiting.push_back(connection);
    }
    for mut connection in waiting {
        answers.push(connection.answer(status)?);
    }
    Ok(answers)
}

/// Milliseconds that each request took, one after the other on one connection.
pub fn one_by_one(
    port: u16,
    requests: &[Request],
    status: u16,
) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut connection = Connection::open(port)?;
    requests
        .iter()
        .map(|request| {
            let started = Instant::now();
            connection.exchange(request, status)?;
            Ok(started.elapsed().as_secs_f64() * 1e3)
        })
        .collect()
}

const THREADS: usize = 4;
