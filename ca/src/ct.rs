//! The CT log on the wire: RFC 6962 section 4, and the reads of static-ct-api. All below `/ct`.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use formats::digest::{Digest, HashAlgorithm};
use http::{Request, StatusCode};
use merkle::Hash;
use merkle::tile::TreePath;
use serde::Deserialize;
use serde_json::Value;
use tlog::ct::{
    Rejected, accept_chain, accept_pre_chain, get_entries, get_proof_by_hash, get_roots, get_sth,
    get_sth_consistency, sct_json,
};
use tlog::read::ReadError;
use tlog::{Accepted, Submitted, Tree};

use crate::answer::{Refusal, json, json_body, typed};
use crate::logs::CtLog;
use crate::rekor::{answer_checkpoint, blocking, is_full, must_be_on_time, not_logged, octets};

/// The CT log's addresses, without the `/ct` under which they are nested. Submissions are taken
/// at `/ct/v1/` below it as well: Fulcio and static-ct-api append that to a submission prefix.
pub fn routes(log: CtLog) -> Router {
    let submissions = Router::new()
        .route("/v1/add-chain", post(add_chain))
        .route("/v1/add-pre-chain", post(add_pre_chain))
        .route("/v1/get-roots", get(roots));
    Router::new()
        .merge(submissions.clone())
        .nest("/ct", submissions)
        .route("/v1/get-sth", get(sth))
        .route("/v1/get-sth-consistency", get(consistency))
        .route("/v1/get-entries", get(entries))
        .route("/v1/get-proof-by-hash", get(proof_by_hash))
        .route("/checkpoint", get(checkpoint))
        .route("/tile/{*path}", get(tile))
        .route("/issuer/{fingerprint}", get(issuer))
        .with_state(log)
}

async fn add_chain(State(log): State<CtLog>, request: Request<Body>) -> Response {
    submit(&log, request, accept_chain).await.unwrap_or_else(|refusal| refusal.into_response())
}

async fn add_pre_chain(State(log): State<CtLog>, request: Request<Body>) -> Response {
    submit(&log, request, accept_pre_chain).await.unwrap_or_else(|refusal| refusal.into_response())
}

async fn submit(
    log: &CtLog,
    request: Request<Body>,
    accept: fn(&Submitted, &tlog::ct::Authorities) -> Result<Accepted, Rejected>,
) -> Result<Response, Refusal> {
    let body = json_body(request, MAX_REQUEST).await?;
    must_be_on_time(log.clock())?;
    let accepted = accept(&Submitted::new(body.into()), log.authorities())
        .map_err(|rejected| Refusal::bad_request("chain", rejected.to_string()))?;
    let published = log.engine().submit(accepted).await.map_err(|error| not_logged(&error))?;
    let answer = log.sct(&published).and_then(|sct| sct_json(&sct)).map_err(|error| {
        tracing::error!(%error, "no SCT was signed");
        Refusal::internal("ct-key")
    })?;
    Ok(json(StatusCode::OK, &answer))
}

async fn roots(State(log): State<CtLog>) -> Response {
    json(StatusCode::OK, &get_roots(log.authorities()))
}

async fn sth(State(log): State<CtLog>) -> Response {
    answer(move || get_sth(&*log.engine().head(Tree::Ct).ok_or(ReadError::NotFound)?)).await
}

#[derive(Deserialize)]
struct Sizes {
    first: u64,
    second: u64,
}

async fn consistency(State(log): State<CtLog>, query: Parameters<Sizes>) -> Response {
    with(query, |sizes| {
        answer(move || get_sth_consistency(log.engine(), sizes.first, sizes.second))
    })
    .await
}

#[derive(Deserialize)]
struct Range {
    start: u64,
    end: u64,
}

async fn entries(State(log): State<CtLog>, query: Parameters<Range>) -> Response {
    with(query, |range| answer(move || get_entries(log.engine(), range.start, range.end))).await
}

#[derive(Deserialize)]
struct ByHash {
    hash: String,
    tree_size: u64,
}

async fn proof_by_hash(State(log): State<CtLog>, query: Parameters<ByHash>) -> Response {
    with(query, |query| async move {
        let hash = STANDARD.decode(&query.hash).ok();
        let Some(hash) = hash.and_then(|bytes| Hash::try_from(bytes.as_slice()).ok()) else {
            let message = "hash: must be the base64 of 32 bytes";
            return Refusal::bad_request("query", message).into_response();
        };
        answer(move || get_proof_by_hash(log.engine(), &hash, query.tree_size)).await
    })
    .await
}

async fn checkpoint(State(log): State<CtLog>) -> Response {
    answer_checkpoint(log.engine(), Tree::Ct)
}

async fn tile(State(log): State<CtLog>, Path(path): Path<String>) -> Response {
    let Ok(path) = TreePath::parse_ct(&path) else {
        return Refusal::not_found("there is no such tile").into_response();
    };
    let (engine, full) = (log.engine().clone(), is_full(&path));
    blocking(move || match path {
        TreePath::Tile(tile) => engine.tile(Tree::Ct, tile),
        TreePath::Entries { index, width } => engine.data_tile(index, width),
    })
    .await
    .map_or_else(|refusal| refusal.into_response(), |bytes| octets(bytes, full))
}

async fn issuer(State(log): State<CtLog>, Path(fingerprint): Path<String>) -> Response {
    let digest = Digest::from_hex(HashAlgorithm::Sha256, &fingerprint).ok();
    let Some(fingerprint) = digest.and_then(|digest| digest.as_bytes().try_into().ok()) else {
        return Refusal::not_found("there is no such issuer").into_response();
    };
    let engine = log.engine().clone();
    blocking(move || engine.issuer(&fingerprint)).await.map_or_else(
        |refusal| refusal.into_response(),
        |der| typed(StatusCode::OK, "application/pkix-cert", der),
    )
}

type Parameters<T> = Result<Query<T>, axum::extract::rejection::QueryRejection>;

async fn with<T, F: Future<Output = Response>>(
    query: Parameters<T>,
    handle: impl FnOnce(T) -> F,
) -> Response {
    match query {
        Ok(Query(query)) => handle(query).await,
        Err(rejected) => Refusal::bad_request("query", rejected.body_text()).into_response(),
    }
}

async fn answer(read: impl FnOnce() -> Result<Value, ReadError> + Send + 'static) -> Response {
    blocking(read)
        .await
        .map_or_else(|refusal| refusal.into_response(), |value| json(StatusCode::OK, &value))
}

/// Ten certificates of the largest size and their base64.
const MAX_REQUEST: usize = 512 * 1024;
