//! The certificate authority on the wire: Fulcio's HTTP API, v2 and the older v1.
//!
//! Both doors lead to the one [`crate::issue::issue`]; what differs is where the fields stand and
//! how the chain is written down. Requests are read as protojson reads them: camelCase or
//! snake_case names, unknown members ignored, `null` for absent, and a free-form `algorithm` that
//! is not looked at, because clients write "RSA" and "" into it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use formats::certificate::Certificate;
use formats::json::{self, ProtoBytes};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::admit::admit;
use crate::answer::{self, Refusal, json_body, typed};
use crate::audit::{self, Strangers};
use crate::identity::{Identities, Token, VerifiedIdentity};
use crate::issue::{Authority, IssueError, Issued, issue};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::proof::{self, KeyRule, ProvenKey};
use crate::reload::Current;

/// What the CA's addresses work with.
pub struct Fulcio {
    /// Who may sign in.
    pub identities: Current<Identities>,
    /// Issues and logs.
    pub authority: Authority,
    /// The key kinds and hashes that are certified.
    pub allowed_keys: Vec<KeyRule>,
    /// How many certificates one identity may have.
    pub limits: Arc<Limits>,
    /// The audit rows of requests without a good token.
    pub strangers: Strangers,
    /// Every chain that is trusted at some time, the active one first.
    pub chains: Vec<Vec<Certificate>>,
    /// The chain as it is answered.
    pub chain: ChainText,
    /// What is counted.
    pub metrics: Metrics,
}

/// The CA's addresses.
pub fn routes(fulcio: Arc<Fulcio>) -> Router {
    Router::new()
        .route("/api/v2/signingCert", post(signing_cert_v2))
        .route("/api/v2/trustBundle", get(trust_bundle))
        .route("/api/v2/configuration", get(configuration))
        .route("/api/v1/signingCert", post(signing_cert_v1))
        .route("/api/v1/rootCert", get(root_cert))
        .with_state(fulcio)
}

async fn signing_cert_v2(State(fulcio): State<Arc<Fulcio>>, request: Request<Body>) -> Response {
    answer_with(async {
        let headers = request.headers().clone();
        let wire: WireV2 = parse(&json_body(request, MAX_REQUEST).await?)?;
        let token = token(wire.credentials.and_then(|c| c.oidc_identity_token), &headers)?;
        let proof = Proof::choose(
            wire.public_key_request.map(|request| Challenge {
                key: request.public_key.and_then(|key| key.content).map(String::into_bytes),
                signature: request.proof_of_possession,
            }),
            wire.certificate_signing_request,
        )?;
        let issued = certify(&fulcio, token, proof).await?;
        Ok(typed(StatusCode::OK, "application/json", fulcio.chain.json(issued.leaf())))
    })
    .await
}

async fn signing_cert_v1(State(fulcio): State<Arc<Fulcio>>, request: Request<Body>) -> Response {
    answer_with(async {
        let headers = request.headers().clone();
        let wire: WireV1 = parse(&json_body(request, MAX_REQUEST).await?)?;
        let token = token(None, &headers)?;
        let challenge = match (wire.public_key, wire.signed_email_address) {
            (None, None) => None,
            (key, signature) => {
                Some(Challenge { key: key.and_then(|key| key.content).map(|c| c.0), signature })
            }
        };
        let proof = Proof::choose(challenge, wire.certificate_signing_request)?;
        let issued = certify(&fulcio, token, proof).await?;
        Ok(typed(StatusCode::CREATED, PEM_CHAIN, fulcio.chain.pem(issued.leaf())))
    })
    .await
}

