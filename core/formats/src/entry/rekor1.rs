//! The kinds of Rekor v1 that bundles carry: `hashedrekord` 0.0.1, `dsse` 0.0.1, `intoto` 0.0.2,
//! in the canonical forms the log stores.

use pem_rfc7468::LineEnding;
use serde::Deserialize;

use super::{EntryBody, EntryError, EntryVerifier};
use crate::bundle::wire::{self, Capped};
use crate::digest::{Digest, HashAlgorithm};

/// `hashedrekord` 0.0.1: a signature over a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashedRekord001 {
    /// The digest that was signed.
    pub hash: Digest,
    /// The signature, in the encoding of the key's algorithm; not empty.
    pub signature: Vec<u8>,
    /// What it verifies with; PEM on the wire.
    pub verifier: EntryVerifier,
}

/// `dsse` 0.0.1: an envelope's hashes and signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dsse001 {
    /// SHA-256 of the payload.
    pub payload_hash: Digest,
    /// SHA-256 of the envelope's JSON as it was sent, which no bundle keeps: not checkable.
    pub envelope_hash: Digest,
    /// Each signature with what it verifies with; at least one.
    pub signatures: Vec<(Vec<u8>, EntryVerifier)>,
}

/// `intoto` 0.0.2: an envelope without its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intoto002 {
    /// SHA-256 of the payload, computed by the log.
    pub payload_hash: Digest,
    /// SHA-256 of the envelope as the client stated it; the log did not check it.
    pub envelope_hash: Digest,
    /// The envelope's payload type.
    pub payload_type: String,
    /// Each signature with what it verifies with; at least one.
    pub signatures: Vec<(Vec<u8>, EntryVerifier)>,
}

pub(super) fn hashedrekord(body: &[u8]) -> Result<EntryBody, EntryError> {
    let spec: HashedRekordSpec = super::spec(body)?;
    let hash = spec.data.hash.digest("data.hash", &HashAlgorithm::ALL)?;
    let signature = signature("signature.content", &spec.signature.content)?;
    let verifier = pem("signature.publicKey.content", &spec.signature.public_key.content)?;
    Ok(EntryBody::HashedRekord001(HashedRekord001 { hash, signature, verifier }))
}

pub(super) fn dsse(body: &[u8]) -> Result<EntryBody, EntryError> {
    let spec: DsseSpec = super::spec(body)?;
    let payload_hash = spec.payload_hash.digest("payloadHash", &SHA256)?;
    let envelope_hash = spec.envelope_hash.digest("envelopeHash", &SHA256)?;
    let signatures = all(spec.signatures)?
        .iter()
        .map(|entry| {
            let signature = signature("signatures.signature", &entry.signature)?;
            Ok((signature, pem("signatures.verifier", &entry.verifier)?))
        })
        .collect::<Result<_, EntryError>>()?;
    Ok(EntryBody::Dsse001(Dsse001 { payload_hash, envelope_hash, signatures }))
}

pub(super) fn intoto(body: &[u8]) -> Result<EntryBody, EntryError> {
    let IntotoSpec { content } = super::spec(body)?;
    let payload_hash = content.payload_hash.digest("content.payloadHash", &SHA256)?;
    let envelope_hash = content.hash.digest("content.hash", &SHA256)?;
    let signatures = all(content.envelope.signatures)?
        .iter()
        .map(|entry| {
            // The client sent the envelope's own base64 as bytes, which JSON encoded once more.
            let field = "content.envelope.signatures.sig";
            let inner = String::from_utf8(base64(field, &entry.sig)?)
                .map_err(|_| EntryError::Base64 { field })?;
            let verifier = any_pem("content.envelope.signatures.publicKey", &entry.public_key)?;
            Ok((signature(field, &inner)?, verifier))
        })
        .collect::<Result<_, EntryError>>()?;
    Ok(EntryBody::Intoto002(Intoto002 {
        payload_hash,
        envelope_hash,
        payload_type: content.envelope.payload_type,
        signatures,
    }))
}

