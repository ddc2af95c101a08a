//! Joins the faces of the instance on one router: certificate authority, logs, timestamps, trust
//! files, health, and in development the identity provider and the metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use merkle::note::key_id_ecdsa;
use tlog::engine::Engine;
use tracing::Instrument as _;

use crate::answer::{self, Reason, Refusal};
use crate::audit::Strangers;
use crate::broker::Broker;
use crate::clock::Clock;
use crate::config::Config;
use crate::failure::Failure;
use crate::fulcio::{self, ChainText, Fulcio};
use crate::health::{self, Health};
use crate::instance::Instance;
use crate::issue::Authority;
use crate::keys::Role;
use crate::limits::{self, Limits};
use crate::metrics::Metrics;
use crate::oidc_dev::DevIssuer;
use crate::proof::KeyRule;
use crate::reload::{Current, Part, Step};
use crate::rotation::{ROTATED, Rotation};
use crate::timestamp::{self, TimestampAuthority};
use crate::tls::Tls;
use crate::trust::TrustFiles;
use crate::tuf::renew::Renewal;
use crate::tuf::serve::Shelf;
use crate::{ct, logs, rekor, tuf};

/// What is served.
pub struct Faces {
    /// Every face; in development `/metrics` too.
    pub router: Router,
    /// What is counted.
    pub metrics: Metrics,
    /// `/metrics` alone, for its own listener.
    pub metrics_router: Router,
    /// What follows a changed ca.toml.
    pub parts: Vec<Box<dyn Part>>,
    /// Keeps the TUF repository alive for as long as it runs.
    pub renewal: Renewal,
}

/// Joins the faces of `instance` over the open logs. `development` is the identity provider
/// of `ca dev`; `tls` is what the listener shows, for readiness.
///
/// # Errors
/// When a part refuses its configuration.
pub fn join(
    instance: &Instance,
    engine: &Engine,
    clock: &Clock,
    development: Option<&DevIssuer>,
    tls: Option<Arc<Tls>>,
) -> Result<Faces, Failure> {
    let metrics = Metrics::new()?;
    let broker = Broker::open(&instance.dir, &instance.config, development, clock.as_seconds())?;
    let identities =
        broker.door(&broker.settings(), instance.config.issuers.clone(), clock.as_seconds())?;
    identities.keep_warm();

    let ct_log = logs::ct_log(instance, engine, clock)?;
    let authority = Authority::new(
        instance.authority.clone(),
        Arc::clone(&instance.issuing_key),
        ct_log.clone(),
        clock.clone(),
    )?;
    let limits = Arc::new(limits_of(&instance.config, development));
    let fulcio = Arc::new(Fulcio {
        identities: Current::new(identities),
        limits: Arc::clone(&limits),
        authority,
        allowed_keys: KeyRule::DEFAULTS.to_vec(),
        strangers: Strangers::default(),
        chains: instance.authorities(),
        chain: ChainText::of(&instance.authority),
        metrics: metrics.clone(),
    });
    let pinned = Arc::downgrade(&fulcio);
    let own_issuer = broker.issuer().to_owned();
    broker.on_new_keys(move |jwks| {
        let Some(fulcio) = pinned.upgrade() else { return };
        if let Err(error) = fulcio.identities.get().pin_keys(&own_issuer, jwks) {
            tracing::error!(%error, "the next key of the sign-in is not trusted");
        }
    });
    let timestamps = Arc::new(TimestampAuthority::open(instance, engine, clock, &metrics)?);
    let shelf = Shelf::open(&tuf::folder(&instance.dir))?;
    let renewal = Renewal::new(instance, shelf.clone(), clock.clone(), metrics.clone());
    let health = Arc::new(Health {
        tuf: shelf.clone(),
        fulcio: Arc::clone(&fulcio),
        timestamps: Arc::clone(&timestamps),
        engine: engine.clone(),
        clock: clock.clone(),
        metrics: metrics.clone(),
        tls,
    });
    let metrics_router = metrics_routes(&health);
    let files =
        Arc::new(Current::new(TrustFiles::of(instance, development.map(DevIssuer::issuer))));
    let parts: Vec<Box<dyn Part>> = vec![
        Box::new(follow_issuers(&fulcio, clock, &broker)),
        Box::new(follow_limits(&limits)),
        Box::new(follow_files(&files, instance, clock, development)),
        Box::new(renewal.follow()),
    ];

    let log_id = key_id_ecdsa(instance.log_key.public_key().spki_der());
    let mut router = Router::new()
        .merge(fulcio::routes(fulcio))
        .merge(rekor::routes(engine.clone(), log_id, clock.clone()))
        .merge(timestamp::routes(timestamps))
        .nest("/ct", ct::routes(ct_log))
        .merge(trust_routes(&files))
        .merge(tuf::serve::routes(shelf))
        .merge(health::routes(health));
    router = router.nest("/oidc", broker.router());
    if development.is_some() {
        router = router.merge(metrics_router.clone());
    }
    let watched = Arc::new(Watch { metrics: metrics.clone(), ids: RequestIds::new()? });
    let router = router
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(limits, limits::by_address))
        .layer(middleware::from_fn_with_state(watched, watch));
    let router = by_host(router, instance.faces.ct_host.clone());
    Ok(Faces { router, metrics, metrics_router, parts, renewal })
}

