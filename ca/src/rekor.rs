//! The artifact log on the wire: Rekor v2's one write address, and C2SP tile reads.
//!
//! Reads are answered with and without the prefix `/api/v2`: the specification says one, the
//! monitors ask for the other.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Request, StatusCode};
use merkle::tile::{TILE_WIDTH, TreePath};
use tlog::engine::{Engine, SubmitError};
use tlog::read::ReadError;
use tlog::{Submitted, Tree, rekor2};

use crate::answer::{Refusal, json_body, typed};
use crate::clock::Clock;

/// What the log's addresses work with.
#[derive(Clone)]
struct Rekor {
    engine: Engine,
    log_id: [u8; 32],
    clock: Clock,
}

/// The artifact log's addresses. `log_id` is the ID that the trust root has for it.
pub fn routes(engine: Engine, log_id: [u8; 32], clock: Clock) -> Router {
    Router::new()
        .route("/api/v2/log/entries", post(add))
        .route("/api/v2/checkpoint", get(checkpoint))
        .route("/checkpoint", get(checkpoint))
        .route("/api/v2/tile/{*path}", get(tile))
        .route("/tile/{*path}", get(tile))
        .with_state(Arc::new(Rekor { engine, log_id, clock }))
}

/// 201 with the entry, its proof and a checkpoint that covers it; also when the entry was there
/// before, because clients take nothing but 201 for success.
async fn add(State(rekor): State<Arc<Rekor>>, request: Request<Body>) -> Response {
    match add_entry(&rekor, request).await {
        Ok(answer) => typed(StatusCode::CREATED, "application/json", answer),
        Err(refusal) => refusal.into_response(),
    }
}

async fn add_entry(rekor: &Rekor, request: Request<Body>) -> Result<String, Refusal> {
    let body = json_body(request, MAX_REQUEST).await?;
    must_be_on_time(&rekor.clock)?;
    let accepted = rekor2::accept(&Submitted::new(body.into()))
        .map_err(|rejected| Refusal::bad_request("entry", rejected.to_string()))?;
    let published = rekor.engine.submit(accepted).await.map_err(|error| not_logged(&error))?;
    Ok(rekor2::log_entry(&published, rekor.log_id).to_response_json())
}

async fn checkpoint(State(rekor): State<Arc<Rekor>>) -> Response {
    answer_checkpoint(&rekor.engine, Tree::Rekor2)
}

async fn tile(State(rekor): State<Arc<Rekor>>, Path(path): Path<String>) -> Response {
    let Ok(path) = TreePath::parse(&path) else { return no_tile().into_response() };
    let (engine, full) = (rekor.engine.clone(), is_full(&path));
    blocking(move || match path {
        TreePath::Tile(tile) => engine.tile(Tree::Rekor2, tile),
        TreePath::Entries { index, width } => engine.entry_bundle(Tree::Rekor2, index, width),
    })
    .await
    .map_or_else(|refusal| refusal.into_response(), |bytes| octets(bytes, full))
}

/// The newest checkpoint of a tree.
pub(crate) fn answer_checkpoint(engine: &Engine, tree: Tree) -> Response {
    let Some(head) = engine.head(tree) else {
        return Refusal::not_found("there is no such log here").into_response();
    };
    let mut response = typed(StatusCode::OK, "text/plain; charset=utf-8", head.checkpoint.clone());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Tile bytes: what was once served under a path never changes.
pub(crate) fn octets(bytes: Vec<u8>, full: bool) -> Response {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    // A partial tile may be forgotten by other servers once the full one is there.
    let cache = if full { "max-age=31536000, immutable" } else { "max-age=3600, immutable" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

pub(crate) const fn is_full(path: &TreePath) -> bool {
    match path {
        TreePath::Tile(tile) => tile.width == TILE_WIDTH,
        TreePath::Entries { width, .. } => *width == TILE_WIDTH,
    }
}

/// Runs a read that blocks on the disk beside the threads that answer requests.
///
/// # Errors
/// 404 for what is not there, 400 for a range the log does not have, else 500 or 503.
pub(crate) async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(ReadError::NotFound | ReadError::NoSuchTree { .. })) => Err(no_tile()),
        Ok(Err(error @ ReadError::OutOfRange { .. })) => {
            Err(Refusal::bad_request("range", error.to_string()))
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "the log could not be read");
            Err(Refusal::internal("log-read"))
        }
        Err(error) => {
            tracing::error!(%error, "a read of the log panicked");
            Err(Refusal::internal("log-read"))
        }
    }
}

/// A log whose clock was set takes nothing: what it would sign could not be taken back.
pub(crate) fn must_be_on_time(clock: &Clock) -> Result<(), Refusal> {
    match clock.signing_time() {
        Ok(_) => Ok(()),
        Err(stepped) => Err(Refusal::unavailable("clock", stepped.to_string())),
    }
}

/// What a client is told when its entry was not logged: never that it was.
pub(crate) fn not_logged(error: &SubmitError) -> Refusal {
    match error {
        SubmitError::Overloaded => {
            Refusal::unavailable("overloaded", "the log has as much to do as it can; try again")
        }
        SubmitError::ShuttingDown | SubmitError::Stopped => {
            Refusal::unavailable("stopping", "the server is stopping; try again")
        }
        SubmitError::Store(_)
        | SubmitError::Sign(_)
        | SubmitError::Damaged(_)
        | SubmitError::HeadKeptMoving { .. } => {
            tracing::error!(%error, "an entry was not logged");
            Refusal::unavailable("log", "the log takes nothing just now; try again")
        }
        SubmitError::NoSuchTree { .. }
        | SubmitError::IdentityCollision { .. }
        | SubmitError::TreeFull { .. }
        | SubmitError::Nodes(_)
        | SubmitError::Proof { .. } => {
            tracing::error!(%error, "an entry was not logged");
            Refusal::internal("log")
        }
    }
}

fn no_tile() -> Refusal {
    Refusal::not_found("there is no such thing in the log, or not yet")
}

/// An entry is at most 64 KiB; its DSSE envelope may be larger, since only its digest is logged.
const MAX_REQUEST: usize = 4 * 1024 * 1024;
