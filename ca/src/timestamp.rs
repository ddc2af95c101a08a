//! The timestamp authority: RFC 3161 over HTTP, and the JSON request of sigstore-js.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use formats::certificate::{Certificate, SignatureAlgorithm};
use formats::digest::{Digest, HashAlgorithm};
use formats::json::{self, Base64};
use formats::timestamp::{
    PkiFailure, RequestError, TimestampRequest, TokenTemplate, build_token, granted_response,
    integer_content, rejection,
};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Request, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use tlog::engine::Engine;
use tokio::sync::Mutex;

use crate::answer::{Reason, Refusal, body, media_type, printable, typed};
use crate::clock::Clock;
use crate::failure::Failure;
use crate::instance::Instance;
use crate::keys::{SignFailed, Signer};
use crate::metrics::Metrics;
use crate::profile::random_serial;

/// Signs timestamps.
pub struct TimestampAuthority {
    chain: Vec<Certificate>,
    key: Arc<dyn Signer>,
    clock: Clock,
    mark: Mark,
    metrics: Metrics,
}

/// The TSA's addresses.
pub fn routes(authority: Arc<TimestampAuthority>) -> Router {
    Router::new()
        .route("/api/v1/timestamp", post(timestamp))
        .route("/api/v1/timestamp/certchain", get(chain))
        .with_state(authority)
}

async fn timestamp(
    State(authority): State<Arc<TimestampAuthority>>,
    request: Request<Body>,
) -> Response {
    let form = match media_type(request.headers()) {
        Some("application/timestamp-query") => Form::Der,
        Some("application/json") => Form::Json,
        other => return unsupported(other).into_response(),
    };
    let query = match form {
        Form::Der => body(request, MAX_DER).await.map(|der| from_der(&der)),
        Form::Json => body(request, MAX_JSON).await.map(|text| from_json(&text)),
    };
    let answer = match query {
        Ok(Ok(query)) => authority.answer(&query).await,
        Ok(Err(refused)) => Err(refused),
        Err(refusal) => Err(Refused::Wire(refusal)),
    };
    match answer {
        Ok(token) => {
            authority.metrics.timestamps.inc();
            reply(StatusCode::OK, granted_response(&token))
        }
        Err(Refused::Wire(refusal)) => refusal.into_response(),
        // Only a query that was understood gets an answer in RFC 3161's own form.
        Err(Refused::Query(failure, text)) => {
            let mut response = reply(StatusCode::BAD_REQUEST, rejection(failure, &text));
            response.extensions_mut().insert(Reason("query"));
            response
        }
    }
}

async fn chain(State(authority): State<Arc<TimestampAuthority>>) -> Response {
    let pem: String = authority.chain.iter().map(Certificate::to_pem).collect();
    let mut response = typed(StatusCode::OK, "application/pem-certificate-chain", pem);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    response
}

impl TimestampAuthority {
    /// Opens the authority of an instance; the time of its last timestamp is in the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(
        instance: &Instance,
        engine: &Engine,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Result<Self, Failure> {
        Ok(Self {
            chain: instance.timestamp.clone(),
            key: Arc::clone(&instance.timestamp_key),
            clock: clock.clone(),
            mark: Mark::open(engine.clone())?,
            metrics: metrics.clone(),
        })
    }

    /// What keeps it from signing, if anything does; `now` in Unix seconds.
    pub fn problem(&self, now: i64) -> Option<String> {
        if let Some(ended) = self.chain.iter().find(|certificate| certificate.not_after() < now) {
            return Some(format!("its certificate ended at {}", ended.not_after()));
        }
        let mark = self.mark.seconds.load(Ordering::Acquire);
        (now < mark).then(|| format!("the clock is {} s behind its last timestamp", mark - now))
    }

    async fn answer(&self, query: &TimestampRequest) -> Result<Vec<u8>, Refused> {
        let unavailable = |message: String| {
            Refused::Wire(Refusal::unavailable("time", format!("no timestamp: {message}")))
        };
        query.check_policy(&[POLICY]).map_err(Refused::from)?;
        let now = self.clock.signing_time().map_err(|error| unavailable(error.to_string()))?;
        if let Some(problem) = self.problem(now) {
            return Err(unavailable(problem));
        }
        self.mark.reach(now).await.map_err(Refused::Wire)?;
        let serial = random_serial()
            .map_err(|_unavailable| Refused::Wire(Refusal::internal("randomness")))?;
        let certificates = if query.cert_req { &self.chain[..1] } else { &[] };
        let template = TokenTemplate {
            request: query,
            policy: POLICY,
            serial: &serial,
            gen_time: now,
            accuracy_seconds: Some(1),
            signer: &self.chain[0],
            certificates,
            signature_algorithm: SignatureAlgorithm::EcdsaSha256,
        };
        build_token(&template, |attributes| self.key.sign(attributes)).map_err(
            |error: formats::timestamp::BuildError<SignFailed>| {
                tracing::error!(%error, "no timestamp was signed");
                Refused::Wire(Refusal::internal("tsa-key"))
            },
        )
    }
}

