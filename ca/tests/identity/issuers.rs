//! Where an issuer's keys come from, and when: a real issuer on a real socket that can be told to
//! rotate, hang, lie and redirect, and a clock that the test moves.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ca::identity::config::KeysFrom;
use ca::identity::{
    Clock, FetchFault, Identities, IssuerConfig, IssuerKind, Token, TokenRefusal, VerifiedIdentity,
};
use ca::oidc_dev::DevIssuer;
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const START: i64 = 1_800_000_000;

static KEYS: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..2).map(|_| DevIssuer::generate_key().unwrap().to_string()).collect());

/// An issuer on a socket of 127.0.0.1, its clock, and what was asked of it.
struct World {
    url: String,
    issuer: Arc<Issuer>,
    identities: Arc<Identities>,
    now: Arc<AtomicI64>,
}

#[derive(Default)]
struct Issuer {
    discovery: Mutex<Answer>,
    jwks: Mutex<Answer>,
    discovery_hits: AtomicUsize,
    jwks_hits: AtomicUsize,
    paths: Mutex<Vec<String>>,
    bearers: Mutex<Vec<Option<String>>>,
}

#[derive(Clone, Default)]
enum Answer {
    #[default]
    Missing,
    Json(String),
    Redirect(String),
    Status(u16),
    Endless,
    Hang,
    Slow(Duration, String),
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// An issuer whose entry has something more than its URL.
    async fn with(change: impl FnOnce(&mut IssuerConfig)) -> Self {
        let issuer = Arc::new(Issuer::default());
        let url = serve(Arc::clone(&issuer)).await;
        let now = Arc::new(AtomicI64::new(START));
        let mut config = IssuerConfig::new(url.clone(), "sigstore", IssuerKind::Email);
        change(&mut config);
        let identities = Identities::new(vec![config], clock(&now)).unwrap();
        let world = Self { url, issuer, identities: Arc::new(identities), now };
        world.publish(0);
        *world.issuer.discovery.lock().unwrap() =
            world.discovery_of(&world.url, &format!("{}/jwks", world.url));
        world
    }

    fn discovery_of(&self, issuer: &str, jwks_uri: &str) -> Answer {
        Answer::Json(json!({ "issuer": issuer, "jwks_uri": jwks_uri }).to_string())
    }

    fn dev(&self, key: usize) -> DevIssuer {
        DevIssuer::new(&self.url, &KEYS[key], clock(&self.now)).unwrap()
    }

    fn jwks_of(&self, key: usize) -> String {
        String::from_utf8(self.dev(key).jwks().to_vec()).unwrap()
    }

    fn publish(&self, key: usize) {
        self.answer(Answer::Json(self.jwks_of(key)));
    }

    fn answer(&self, answer: Answer) {
        *self.issuer.jwks.lock().unwrap() = answer;
    }

    fn discover(&self, answer: Answer) {
        *self.issuer.discovery.lock().unwrap() = answer;
    }

    fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    fn fetches(&self) -> usize {
        self.issuer.jwks_hits.load(Ordering::SeqCst)
    }

    fn token(&self, key: usize) -> String {
        self.dev(key).token("alice@example.com", "sigstore").unwrap()
    }

    fn token_with_kid(&self, kid: &str) -> String {
        let header = json!({ "alg": "RS256", "kid": kid }).to_string();
        self.dev(0).sign(header.as_bytes(), self.claims().to_string().as_bytes()).unwrap()
    }

    fn claims(&self) -> Value {
        let now = self.now.load(Ordering::SeqCst);
        json!({
            "iss": self.url, "sub": "s", "aud": "sigstore", "iat": now, "exp": now + 600,
            "email": "alice@example.com", "email_verified": true,
        })
    }

    async fn verify(&self, token: &str) -> Result<VerifiedIdentity, TokenRefusal> {
        self.identities.verify(&Token::from_bytes(token.as_bytes()).unwrap()).await
    }

