//! The accept loop: time-outs, the connection cap, TLS and the graceful stop.
//!
//! axum's own `serve` has neither time-outs nor a cap, and a server without them is held open by
//! a client that sends one byte in ten seconds.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::metrics::Metrics;
use crate::proxy::TrustedProxies;

/// What stands behind a listener.
#[derive(Clone)]
pub struct Front {
    /// Answers the requests.
    pub router: Router,
    /// TLS, where the listener speaks it.
    pub tls: Option<TlsAcceptor>,
    /// Whose word is taken for where a request comes from.
    pub proxies: TrustedProxies,
}

impl Front {
    /// Plain HTTP from clients that are believed to be where they are.
    pub fn plain(router: Router) -> Self {
        Self { router, tls: None, proxies: TrustedProxies::default() }
    }
}

/// Serves `front` on every listener until `stop` turns true, then lets the requests that are
/// under way finish for at most [`DRAIN`].
pub async fn serve(
    listeners: Vec<TcpListener>,
    front: Front,
    metrics: Metrics,
    stop: watch::Receiver<bool>,
) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = Arc::new(GracefulShutdown::new());
    let loops: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            tokio::spawn(accept(
                listener,
                front.clone(),
                metrics.clone(),
                Arc::clone(&slots),
                Arc::clone(&graceful),
                stop.clone(),
            ))
        })
        .collect();
    for accepting in loops {
        let _panicked = accepting.await;
    }
    if let Some(graceful) = Arc::into_inner(graceful)
        && tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err()
    {
        tracing::warn!("some connections did not finish within {} s", DRAIN.as_secs());
    }
}

async fn accept(
    listener: TcpListener,
    front: Front,
    metrics: Metrics,
    slots: Arc<Semaphore>,
    graceful: Arc<GracefulShutdown>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stopping| *stopping) => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: waiting gives one back.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Answers are small and written at once: waiting to fill a segment only adds delay.
        let _unsupported = stream.set_nodelay(true);
        match Arc::clone(&slots).try_acquire_owned() {
            Ok(slot) => {
                let metrics = metrics.clone();
                tokio::spawn(connection(
                    stream,
                    peer,
                    front.clone(),
                    metrics,
                    slot,
                    graceful.watcher(),
                ));
            }
            Err(_full) => {
                metrics.refusals.with_label_values(&["listener", "connections"]).inc();
                // Inside TLS a plain answer would be noise, and a handshake is what there is no
                // room for.
                if front.tls.is_none() {
                    tokio::spawn(turn_away(stream));
                }
            }
        }
    }
}

/// One connection, from its handshake on. Its slot is taken before the first byte: a client that
/// shakes hands for ever has one connection like any other, and not for long.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    front: Front,
    metrics: Metrics,
    slot: OwnedSemaphorePermit,
    watcher: Watcher,
) {
    metrics.connections.inc();
    match &front.tls {
        None => requests(stream, peer, &front, watcher).await,
        Some(tls) => match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => requests(stream, peer, &front, watcher).await,
            // Scanners, old clients and plain HTTP: each client's own affair, but counted, so that
            // a certificate that all of them refuse is seen.
            Ok(Err(error)) => {
                metrics.refusals.with_label_values(&["listener", "handshake"]).inc();
                tracing::debug!(%peer, %error, "no TLS connection came about");
            }
            Err(_elapsed) => {
                metrics.refusals.with_label_values(&["listener", "handshake-time"]).inc();
            }
        },
    }
    metrics.connections.dec();
    drop(slot);
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    front: &Front,
    watcher: Watcher,
) {
    let service = service_fn(|mut request: Request<Incoming>| {
        let client = front.proxies.client(peer.ip(), request.headers());
        request.extensions_mut().insert(client);
        let router = front.router.clone();
        async move { router.oneshot(request.map(Body::new)).await.or_else(never) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    // A client that hangs up or sends no HTTP is its own affair: nothing to report.
    let _client_fault = watcher.watch(connection).await;
}

/// Answers 503 on a connection for which there is no slot: told to come back is better than
/// being cut off.
async fn turn_away(mut stream: TcpStream) {
    let _client_fault = tokio::time::timeout(HEADER_TIMEOUT, async move {
        stream.write_all(TOO_MANY).await?;
        stream.shutdown().await
    })
    .await;
}

fn never<T>(impossible: Infallible) -> Result<T, Infallible> {
    match impossible {}
}

/// How many connections are served at once.
pub const MAX_CONNECTIONS: usize = 4096;

/// How long a client may take for a request's head, the first byte included; an idle connection
/// is closed after the same time.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a client may take for its TLS handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long requests under way may take once the server is told to stop.
pub const DRAIN: Duration = Duration::from_secs(7);

/// A token of 16 KiB and everything else that clients put in a head.
const MAX_HEADER_BYTES: usize = 64 * 1024;

const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/json\r\n\
    retry-after: 2\r\n\
    connection: close\r\n\
    content-length: 68\r\n\r\n\
    {\"code\":14,\"message\":\"too many connections; try again\",\"details\":[]}";