/// The one way to a certificate: token, then the allow rules, then key, then issue; each by value.
/// What an identity may ask for is counted when all is right: a bad proof costs it nothing.
async fn certify(fulcio: &Fulcio, token: Token, proof: Proof) -> Result<Issued, Refusal> {
    let identity = match fulcio.identities.get().verify(&token).await {
        Ok(identity) => identity,
        Err(refusal) => {
            let answer = if refusal.is_our_side() {
                Refusal::unavailable(refusal.code(), refusal.to_string())
            } else {
                Refusal::bad_request(refusal.code(), refusal.to_string())
            };
            fulcio.authority.audit(|time_ms| fulcio.strangers.refused(time_ms, &answer));
            return Err(answer);
        }
    };
    let record = audit::Subject::of(&identity);
    match prove_and_issue(fulcio, identity, proof).await {
        Ok(issued) => {
            fulcio.metrics.new_certs.inc();
            fulcio.metrics.issued.with_label_values(&[record.counted_as()]).inc();
            Ok(issued)
        }
        Err(refusal) => {
            fulcio.authority.audit(|time_ms| Some(record.refused(time_ms, &refusal)));
            Err(refusal)
        }
    }
}

async fn prove_and_issue(
    fulcio: &Fulcio,
    identity: VerifiedIdentity,
    proof: Proof,
) -> Result<Issued, Refusal> {
    let identity = admit(identity)
        .map_err(|refusal| Refusal::bad_request(refusal.code(), refusal.to_string()))?;
    let key = proof.check(identity.identity(), &fulcio.allowed_keys)?;
    fulcio.limits.identity(identity.identity().issuer(), identity.identity().token_subject())?;
    issue(&fulcio.authority, identity, key).await.map_err(IssueError::answer)
}

async fn trust_bundle(State(fulcio): State<Arc<Fulcio>>) -> Response {
    // Fulcio's PEM texts end in a line feed here and nowhere else.
    let chain = |chain: &Vec<Certificate>| {
        let certificates: Vec<String> = chain.iter().map(|one| pem(one) + "\n").collect();
        json!({ "certificates": certificates })
    };
    let chains: Vec<_> = fulcio.chains.iter().map(chain).collect();
    answer::json(StatusCode::OK, &json!({ "chains": chains }))
}

async fn configuration(State(fulcio): State<Arc<Fulcio>>) -> Response {
    answer::json(StatusCode::OK, &fulcio.identities.get().configuration())
}

async fn root_cert(State(fulcio): State<Arc<Fulcio>>) -> Response {
    typed(StatusCode::OK, PEM_CHAIN, fulcio.chain.pem.clone())
}

/// How the requester proves that the private key is theirs.
enum Proof {
    Challenge { key: Vec<u8>, signature: Vec<u8> },
    Request(Vec<u8>),
}

struct Challenge {
    key: Option<Vec<u8>>,
    signature: Option<ProtoBytes>,
}

impl Proof {
    /// Takes the one proof that a request must have. With two of them a client and this server
    /// could mean different keys.
    fn choose(challenge: Option<Challenge>, csr: Option<ProtoBytes>) -> Result<Self, Refusal> {
        let csr = csr.map(|csr| csr.0).filter(|csr| !csr.is_empty());
        match (challenge, csr) {
            (Some(_), Some(_)) => Err(Refusal::bad_request(
                "two-proofs",
                "publicKeyRequest and certificateSigningRequest stand side by side; send one",
            )),
            (None, Some(csr)) => Ok(Self::Request(csr)),
            (Some(Challenge { key, signature }), None) => {
                let missing = |name: &str| {
                    Refusal::bad_request("no-proof", format!("the request has no {name}"))
                };
                let key = key.filter(|key| !key.is_empty());
                let key = key.ok_or_else(|| missing("public key"))?;
                let signature = signature.map(|signature| signature.0).filter(|s| !s.is_empty());
                let signature = signature.ok_or_else(|| missing("proof of possession"))?;
                Ok(Self::Challenge { key, signature })
            }
            (None, None) => Err(Refusal::bad_request(
                "no-proof",
                "the request has neither a public key with its proof of possession nor a \
                 certificate signing request",
            )),
        }
    }

    fn check(self, identity: &VerifiedIdentity, allowed: &[KeyRule]) -> Result<ProvenKey, Refusal> {
        let proven = match self {
            Self::Challenge { key, signature } => {
                proof::signed_challenge(&key, &signature, identity, allowed)
            }
            Self::Request(pem) => proof::csr(&pem, allowed),
        };
        proven.map_err(|refusal| Refusal::bad_request(refusal.code(), refusal.to_string()))
    }
}