    fn misbehaves(&self, fault: FetchFault) -> Result<VerifiedIdentity, TokenRefusal> {
        Err(TokenRefusal::IssuerMisbehaves { issuer: self.url.clone(), fault })
    }

    fn unreachable(&self, fault: FetchFault) -> Result<VerifiedIdentity, TokenRefusal> {
        Err(TokenRefusal::IssuerUnreachable { issuer: self.url.clone(), fault })
    }
}

fn clock(now: &Arc<AtomicI64>) -> Clock {
    let now = Arc::clone(now);
    Arc::new(move || now.load(Ordering::SeqCst))
}

async fn serve(issuer: Arc<Issuer>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(respond).with_state(issuer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn respond(State(issuer): State<Arc<Issuer>>, request: Request) -> Response {
    let path = request.uri().to_string();
    issuer.paths.lock().unwrap().push(path.clone());
    let bearer = request.headers().get(header::AUTHORIZATION);
    let bearer = bearer.map(|value| value.to_str().unwrap().to_owned());
    issuer.bearers.lock().unwrap().push(bearer);
    let answer = if path == "/.well-known/openid-configuration" {
        issuer.discovery_hits.fetch_add(1, Ordering::SeqCst);
        issuer.discovery.lock().unwrap().clone()
    } else {
        issuer.jwks_hits.fetch_add(1, Ordering::SeqCst);
        issuer.jwks.lock().unwrap().clone()
    };
    match answer {
        Answer::Missing => StatusCode::NOT_FOUND.into_response(),
        Answer::Json(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Answer::Redirect(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Answer::Endless => Body::new(Endless).into_response(),
        Answer::Hang => std::future::pending().await,
        Answer::Slow(pause, body) => {
            tokio::time::sleep(pause).await;
            body.into_response()
        }
    }
}

/// A body without an end.
struct Endless;

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; 8192])))))
    }
}

#[tokio::test]
async fn keys_are_read_once_and_shared() {
    let world = World::new().await;
    let token = world.token(0);
    let first: Vec<_> = (0..50)
        .map(|_| {
            let (identities, token) = (Arc::clone(&world.identities), token.clone());
            tokio::spawn(async move {
                identities.verify(&Token::from_bytes(token.as_bytes()).unwrap()).await
            })
        })
        .collect();
    for task in first {
        assert!(task.await.unwrap().is_ok());
    }
    assert_eq!(world.fetches(), 1);
    world.pass(299);
    assert!(world.verify(&world.token(0)).await.is_ok());
    assert_eq!(world.fetches(), 1);
    world.pass(1);
    assert!(world.verify(&world.token(0)).await.is_ok());
    assert_eq!(world.fetches(), 2);
}

#[tokio::test]
async fn jwks_refetch_rationed() {
    let world = World::new().await;
    assert!(world.verify(&world.token(0)).await.is_ok());
    let flood = async |from: usize| {
        for kid in from..from + 200 {
            let refusal =
                world.verify(&world.token_with_kid(&format!("k{kid}"))).await.unwrap_err();
            assert_eq!(refusal.code(), "token-key-unknown");
        }
    };
    flood(0).await;
    world.pass(10);
    flood(1000).await;
    assert_eq!(world.fetches(), 1);
    world.pass(20);
    flood(2000).await;
    assert_eq!(world.fetches(), 2);
    world.pass(29);
    flood(3000).await;
    assert_eq!(world.fetches(), 2);
}

