//! A sign-in on a socket, with a clock that the test moves, and a browser that keeps cookies.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as B64};
use ca::broker::Broker;
use ca::config::Config;
use ca::identity::{Clock, Token, VerifiedIdentity};
use ca::oidc_dev::DevIssuer;
use openidconnect::url::{Url, form_urlencoded};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tokio::net::TcpListener;

pub const START: i64 = 1_800_000_000;
pub const REDIRECT: &str = "http://localhost:40123/auth/callback";
pub const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
// RFC 7636 appendix B gives this pair.
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub static KEY: LazyLock<String> = LazyLock::new(|| DevIssuer::generate_key().unwrap().to_string());

pub struct World {
    pub broker: Broker,
    pub issuer: Option<DevIssuer>,
    pub now: Arc<AtomicI64>,
    pub folder: tempfile::TempDir,
    pub base: String,
}

impl World {
    /// `ca dev`: one connector, which believes everyone.
    pub async fn development() -> Self {
        Self::new("", true).await
    }

    /// `ca serve` with this `[sign_in]` and what is below it.
    pub async fn with(sign_in: &str) -> Self {
        Self::new(sign_in, false).await
    }

    async fn new(sign_in: &str, development: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let now = Arc::new(AtomicI64::new(START));
        let folder = tempfile::tempdir().unwrap();
        write_secret(&folder, "secret");
        let config = config(&base, sign_in).unwrap();
        let issuer = development
            .then(|| DevIssuer::new(&config.sign_in_issuer(), &KEY, clock(&now)).unwrap());
        let broker = Broker::open(folder.path(), &config, issuer.as_ref(), clock(&now)).unwrap();
        let router = Router::new().nest("/oidc", broker.router());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { broker, issuer, now, folder, base }
    }

    pub fn browser(&self) -> Browser {
        Browser::at(&format!("{}/oidc", self.base))
    }

    pub fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn reload(&self, sign_in: &str) {
        let settings = self.broker.prepare(&config(&self.base, sign_in).unwrap()).unwrap();
        self.broker.put(settings);
    }

    /// What the instance makes of a token, by the rules and keys that the sign-in gives it.
    pub async fn verify(&self, token: &str) -> VerifiedIdentity {
        let settings = self.broker.settings();
        let identities = self.broker.door(&settings, Vec::new(), clock(&self.now)).unwrap();
        identities.verify(&Token::new(token.as_bytes().to_vec()).unwrap()).await.unwrap()
    }
}

/// A configuration whose `[sign_in]` and connectors are `sign_in`.
pub fn config(base: &str, sign_in: &str) -> Result<Config, ca::config::ConfigError> {
    let text = format!(
        "name = \"Test & Co\"\n[listen]\naddress = \"127.0.0.1:8700\"\n[urls]\nca = \"{base}\"\n\
         log = \"http://127.0.0.1:1\"\nct = \"http://127.0.0.1:1/ct\"\n\
         tsa = \"http://127.0.0.1:1/tsa\"\n{sign_in}"
    );
    Config::parse(std::path::Path::new("ca.toml"), &text)
}