/// The identity token: in the body (sigstore-js) or in the Authorization header (everyone else),
/// with or without "Bearer ", and in one place only.
fn token(in_body: Option<String>, headers: &HeaderMap) -> Result<Token, Refusal> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let header = all.next();
    let in_body = in_body.filter(|token| !token.is_empty());
    if all.next().is_some() || (header.is_some() && in_body.is_some()) {
        return Err(Refusal::bad_request(
            "two-tokens",
            "more than one identity token was sent; send one, in the Authorization header or in \
             credentials.oidcIdentityToken",
        ));
    }
    let text = match (in_body, header) {
        (Some(token), None) => token.into_bytes(),
        (None, Some(value)) => {
            let value = value.as_bytes();
            value.strip_prefix(b"Bearer ").unwrap_or(value).to_vec()
        }
        _ => {
            return Err(Refusal::bad_request(
                "no-token",
                "no identity token: send it as \"Authorization: Bearer TOKEN\" or in \
                 credentials.oidcIdentityToken",
            ));
        }
    };
    Token::new(text).map_err(|refusal| Refusal::bad_request(refusal.code(), refusal.to_string()))
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    json::from_slice(body).map_err(|error| Refusal::bad_request("json", error.to_string()))
}

async fn answer_with(work: impl Future<Output = Result<Response, Refusal>>) -> Response {
    work.await.unwrap_or_else(|refusal| refusal.into_response())
}

/// The CA's chain in both spellings of the answers, written once: it is most of every answer.
pub struct ChainText {
    pem: String,
    json: String,
}

impl ChainText {
    /// The chain as it follows each leaf: issuing certificate first, root last.
    pub fn of(chain: &[Certificate]) -> Self {
        let pems: Vec<String> = chain.iter().map(pem).collect();
        let json = pems.iter().map(|pem| format!(",\"{}\"", escaped(pem))).collect();
        Self { pem: pems.join("\n"), json }
    }

    /// v1: the certificates one after the other.
    fn pem(&self, leaf: &Certificate) -> String {
        format!("{}\n{}", pem(leaf), self.pem)
    }

    /// v2: one string for each certificate, none of which ends in a line feed.
    fn json(&self, leaf: &Certificate) -> String {
        let (leaf, rest) = (escaped(&pem(leaf)), &self.json);
        format!(
            r#"{{"signedCertificateEmbeddedSct":{{"chain":{{"certificates":["{leaf}"{rest}]}}}}}}"#
        )
    }
}

fn pem(certificate: &Certificate) -> String {
    certificate.to_pem().trim_end().to_owned()
}

/// PEM inside a JSON string: its line feeds are all that needs escaping.
fn escaped(pem: &str) -> String {
    pem.replace('\n', "\\n")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireV2 {
    credentials: Option<WireCredentials>,
    #[serde(alias = "public_key_request")]
    public_key_request: Option<WireKeyRequest>,
    #[serde(alias = "certificate_signing_request")]
    certificate_signing_request: Option<ProtoBytes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireCredentials {
    #[serde(alias = "oidc_identity_token")]
    oidc_identity_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireKeyRequest {
    #[serde(alias = "public_key")]
    public_key: Option<WireKey>,
    #[serde(alias = "proof_of_possession")]
    proof_of_possession: Option<ProtoBytes>,
}

#[derive(Deserialize)]
struct WireKey {
    content: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireV1 {
    #[serde(alias = "public_key")]
    public_key: Option<WireKeyV1>,
    #[serde(alias = "signed_email_address")]
    signed_email_address: Option<ProtoBytes>,
    #[serde(alias = "certificate_signing_request")]
    certificate_signing_request: Option<ProtoBytes>,
}

#[derive(Deserialize)]
struct WireKeyV1 {
    content: Option<ProtoBytes>,
}

/// A token, a key and a proof, with room for a large RSA request; Fulcio's own 4 MiB buys nothing.
const MAX_REQUEST: usize = 64 * 1024;

const PEM_CHAIN: &str = "application/pem-certificate-chain";