#[tokio::test]
async fn a_new_key_is_found() {
    let world = World::new().await;
    assert!(world.verify(&world.token(0)).await.is_ok());
    world.publish(1);
    assert_eq!(
        world.verify(&world.token(1)).await,
        Err(TokenRefusal::KeyUnknown {
            issuer: world.url.clone(),
            fetched_at: START,
            retry_seconds: 30
        })
    );
    world.pass(30);
    assert!(world.verify(&world.token(1)).await.is_ok());
    assert_eq!(world.fetches(), 2);
    // The other way round: a token without kid under a key that is new.
    world.publish(0);
    world.pass(30);
    let header = json!({ "alg": "RS256" }).to_string();
    let claims = world.claims().to_string();
    let token = world.dev(0).sign(header.as_bytes(), claims.as_bytes()).unwrap();
    assert!(world.verify(&token).await.is_ok());
    assert_eq!(world.fetches(), 3);
}

#[tokio::test]
async fn jwks_removed_key_dies() {
    let world = World::new().await;
    assert!(world.verify(&world.token(0)).await.is_ok());
    world.publish(1);
    world.pass(299);
    assert!(world.verify(&world.token(0)).await.is_ok());
    world.pass(1);
    let refusal = world.verify(&world.token(0)).await.unwrap_err();
    assert_eq!(refusal.code(), "token-key-unknown");
}

#[tokio::test]
async fn keys_outlive_an_outage_for_an_hour() {
    let world = World::new().await;
    assert!(world.verify(&world.token(0)).await.is_ok());
    world.answer(Answer::Status(500));
    world.pass(3599);
    assert!(world.verify(&world.token(0)).await.is_ok());
    assert_eq!(world.fetches(), 2, "it was tried");
    assert!(world.verify(&world.token(0)).await.is_ok());
    assert_eq!(world.fetches(), 2, "and not tried again at once");
    let status = &world.identities.status()[0];
    assert_eq!((status.usable_keys, status.fetched_at), (1, Some(START)));
    assert_eq!(status.fault, Some(FetchFault::Status { status: 500 }));

    world.pass(31);
    let outage = world.verify(&world.token(0)).await;
    assert_eq!(outage, world.unreachable(FetchFault::Status { status: 500 }));
    assert!(outage.unwrap_err().is_our_side());
    assert_eq!(world.identities.status()[0].usable_keys, 0);
    // Back again, after the shorter pause that applies without keys.
    world.publish(0);
    world.pass(4);
    assert!(world.verify(&world.token(0)).await.is_err());
    world.pass(1);
    assert!(world.verify(&world.token(0)).await.is_ok());
    assert_eq!(world.identities.status()[0].fault, None);
}

#[tokio::test]
async fn a_valid_token_is_served_while_the_issuer_hangs() {
    let world = World::new().await;
    assert!(world.verify(&world.token(0)).await.is_ok());
    world.answer(Answer::Hang);
    world.pass(30);
    let (identities, unknown) = (Arc::clone(&world.identities), world.token_with_kid("new"));
    let waiting = tokio::spawn(async move {
        identities.verify(&Token::from_bytes(unknown.as_bytes()).unwrap()).await
    });
    while world.fetches() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let started = Instant::now();
    assert!(world.verify(&world.token(0)).await.is_ok());
    // Past the time to live too: one caller waits for the flight, the others do not.
    world.pass(300);
    assert!(world.verify(&world.token(0)).await.is_ok());
    assert!(started.elapsed() < Duration::from_secs(1));
    assert!(!waiting.is_finished());
    assert_eq!(waiting.await.unwrap().unwrap_err().code(), "token-key-unknown");
    assert_eq!(world.identities.status()[0].fault, Some(FetchFault::TimeOut));
}

#[tokio::test]
async fn a_caller_who_hangs_up_takes_nothing_away() {
    let world = World::new().await;
    world.answer(Answer::Slow(Duration::from_millis(300), world.jwks_of(0)));
    let token = world.token(0);
    let hung_up = tokio::time::timeout(Duration::from_millis(100), world.verify(&token)).await;
    assert!(hung_up.is_err());
    assert!(world.verify(&token).await.is_ok());
    assert_eq!(world.fetches(), 1);
}