/// The latest second that was put into a timestamp, durable before the first token of that second
/// leaves: after a crash and a clock that came back wrong, time still does not run backwards.
struct Mark {
    seconds: AtomicI64,
    renewing: Mutex<()>,
    engine: Engine,
}

impl Mark {
    fn open(engine: Engine) -> Result<Self, Failure> {
        let stored = engine.value(MARK_NAME)?;
        let seconds = match stored {
            None => i64::MIN,
            Some(bytes) => i64::from_be_bytes(
                bytes.try_into().map_err(|_length| "the stored time of the TSA is damaged")?,
            ),
        };
        Ok(Self { seconds: AtomicI64::new(seconds), renewing: Mutex::new(()), engine })
    }

    /// Returns once `now` is durable: at most one store write a second, whatever the load.
    async fn reach(&self, now: i64) -> Result<(), Refusal> {
        if now <= self.seconds.load(Ordering::Acquire) {
            return Ok(());
        }
        let _renewing = self.renewing.lock().await;
        if now <= self.seconds.load(Ordering::Acquire) {
            return Ok(());
        }
        let stored = self.engine.put_value(MARK_NAME, now.to_be_bytes().to_vec()).await;
        stored.map_err(|error| {
            tracing::error!(%error, "the time of the TSA could not be stored");
            Refusal::unavailable("store", "no timestamp: its time could not be stored")
        })?;
        self.seconds.fetch_max(now, Ordering::AcqRel);
        Ok(())
    }
}

enum Form {
    Der,
    Json,
}

enum Refused {
    Query(PkiFailure, String),
    Wire(Refusal),
}

impl From<RequestError> for Refused {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Der(_) | RequestError::TooLarge { .. } => {
                Self::Wire(Refusal::bad_request("query", error.to_string()))
            }
            understood => Self::Query(understood.failure(), understood.to_string()),
        }
    }
}

fn from_der(der: &[u8]) -> Result<TimestampRequest, Refused> {
    Ok(TimestampRequest::from_der(der)?)
}

/// The JSON request of the Sigstore timestamp authority.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct JsonQuery<'a> {
    artifact_hash: Base64,
    hash_algorithm: String,
    #[serde(default)]
    certificates: bool,
    #[serde(borrow)]
    nonce: Option<&'a RawValue>,
    #[serde(rename = "tsaPolicyOID")]
    policy: Option<String>,
}

fn from_json(text: &[u8]) -> Result<TimestampRequest, Refused> {
    let refuse = |field: &str, message: String| {
        Refused::Wire(Refusal::bad_request("query", format!("{field}: {message}")))
    };
    let query: JsonQuery<'_> =
        json::from_slice(text).map_err(|error| refuse("the body", error.to_string()))?;
    let algorithm = match query.hash_algorithm.to_ascii_lowercase().as_str() {
        "sha256" => HashAlgorithm::Sha256,
        "sha384" => HashAlgorithm::Sha384,
        "sha512" => HashAlgorithm::Sha512,
        other => {
            let message = format!("{} is not sha256, sha384 or sha512", printable(other));
            return Err(refuse("hashAlgorithm", message));
        }
    };
    let digest = Digest::new(algorithm, &query.artifact_hash.0)
        .map_err(|error| refuse("artifactHash", error.to_string()))?;
    let mut request = TimestampRequest::for_digest(digest);
    request.cert_req = query.certificates;
    request.policy = query.policy;
    if let Some(nonce) = query.nonce {
        let value: u128 = nonce.get().parse().map_err(|_malformed| {
            refuse("nonce", "must be a whole number below 2^128".to_owned())
        })?;
        request.nonce = Some(integer_content(&value.to_be_bytes()));
    }
    Ok(request)
}

fn reply(status: StatusCode, der: Vec<u8>) -> Response {
    let mut response = typed(status, "application/timestamp-reply", der);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn unsupported(found: Option<&str>) -> Refusal {
    Refusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "content-type",
        format!(
            "this address takes application/timestamp-query or application/json, not {}",
            found.map_or_else(|| "a body without a content type".to_owned(), printable)
        ),
    )
}

/// The policy of Sigstore's timestamp authorities.
const POLICY: &str = "1.3.6.1.4.1.57264.2";

const MARK_NAME: &str = "tsa-last-second";
const MAX_DER: usize = formats::limits::MAX_TIMESTAMP_REQUEST_BYTES;
const MAX_JSON: usize = 1024;
