//! The accept loop: time-outs, the connection cap and the graceful stop.
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
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt as _;

use crate::metrics::Metrics;

/// Where a connection comes from, as an extension of each of its requests.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Serves `router` on every listener until `stop` turns true, then lets the requests that are
/// under way finish for at most [`DRAIN`].
pub async fn serve(
    listeners: Vec<TcpListener>,
    router: Router,
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
                router.clone(),
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
    router: Router,
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
                connection(stream, peer, router.clone(), metrics.clone(), slot, &graceful);
            }
            Err(_full) => {
                metrics.refusals.with_label_values(&["listener", "connections"]).inc();
                tokio::spawn(turn_away(stream));
            }
        }
    }
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    metrics: Metrics,
    slot: OwnedSemaphorePermit,
    graceful: &GracefulShutdown,
) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let router = router.clone();
        async move { router.oneshot(request.map(Body::new)).await.or_else(never) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let connection = graceful.watch(connection);
    metrics.connections.inc();
    tokio::spawn(async move {
        // A client that hangs up or sends no HTTP is its own affair: nothing to report.
        let _client_fault = connection.await;
        metrics.connections.dec();
        drop(slot);
    });
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