#[tokio::test]
async fn a_hanging_issuer_is_an_outage_after_five_seconds() {
    let world = World::new().await;
    world.discover(Answer::Hang);
    let started = Instant::now();
    assert_eq!(world.verify(&world.token(0)).await, world.unreachable(FetchFault::TimeOut));
    let took = started.elapsed();
    assert!((4.5..7.0).contains(&took.as_secs_f64()), "{took:?}");
}

#[tokio::test]
async fn an_absent_issuer_is_an_outage() {
    let world = World::new().await;
    // A port that was just free.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let config = IssuerConfig::new(url.clone(), "sigstore", IssuerKind::Email);
    let identities = Identities::new(vec![config], clock(&world.now)).unwrap();
    let dev = DevIssuer::new(&url, &KEYS[0], clock(&world.now)).unwrap();
    let token = dev.token("alice@example.com", "sigstore").unwrap();
    let refusal = identities.verify(&Token::new(token.into_bytes()).unwrap()).await.unwrap_err();
    let expected = TokenRefusal::IssuerUnreachable { issuer: url, fault: FetchFault::Connect };
    assert_eq!(refusal, expected);
    assert!(refusal.is_our_side());
}

#[tokio::test]
async fn endless_and_oversized_documents_are_cut() {
    let world = World::new().await;
    world.answer(Answer::Endless);
    assert_eq!(world.verify(&world.token(0)).await, world.misbehaves(FetchFault::TooLarge));

    let world = World::new().await;
    world.discover(Answer::Endless);
    assert_eq!(world.verify(&world.token(0)).await, world.misbehaves(FetchFault::TooLarge));

    // Just under the cap, and just over.
    for (length, fits) in [(256 * 1024, true), (256 * 1024 + 1, false)] {
        let world = World::new().await;
        let mut jwks = world.jwks_of(0);
        jwks.push_str(&" ".repeat(length - jwks.len()));
        world.answer(Answer::Json(jwks));
        let verdict = world.verify(&world.token(0)).await;
        assert_eq!(verdict.is_ok(), fits);
        if !fits {
            assert_eq!(verdict, world.misbehaves(FetchFault::TooLarge));
        }
    }
}

#[tokio::test]
async fn discovery_stays_on_host() {
    let elsewhere = World::new().await;
    for status_world in [true, false] {
        let world = World::new().await;
        let there = format!("{}/x", elsewhere.url);
        if status_world {
            world.discover(Answer::Redirect(there));
        } else {
            world.answer(Answer::Redirect(there));
        }
        let refusal = world.verify(&world.token(0)).await;
        assert_eq!(refusal, world.misbehaves(FetchFault::Redirect));
        assert!(!refusal.unwrap_err().is_our_side());
    }
    assert!(elsewhere.issuer.paths.lock().unwrap().is_empty(), "nobody went there");

    // To a metadata service, by a redirect and by jwks_uri: no packet, so no waiting.
    let world = World::new().await;
    world.answer(Answer::Redirect("http://169.254.169.254/latest/meta-data".to_owned()));
    assert_eq!(world.verify(&world.token(0)).await, world.misbehaves(FetchFault::Redirect));
    let world = World::new().await;
    let inside = "http://169.254.169.254/latest/meta-data";
    world.discover(world.discovery_of(&world.url, inside));
    assert_eq!(world.verify(&world.token(0)).await, world.misbehaves(FetchFault::KeysUrl));

    // The twin: a jwks_uri that names another host is the issuer's own word.
    let world = World::new().await;
    elsewhere.answer(Answer::Json(world.jwks_of(0)));
    world.discover(world.discovery_of(&world.url, &format!("{}/certs", elsewhere.url)));
    assert!(world.verify(&world.token(0)).await.is_ok());
    assert_eq!(*elsewhere.issuer.paths.lock().unwrap(), ["/certs"]);
}

