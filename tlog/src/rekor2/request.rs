//! The request as protojson, parsed into its strict form. protojson takes both spellings of a
//! name, either alphabet of base64, and null for absent; it refuses unknown members, and so do we.

use formats::dsse::pae;
use formats::entry::EntryVerifier;
use formats::json::{self, ProtoBytes};
use serde::Deserialize;

use super::Rejected;

/// A complete request. Nothing is verified yet.
pub(super) struct Request {
    pub(super) payload: Payload,
    pub(super) signature: Vec<u8>,
    pub(super) verifier: EntryVerifier,
    pub(super) key_details: String,
}

/// What was signed.
pub(super) enum Payload {
    /// A message of which only the digest is known.
    Digest(Vec<u8>),
    /// The message.
    Signed(Vec<u8>),
}

pub(super) fn parse(body: &[u8]) -> Result<Request, Rejected> {
    let wire: WireRequest = json::from_slice(body)?;
    match (wire.hashed_rekord, wire.dsse) {
        (Some(request), None) => hashed_rekord(request),
        (None, Some(request)) => dsse(request),
        (None, None) => Err(Rejected::NoRequest),
        (Some(_), Some(_)) => Err(Rejected::TwoRequests),
    }
}

fn hashed_rekord(wire: WireHashedRekord) -> Result<Request, Rejected> {
    let digest = bytes("hashedRekordRequestV002.digest", wire.digest)?;
    let signature =
        wire.signature.ok_or(Rejected::Missing { field: "hashedRekordRequestV002.signature" })?;
    let content = bytes("hashedRekordRequestV002.signature.content", signature.content)?;
    let (verifier, key_details) = verifier(signature.verifier)?;
    Ok(Request { payload: Payload::Digest(digest), signature: content, verifier, key_details })
}

fn dsse(wire: WireDsse) -> Result<Request, Rejected> {
    let envelope = wire.envelope.ok_or(Rejected::Missing { field: "dsseRequestV002.envelope" })?;
    let payload = bytes("dsseRequestV002.envelope.payload", envelope.payload)?;
    let payload_type = envelope.payload_type.filter(|kind| !kind.is_empty());
    let payload_type =
        payload_type.ok_or(Rejected::Missing { field: "dsseRequestV002.envelope.payloadType" })?;
    let signature = one("dsseRequestV002.envelope.signatures", envelope.signatures)?;
    let content = bytes("dsseRequestV002.envelope.signatures[0].sig", signature.sig)?;
    let (verifier, key_details) =
        verifier(Some(one("dsseRequestV002.verifiers", wire.verifiers)?))?;
    let payload = Payload::Signed(pae(&payload_type, &payload));
    Ok(Request { payload, signature: content, verifier, key_details })
}

fn verifier(wire: Option<WireVerifier>) -> Result<(EntryVerifier, String), Rejected> {
    let wire = wire.ok_or(Rejected::Missing { field: "verifier" })?;
    let key_details = wire.key_details.filter(|name| !name.is_empty());
    let key_details = key_details.ok_or(Rejected::Missing { field: "verifier.keyDetails" })?;
    let verifier = match (wire.x509_certificate, wire.public_key) {
        (Some(raw), None) => {
            let field = "verifier.x509Certificate.rawBytes";
            EntryVerifier::Certificate(bytes(field, raw.raw_bytes)?)
        }
        (None, Some(raw)) => {
            EntryVerifier::PublicKey(bytes("verifier.publicKey.rawBytes", raw.raw_bytes)?)
        }
        (None, None) => {
            return Err(Rejected::Missing { field: "verifier.x509Certificate or publicKey" });
        }
        (Some(_), Some(_)) => return Err(Rejected::TwoVerifiers),
    };
    Ok((verifier, key_details))
}

fn bytes(field: &'static str, value: Option<ProtoBytes>) -> Result<Vec<u8>, Rejected> {
    let bytes = value.unwrap_or_default().0;
    if bytes.is_empty() { Err(Rejected::Missing { field }) } else { Ok(bytes) }
}

fn one<T>(field: &'static str, items: Option<Vec<T>>) -> Result<T, Rejected> {
    let items = items.unwrap_or_default();
    let count = items.len();
    match <[T; 1]>::try_from(items) {
        Ok([item]) => Ok(item),
        Err(_) => Err(Rejected::NotOne { field, count }),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRequest {
    #[serde(rename = "hashedRekordRequestV002", alias = "hashed_rekord_request_v002")]
    hashed_rekord: Option<WireHashedRekord>,
    #[serde(rename = "dsseRequestV002", alias = "dsse_request_v002")]
    dsse: Option<WireDsse>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireHashedRekord {
    digest: Option<ProtoBytes>,
    signature: Option<WireSignature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature {
    content: Option<ProtoBytes>,
    verifier: Option<WireVerifier>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireVerifier {
    #[serde(rename = "publicKey", alias = "public_key")]
    public_key: Option<WireRaw>,
    #[serde(rename = "x509Certificate", alias = "x509_certificate")]
    x509_certificate: Option<WireRaw>,
    #[serde(rename = "keyDetails", alias = "key_details")]
    key_details: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRaw {
    #[serde(rename = "rawBytes", alias = "raw_bytes")]
    raw_bytes: Option<ProtoBytes>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireDsse {
    envelope: Option<WireEnvelope>,
    verifiers: Option<Vec<WireVerifier>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireEnvelope {
    payload: Option<ProtoBytes>,
    #[serde(rename = "payloadType", alias = "payload_type")]
    payload_type: Option<String>,
    signatures: Option<Vec<WireEnvelopeSignature>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireEnvelopeSignature {
    sig: Option<ProtoBytes>,
    /// A hint that nobody may rely on; it is not logged.
    #[serde(rename = "keyid")]
    _keyid: Option<String>,
}