fn all<T>(signatures: Capped<T, MAX_SIGNATURES>) -> Result<Vec<T>, EntryError> {
    let signatures = signatures
        .into_all()
        .map_err(|many| EntryError::TooManySignatures { count: many.count, limit: many.limit })?;
    if signatures.is_empty() {
        return Err(EntryError::NoSignatures);
    }
    Ok(signatures)
}

fn base64(field: &'static str, text: &str) -> Result<Vec<u8>, EntryError> {
    wire::base64(text).ok_or(EntryError::Base64 { field })
}

fn signature(field: &'static str, text: &str) -> Result<Vec<u8>, EntryError> {
    let bytes = base64(field, text)?;
    if bytes.is_empty() {
        return Err(EntryError::EmptySignature { field });
    }
    Ok(bytes)
}

/// One PEM block in the one spelling Rekor writes: sigstore-python compares the text, so a body in
/// another spelling verifies for some clients and not for others.
fn pem(field: &'static str, text: &str) -> Result<EntryVerifier, EntryError> {
    let pem = base64(field, text)?;
    let fault = || EntryError::Pem { field };
    let (label, der) = pem_rfc7468::decode_vec(&pem).map_err(|_| fault())?;
    let again = pem_rfc7468::encode_string(label, LineEnding::LF, &der).map_err(|_| fault())?;
    if again.as_bytes() != pem {
        return Err(fault());
    }
    labelled(label, der).ok_or_else(fault)
}

/// One PEM block whose lines may have any length, and whose last line feed may be missing:
/// `intoto` bodies keep the PEM as the client sent it. npm's provenance came without the last line
/// feed, its publish attestations on a single line. What is compared later is the DER.
fn any_pem(field: &'static str, text: &str) -> Result<EntryVerifier, EntryError> {
    let pem = base64(field, text)?;
    let read = || -> Option<EntryVerifier> {
        let text = std::str::from_utf8(&pem).ok()?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let (label, rest) = text.strip_prefix("-----BEGIN ")?.split_once("-----\n")?;
        let lines = rest.strip_suffix(&format!("\n-----END {label}-----"))?;
        labelled(label, base64(field, &lines.replace('\n', "")).ok()?)
    };
    read().ok_or(EntryError::Pem { field })
}

fn labelled(label: &str, der: Vec<u8>) -> Option<EntryVerifier> {
    match label {
        "CERTIFICATE" => Some(EntryVerifier::Certificate(der)),
        "PUBLIC KEY" => Some(EntryVerifier::PublicKey(der)),
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HashedRekordSpec {
    data: WireData,
    signature: WireSignature,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireData {
    hash: WireHash,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireSignature {
    content: String,
    public_key: WireContent,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireContent {
    content: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DsseSpec {
    envelope_hash: WireHash,
    payload_hash: WireHash,
    signatures: Capped<WireDsseSignature, MAX_SIGNATURES>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireDsseSignature {
    signature: String,
    verifier: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IntotoSpec {
    content: WireIntoto,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireIntoto {
    envelope: WireIntotoEnvelope,
    hash: WireHash,
    payload_hash: WireHash,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireIntotoEnvelope {
    payload_type: String,
    signatures: Capped<WireIntotoSignature, MAX_SIGNATURES>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireIntotoSignature {
    #[serde(default, rename = "keyid")]
    _keyid: String,
    public_key: String,
    sig: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireHash {
    algorithm: String,
    value: String,
}

impl WireHash {
    fn digest(self, field: &'static str, allowed: &[HashAlgorithm]) -> Result<Digest, EntryError> {
        let algorithm = HashAlgorithm::from_rekor_name(&self.algorithm)
            .filter(|algorithm| allowed.contains(algorithm))
            .ok_or(EntryError::UnknownAlgorithm { field, name: self.algorithm })?;
        Digest::from_hex(algorithm, &self.value)
            .map_err(|fault| EntryError::Digest { field, fault })
    }
}

const SHA256: [HashAlgorithm; 1] = [HashAlgorithm::Sha256];

/// Most signatures in one body.
const MAX_SIGNATURES: usize = 32;