#[tokio::test]
async fn the_discovery_document_is_of_this_issuer() {
    let world = World::new().await;
    let keys = format!("{}/jwks", world.url);
    for other in ["{}/", "https://evil.example"] {
        let world = World::new().await;
        let other = other.replace("{}", &world.url);
        world.discover(world.discovery_of(&other, &keys));
        assert_eq!(world.verify(&world.token(0)).await, world.misbehaves(FetchFault::OtherIssuer));
        assert_eq!(world.fetches(), 0);
    }
    for document in [
        "{}".to_owned(),
        "[]".to_owned(),
        format!("{{\"issuer\":\"{}\"}}", world.url),
        format!("{{\"issuer\":7,\"jwks_uri\":\"{keys}\"}}"),
        format!("{{\"issuer\":\"{0}\",\"issuer\":\"{0}\",\"jwks_uri\":\"{keys}\"}}", world.url),
    ] {
        let world = World::new().await;
        world.discover(Answer::Json(document));
        let refusal = world.verify(&world.token(0)).await;
        assert_eq!(refusal, world.misbehaves(FetchFault::DiscoveryMalformed));
    }
}

#[tokio::test]
async fn bad_key_sets_are_refused() {
    for (body, fault) in [
        ("not json", FetchFault::KeysMalformed),
        ("{}", FetchFault::KeysMalformed),
        ("{\"keys\":{}}", FetchFault::KeysMalformed),
        ("{\"keys\":[],\"keys\":[]}", FetchFault::KeysMalformed),
        ("{\"keys\":[]}", FetchFault::NoUsableKey),
        ("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", FetchFault::NoUsableKey),
    ] {
        let world = World::new().await;
        world.answer(Answer::Json(body.to_owned()));
        assert_eq!(world.verify(&world.token(0)).await, world.misbehaves(fault), "{body}");
    }
    for (status, is_outage) in [(404, false), (403, false), (204, false), (429, true), (503, true)]
    {
        let world = World::new().await;
        world.answer(Answer::Status(status));
        let refusal = world.verify(&world.token(0)).await.unwrap_err();
        assert_eq!(refusal.is_our_side(), is_outage, "{status}");
    }
}

#[tokio::test]
async fn a_bad_answer_does_not_replace_good_keys() {
    let world = World::new().await;
    assert!(world.verify(&world.token(0)).await.is_ok());
    world.answer(Answer::Json("{\"keys\":[]}".to_owned()));
    world.pass(300);
    assert!(world.verify(&world.token(0)).await.is_ok());
    assert_eq!(world.identities.status()[0].fault, Some(FetchFault::NoUsableKey));
}

#[tokio::test]
async fn kid_never_reaches_a_url() {
    let world = World::new().await;
    for kid in ["../../dev/null", "' OR 1=1--", "?x=y", "http://evil.example/"] {
        assert!(world.verify(&world.token_with_kid(kid)).await.is_err());
        world.pass(30);
    }
    let paths = world.issuer.paths.lock().unwrap().clone();
    assert_eq!(paths.len(), 8);
    for path in paths {
        assert!(["/.well-known/openid-configuration", "/jwks"].contains(&path.as_str()), "{path}");
    }
}

#[tokio::test]
async fn issuer_paths_keep_their_place() {
    let issuer = Arc::new(Issuer::default());
    let url = format!("{}/realms/a/", serve(Arc::clone(&issuer)).await);
    let now = Arc::new(AtomicI64::new(START));
    let config = IssuerConfig::new(url, "sigstore", IssuerKind::Email);
    Identities::new(vec![config], clock(&now)).unwrap().warm().await;
    assert_eq!(*issuer.paths.lock().unwrap(), ["/realms/a/.well-known/openid-configuration"]);
}

#[tokio::test]
async fn warming_reads_what_is_missing() {
    let world = World::new().await;
    let status = world.identities.status();
    assert_eq!((status[0].usable_keys, status[0].fetched_at), (0, None));
    world.identities.warm().await;
    world.identities.warm().await;
    let status = world.identities.status();
    assert_eq!((status[0].usable_keys, status[0].fetched_at), (1, Some(START)));
    assert_eq!((status[0].pinned, status[0].fault), (false, None));
    assert_eq!(world.fetches(), 1);
}