fn follow_issuers(fulcio: &Arc<Fulcio>, clock: &Clock, broker: &Broker) -> impl Part + use<> {
    let (fulcio, clock, broker) = (Arc::clone(fulcio), clock.clone(), broker.clone());
    move |config: &Config| -> Result<Step, Failure> {
        let sign_in = broker.prepare(config)?;
        let issuers = config.issuers.clone();
        let mut new = broker.door(&sign_in, issuers, clock.as_seconds())?;
        new.take_over_keys(&fulcio.identities.get());
        let (fulcio, broker) = (Arc::clone(&fulcio), broker.clone());
        Ok(Box::new(move || {
            new.keep_warm();
            fulcio.identities.put(new);
            broker.put(sign_in);
        }))
    }
}

fn limits_of(config: &Config, development: Option<&DevIssuer>) -> Limits {
    if development.is_some() {
        return Limits::none();
    }
    Limits::new(&config.limits, addresses_known(config), &Limits::clock())
}

fn follow_limits(limits: &Arc<Limits>) -> impl Part + use<> {
    let limits = Arc::clone(limits);
    move |config: &Config| -> Result<Step, Failure> {
        let (limits, wanted, known) = (Arc::clone(&limits), config.limits, addresses_known(config));
        Ok(Box::new(move || limits.follow(&wanted, known)))
    }
}

/// Behind a proxy whose word is not taken every client would be the proxy.
fn addresses_known(config: &Config) -> bool {
    !config.listen.behind_proxy || !config.listen.trusted_proxies.is_empty()
}

/// The signing configuration names an issuer, so that it follows them.
fn follow_files(
    files: &Arc<Current<TrustFiles>>,
    instance: &Instance,
    clock: &Clock,
    development: Option<&DevIssuer>,
) -> impl Part + use<> {
    let (files, instance, clock) = (Arc::clone(files), instance.clone(), clock.clone());
    let development = development.map(|issuer| issuer.issuer().to_owned());
    move |config: &Config| -> Result<Step, Failure> {
        let rotation = Rotation::read(&instance.dir)?;
        let switched = |role: &Role| rotation.number(*role) != instance.rotation.number(*role);
        if let Some(role) = ROTATED.into_iter().find(switched) {
            let name = role.name();
            return Err(format!("the {name} key was switched, which needs a restart").into());
        }
        let instance = Instance { config: config.clone(), rotation, ..instance.clone() };
        let new = TrustFiles::of(&instance, development.as_deref());
        let (files, now) = (Arc::clone(&files), clock.now());
        Ok(Box::new(move || {
            // What is served is right all the same, and a restart writes it again.
            let written = new.publish(&instance.public()).map_err(Failure::from);
            if let Err(error) = written.and_then(|()| Ok(tuf::publish(&instance, now)?)) {
                tracing::error!(%error, "the trust files were not written after a reload");
            }
            files.put(new);
        }))
    }
}

fn trust_routes(files: &Arc<Current<TrustFiles>>) -> Router {
    let names = files.get().named().map(|(name, _)| name);
    names.into_iter().enumerate().fold(Router::new(), |router, (place, name)| {
        let files = Arc::clone(files);
        let serve = move || async move {
            let text = files.get().named()[place].1.to_owned();
            answer::typed(StatusCode::OK, "application/json", text)
        };
        router.route(&format!("/{name}"), get(serve))
    })
}

