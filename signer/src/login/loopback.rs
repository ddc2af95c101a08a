//! The listener that a browser returns to after a sign-in (RFC 8252 section 7.3): on this machine
//! alone, on a port of the system's choice, for one path and one answer.
//!
//! Any program and any web page on this machine may connect to it, so that it believes nothing: it
//! hands the query on, and shows one of a few fixed pages. Nothing that came in goes into them.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Listens while it lives.
pub struct Loopback {
    port: u16,
    answered: oneshot::Receiver<Answer>,
    _connections: JoinSet<()>,
}

/// The one answer that came, and the browser that waits to hear how it was taken.
pub struct Answer {
    /// The query, as it came.
    pub query: String,
    page: oneshot::Sender<(Page, oneshot::Sender<()>)>,
}

/// What the browser shows at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// It worked.
    SignedIn,
    /// It did not; the terminal says why.
    Failed,
}

impl Loopback {
    /// Listens on 127.0.0.1 and, where there is one, on the same port of `::1`: a browser may take
    /// `localhost` for either.
    ///
    /// # Errors
    /// When there is no listening on 127.0.0.1.
    pub async fn open() -> io::Result<Self> {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = first.local_addr()?.port();
        let second = TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await.ok();
        let (tell, answered) = oneshot::channel();
        let desk = Arc::new(Desk { port, tell: Mutex::new(Some(tell)) });
        let mut connections = JoinSet::new();
        for listener in [Some(first), second].into_iter().flatten() {
            connections.spawn(accept(listener, desk.clone()));
        }
        Ok(Self { port, answered, _connections: connections })
    }

    /// The redirect URI, as Sigstore's clients have it.
    #[must_use]
    pub fn redirect(&self) -> String {
        format!("http://localhost:{}{PATH}", self.port)
    }

    /// Waits for the browser's return.
    pub async fn answer(&mut self) -> Answer {
        match (&mut self.answered).await {
            Ok(answer) => answer,
            // The listeners are gone only when this is.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Answer {
    /// Shows a page, and waits for a moment until it is written.
    pub async fn show(self, page: Page) {
        let (written, is_written) = oneshot::channel();
        if self.page.send((page, written)).is_ok() {
            _ = timeout(WRITE_LIMIT, is_written).await;
        }
    }
}

/// Where the one answer is handed over.
struct Desk {
    port: u16,
    tell: Mutex<Option<oneshot::Sender<Answer>>>,
}

async fn accept(listener: TcpListener, desk: Arc<Desk>) {
    let mut open = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, as a rule; those that are open will end.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        while open.try_join_next().is_some() {}
        if open.len() < MOST_CONNECTIONS {
            open.spawn(serve(stream, desk.clone()));
        }
    }
}

async fn serve(mut stream: TcpStream, desk: Arc<Desk>) {
    let Ok(Some(head)) = timeout(READ_LIMIT, read_head(&mut stream)).await else { return };
    let query = match judge(&head, desk.port) {
        Ok(query) => query,
        Err(status) => return write(&mut stream, status, NOT_HERE).await,
    };
    let tell = desk.tell.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(tell) = tell else {
        return write(&mut stream, "410 Gone", ENDED).await;
    };
    let (page, shown) = oneshot::channel();
    _ = tell.send(Answer { query, page });
    match shown.await {
        Ok((page, written)) => {
            let (status, text) = match page {
                Page::SignedIn => ("200 OK", SIGNED_IN),
                Page::Failed => ("400 Bad Request", FAILED),
            };
            write(&mut stream, status, text).await;
            _ = written.send(());
        }
        Err(_) => write(&mut stream, "410 Gone", ENDED).await,
    }
}

/// The query of a request that is for us, or the status that says why it is not.
fn judge(head: &str, port: u16) -> Result<String, &'static str> {
    let mut lines = head.split("\r\n");
    let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, "HTTP/1.1" | "HTTP/1.0"] = words[..] else {
        return Err("400 Bad Request");
    };
    // A page elsewhere can have its own name lead to this address; it cannot have it called ours.
    let host = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("host"))
        .map(|(_, value)| value.trim());
    let ours = ["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}"));
    if !host.is_some_and(|host| ours.iter().any(|ours| ours == host)) {
        return Err("421 Misdirected Request");
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path != PATH {
        return Err("404 Not Found");
    }
    if method != "GET" {
        return Err("405 Method Not Allowed");
    }
    Ok(query.to_owned())
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut piece = [0; 2048];
    loop {
        let count = stream.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        head.extend_from_slice(piece.get(..count)?);
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            head.truncate(end);
            return String::from_utf8(head).ok();
        }
        if head.len() > MAX_HEAD {
            return None;
        }
    }
}

async fn write(stream: &mut TcpStream, status: &str, text: &str) {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>signer</title>\n{text}\n"
    );
    let length = page.len();
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{HEADERS}\r\n{page}");
    let sent = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    };
    _ = timeout(WRITE_LIMIT, sent).await;
}

const PATH: &str = "/auth/callback";

const SIGNED_IN: &str =
    "<h1>Signed in</h1>\n<p>You can close this page and return to the terminal.";
const FAILED: &str = "<h1>Not signed in</h1>\n<p>The terminal says why.";
const ENDED: &str = "<h1>This sign-in has ended</h1>\n<p>Start it again from the terminal.";
const NOT_HERE: &str = "<h1>Nothing here</h1>\n<p>This is where a sign-in returns to.";

const HEADERS: &str = "content-type: text/html; charset=utf-8\r\n\
    content-security-policy: default-src 'none'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'\r\n\
    cache-control: no-store\r\nreferrer-policy: no-referrer\r\nx-content-type-options: nosniff\r\n\
    connection: close\r\n";

const MAX_HEAD: usize = 16 * 1024;
const MOST_CONNECTIONS: usize = 16;
const READ_LIMIT: Duration = Duration::from_secs(10);
const WRITE_LIMIT: Duration = Duration::from_secs(2);