#[tokio::test]
async fn pinned_keys_are_never_fetched() {
    let world = World::new().await;
    world.identities.pin_keys(&world.url, world.dev(1).jwks()).unwrap();
    world.identities.warm().await;
    assert!(world.verify(&world.token(1)).await.is_ok());
    assert_eq!(world.verify(&world.token(0)).await.unwrap_err().code(), "token-key-unknown");
    world.pass(100_000);
    assert!(world.verify(&world.token(1)).await.is_ok());
    assert_eq!(world.fetches(), 0);
    assert!(world.identities.status()[0].pinned);
    assert!(world.identities.pin_keys("https://other.example", world.dev(0).jwks()).is_err());
}

#[tokio::test]
async fn a_clock_set_back_reads_the_keys_again() {
    let world = World::new().await;
    assert!(world.verify(&world.token(0)).await.is_ok());
    world.pass(-30);
    assert!(world.verify(&world.token(0)).await.is_ok());
    assert_eq!(world.fetches(), 1);
    world.pass(-3600);
    assert!(world.verify(&world.token(0)).await.is_ok());
    assert_eq!(world.fetches(), 2);
}

fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn bearers(world: &World) -> Vec<Option<String>> {
    world.issuer.bearers.lock().unwrap().clone()
}

#[tokio::test]
async fn service_account_token_not_leaked() {
    let folder = tempfile::tempdir().unwrap();
    let bearer = file(&folder, "token", "s3cret\n");
    let secret = || Some("Bearer s3cret".to_owned());
    let with_bearer = || World::with(|config| config.keys.bearer_file = Some(bearer.clone()));

    let world = with_bearer().await;
    assert!(world.verify(&world.token(0)).await.is_ok());
    assert_eq!(bearers(&world), [secret(), secret()], "discovery and keys at home");

    // Keys at another host: they are read, and the token stays at home.
    let (world, elsewhere) = (with_bearer().await, World::new().await);
    world.discover(world.discovery_of(&world.url, &format!("{}/jwks", elsewhere.url)));
    elsewhere.answer(Answer::Json(world.jwks_of(0)));
    assert!(world.verify(&world.token(0)).await.is_ok());
    assert_eq!((bearers(&world), bearers(&elsewhere)), (vec![secret()], vec![None]));

    // The same machine under another name is another host.
    let world = with_bearer().await;
    let alias = world.url.replace("127.0.0.1", "localhost");
    world.discover(world.discovery_of(&world.url, &format!("{alias}/jwks")));
    assert!(world.verify(&world.token(0)).await.is_ok());
    assert_eq!(bearers(&world), [secret(), None]);

    // A redirect leads nowhere, with or without it.
    for at_discovery in [true, false] {
        let (world, elsewhere) = (with_bearer().await, World::new().await);
        let redirect = Answer::Redirect(format!("{}/x", elsewhere.url));
        if at_discovery {
            world.discover(redirect);
        } else {
            world.answer(redirect);
        }
        assert_eq!(world.verify(&world.token(0)).await, world.misbehaves(FetchFault::Redirect));
        assert!(bearers(&elsewhere).is_empty());
    }

    // With jwks_url it is for that host, and discovery is not asked.
    let elsewhere = World::new().await;
    let world = World::with(|config| {
        config.keys.bearer_file = Some(bearer.clone());
        config.keys.from = KeysFrom::Address(format!("{}/jwks", elsewhere.url));
    })
    .await;
    elsewhere.answer(Answer::Json(world.jwks_of(0)));
    assert!(world.verify(&world.token(0)).await.is_ok());
    assert_eq!((bearers(&world), bearers(&elsewhere)), (vec![], vec![secret()]));

    // It is read at each request, and nothing is asked without it.
    std::fs::write(&bearer, "n3w").unwrap();
    elsewhere.pass(1);
    world.pass(300);
    assert!(world.verify(&world.token(0)).await.is_ok());
    assert_eq!(bearers(&elsewhere).last().unwrap().as_deref(), Some("Bearer n3w"));
    for broken in ["", " \n", "two\nlines"] {
        std::fs::write(&bearer, broken).unwrap();
        let world = with_bearer().await;
        let refusal = world.verify(&world.token(0)).await;
        assert_eq!(refusal, world.unreachable(FetchFault::BearerFile), "{broken:?}");
        assert!(bearers(&world).is_empty());
    }
}