fn metrics_routes(health: &Arc<Health>) -> Router {
    let serve = |State(health): State<Arc<Health>>| async move {
        health.problems();
        health.metrics.take_over(health.engine.metrics());
        answer::typed(StatusCode::OK, "text/plain; version=0.0.4", health.metrics.render())
    };
    Router::new().route("/metrics", get(serve)).with_state(Arc::clone(health))
}

async fn nothing_here(request: Request) -> Refusal {
    let path = answer::printable(request.uri().path());
    Refusal::not_found(format!("there is nothing at {path}"))
}

async fn wrong_method(request: Request) -> Response {
    let message = format!(
        "{} is not taken here; the Allow header says what is",
        answer::printable(request.method().as_str())
    );
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", message).into_response()
}

/// Reads requests that name the CT log's own host as if their path began with `/ct`.
fn by_host(router: Router, ct_host: Option<String>) -> Router {
    let Some(ct_host) = ct_host else { return router };
    let ct_host: Arc<str> = ct_host.into();
    // A layer on the router would run after routing; the path must change before it.
    let rewrite = move |mut request: Request| {
        let host = request.headers().get(http::header::HOST);
        if host.is_some_and(|host| host.as_bytes().eq_ignore_ascii_case(ct_host.as_bytes()))
            && let Some(uri) = below_ct(request.uri())
        {
            *request.uri_mut() = uri;
        }
        let router = router.clone();
        async move { tower::ServiceExt::oneshot(router, request).await }
    };
    Router::new().fallback_service(tower::service_fn(rewrite))
}

fn below_ct(uri: &Uri) -> Option<Uri> {
    let path = format!("/ct{}", uri.path_and_query().map_or("/", PathAndQuery::as_str));
    path.parse().ok()
}

struct Watch {
    metrics: Metrics,
    ids: RequestIds,
}

/// Counts, names and logs each request. Paths and tokens stay out of the labels and the log.
async fn watch(State(watch): State<Arc<Watch>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = watch.ids.next();
    let (method, face) = (known_method(request.method()), face(request.uri().path()));
    // Whatever is logged on the way carries the id.
    let span = tracing::error_span!("request", id, face);
    let mut response = next.run(request).instrument(span.clone()).await;
    let _logged_with_id = span.enter();
    let seconds = started.elapsed().as_secs_f64();
    let status = response.status();
    let code = status.as_str();

    watch.metrics.http_requests.with_label_values(&[code, method]).inc();
    watch.metrics.face_latency.with_label_values(&[face]).observe(seconds);
    if face == "ca" {
        watch.metrics.api_latency.with_label_values(&[code, method]).observe(seconds);
    }
    let reason = response.extensions().get::<Reason>().map_or("", |reason| reason.0);
    if !reason.is_empty() {
        watch.metrics.refusals.with_label_values(&[face, reason]).inc();
    }
    let micros = started.elapsed().as_micros();
    if status.is_server_error() {
        tracing::error!(method, status = status.as_u16(), reason, micros, "answered");
    } else if status.is_client_error() {
        tracing::info!(method, status = status.as_u16(), reason, micros, "answered");
    } else {
        tracing::debug!(method, status = status.as_u16(), micros, "answered");
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Which face a path belongs to: a fixed set, whatever the path.
fn face(path: &str) -> &'static str {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
    if starts(&["/api/v2/log", "/api/v2/checkpoint", "/api/v2/tile", "/checkpoint", "/tile"]) {
        "log"
    } else if starts(&["/api/v1/timestamp"]) {
        "tsa"
    } else if starts(&["/api/v1/", "/api/v2/"]) {
        "ca"
    } else if starts(&["/ct/"]) {
        "ct"
    } else if starts(&["/tuf/"]) {
        "tuf"
    } else if starts(&["/oidc/"]) {
        "oidc"
    } else {
        "other"
    }
}

fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "get",
        Method::POST => "post",
        Method::HEAD => "head",
        _ => "other",
    }
}

/// Request ids: a random start that tells runs of the server apart, and a count.
struct RequestIds {
    run: u32,
    count: AtomicU64,
}

impl RequestIds {
    fn new() -> Result<Self, getrandom::Error> {
        let mut run = [0_u8; 4];
        getrandom::fill(&mut run)?;
        Ok(Self { run: u32::from_be_bytes(run), count: AtomicU64::new(0) })
    }

    fn next(&self) -> String {
        format!("{:08x}-{:x}", self.run, self.count.fetch_add(1, Ordering::Relaxed))
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