/// Writes `secret` with a client secret in it, as an operator does.
pub fn write_secret(folder: &tempfile::TempDir, name: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.path().join(name);
    std::fs::write(&path, "hush\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

pub fn clock(now: &Arc<AtomicI64>) -> Clock {
    let now = Arc::clone(now);
    Arc::new(move || now.load(Ordering::SeqCst))
}

/// Follows no redirect by itself, and keeps cookies by name whatever the port.
pub struct Browser {
    http: Client,
    oidc: String,
    pub cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser {
    pub fn at(oidc: &str) -> Self {
        let http = Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
        Self { http, oidc: oidc.to_owned(), cookies: Mutex::default() }
    }

    /// `path` below the issuer, or a whole URL.
    pub async fn get(&self, path: &str) -> Response {
        self.send(self.http.get(self.url(path))).await
    }

    pub async fn get_as(&self, path: &str, host: &str) -> Response {
        self.send(self.http.get(self.url(path)).header("host", host)).await
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.post_with(path, fields, None).await
    }

    pub async fn post_with(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        basic: Option<&str>,
    ) -> Response {
        let mut request = self
            .http
            .post(self.url(path))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encoded(fields));
        if let Some(pair) = basic {
            request = request.header("authorization", format!("Basic {}", STANDARD.encode(pair)));
        }
        self.send(request).await
    }

    pub async fn post_json(&self, path: &str) -> Response {
        let request = self.http.post(self.url(path)).header("content-type", "application/json");
        self.send(request.body("{}")).await
    }

    async fn send(&self, request: RequestBuilder) -> Response {
        let cookies: Vec<String> = {
            let jar = self.cookies.lock().unwrap();
            jar.iter().map(|(name, value)| format!("{name}={value}")).collect()
        };
        let request =
            if cookies.is_empty() { request } else { request.header("cookie", cookies.join("; ")) };
        let response = request.send().await.unwrap();
        let mut jar = self.cookies.lock().unwrap();
        for line in response.headers().get_all("set-cookie") {
            let (pair, attributes) = line.to_str().unwrap().split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0;") {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
        drop(jar);
        response
    }

    fn url(&self, path: &str) -> String {
        if path.starts_with("http://") { path.to_owned() } else { format!("{}{path}", self.oidc) }
    }

    /// `GET /auth` with these parameters.
    pub async fn authorize(&self, fields: &[(&str, &str)]) -> Response {
        self.get(&format!("/auth?{}", encoded(fields))).await
    }

    /// Follows redirects below the issuer and on other loopback ports but the client's, to the
    /// first answer that is none.
    pub async fn follow(&self, mut response: Response) -> Response {
        for _ in 0..10 {
            if !response.status().is_redirection() {
                return response;
            }
            let next = location_of(&response);
            if next.starts_with("http://localhost:40123") {
                return response;
            }
            let next = if next.starts_with('/') {
                format!("{}{next}", self.oidc.strip_suffix("/oidc").unwrap())
            } else {
                next
            };
            response = self.get(&next).await;
        }
        panic!("too many redirects");
    }

    /// Opens the development form and gives its session.
    pub async fn open(&self, fields: &[(&str, &str)]) -> String {
        let page = self.authorize(fields).await;
        assert_eq!(page.status(), 200);
        session_in(&page.text().await.unwrap())
    }

    /// Says yes on the page that asks, and gives the client's redirect.
    pub async fn agree(&self, page: Response, email: &str) -> Response {
        assert_eq!(page.status(), 200);
        let session = session_in(&page.text().await.unwrap());
        let fields = [("session", session.as_str()), ("answer", "continue"), ("email", email)];
        self.post("/confirm", &fields).await
    }

    /// The whole way of a person who signs in at an upstream stand-in that asks nothing.
    pub async fn sign_in(&self, fields: &[(&str, &str)], email: &str) -> Response {
        let page = self.follow(self.authorize(fields).await).await;
        self.agree(page, email).await
    }

    pub async fn redeem(&self, fields: &[(&str, &str)]) -> (u16, Value) {
        read(self.post("/token", fields).await).await
    }

    /// Redeems the code of a redirect, and gives the token's claims.
    pub async fn claims(&self, sent_back: &Response) -> Value {
        claims_of(&self.token(sent_back).await)
    }

    pub async fn token(&self, sent_back: &Response) -> String {
        assert_eq!(sent_back.status(), 303);
        let code = query(&location(sent_back), "code").unwrap();
        let (status, answer) = self.redeem(&redemption(&code)).await;
        assert_eq!(status, 200, "{answer}");
        answer["id_token"].as_str().unwrap().to_owned()
    }
}

pub fn encoded(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

pub fn request() -> Vec<(&'static str, &'static str)> {
    vec![
        ("response_type", "code"),
        ("client_id", "sigstore"),
        ("redirect_uri", REDIRECT),
        ("scope", "openid email"),
        ("state", "st&te="),
        ("nonce", "n-0S6_WzA2Mj"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

pub fn request_with<'a>(name: &'a str, value: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let mut fields: Vec<(&'a str, &'a str)> = request();
    fields.retain(|(field, _)| *field != name);
    fields.extend(value.map(|value| (name, value)));
    fields
}

pub fn redemption(code: &str) -> Vec<(&str, &str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("client_id", "sigstore"),
        ("code_verifier", VERIFIER),
    ]
}

pub fn session_in(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"session\" value=\"").expect(page);
    rest.split_once('"').unwrap().0.to_owned()
}

pub fn location_of(response: &Response) -> String {
    response.headers()["location"].to_str().unwrap().to_owned()
}

pub fn location(response: &Response) -> Url {
    Url::parse(&location_of(response)).unwrap()
}

pub fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
}

pub async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

pub fn claims_of(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&B64.decode(claims).unwrap()).unwrap()
}