#[tokio::test]
async fn keys_of_a_file_follow_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let world = World::with(|config| config.keys.from = KeysFrom::File(path.clone())).await;
    assert_eq!(world.verify(&world.token(0)).await, world.unreachable(FetchFault::KeysFile));
    std::fs::write(&path, world.jwks_of(0)).unwrap();
    world.pass(1);
    assert!(world.verify(&world.token(0)).await.is_ok());
    // Another key: an unknown kid is looked up at once, and the old key dies.
    std::fs::write(&path, world.jwks_of(1)).unwrap();
    world.pass(1);
    assert!(world.verify(&world.token(1)).await.is_ok());
    assert_eq!(world.verify(&world.token(0)).await.unwrap_err().code(), "token-key-unknown");
    // Without the file its keys live on for a minute, and not for the hour of an outage.
    std::fs::remove_file(&path).unwrap();
    world.pass(59);
    assert!(world.verify(&world.token(1)).await.is_ok());
    world.pass(2);
    assert_eq!(world.verify(&world.token(1)).await, world.unreachable(FetchFault::KeysFile));
    std::fs::write(&path, " ".repeat(256 * 1024 + 1)).unwrap();
    world.pass(1);
    assert_eq!(world.verify(&world.token(1)).await, world.misbehaves(FetchFault::TooLarge));
    assert!(world.issuer.paths.lock().unwrap().is_empty(), "nobody was asked");
}

#[tokio::test]
async fn an_issuer_that_comes_back_is_seen_without_a_token() {
    let (world, other) = (World::new().await, World::new().await);
    world.discover(Answer::Status(503));
    world.identities.keep_warm();
    other.identities.keep_warm();
    let fault = |world: &World| world.identities.status()[0].fault;
    for _ in 0..200 {
        if fault(&world).is_some() && other.identities.status()[0].usable_keys == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(fault(&world), Some(FetchFault::Status { status: 503 }));
    assert_eq!(other.identities.status()[0].usable_keys, 1, "the other one works");

    world.discover(world.discovery_of(&world.url, &format!("{}/jwks", world.url)));
    world.pass(5);
    for _ in 0..1000 {
        if world.identities.status()[0].usable_keys == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((world.identities.status()[0].usable_keys, fault(&world)), (1, None));
}

#[tokio::test]
async fn entries_of_one_issuer_have_their_own_keys() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new().await;
    let path = file(&folder, "jwks.json", &world.jwks_of(1));
    let config = |client_id: &str, from: KeysFrom| {
        let mut config = IssuerConfig::new(world.url.clone(), client_id, IssuerKind::Email);
        config.keys.from = from;
        config
    };
    let configs =
        vec![config("people", KeysFrom::Discovery), config("machines", KeysFrom::File(path))];
    let identities = Identities::new(configs, clock(&world.now)).unwrap();
    for (key, audience, holds) in
        [(0, "people", true), (1, "people", false), (1, "machines", true), (0, "machines", false)]
    {
        let token = world.dev(key).token("alice@example.com", audience).unwrap();
        let verdict = identities.verify(&Token::new(token.into_bytes()).unwrap()).await;
        assert_eq!(verdict.is_ok(), holds, "{key} {audience}");
    }
}
