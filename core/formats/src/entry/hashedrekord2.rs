//! `hashedrekord` 0.0.2, the one kind a Rekor v2 log takes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use merkle::entries::MAX_ENTRY;
use serde::Deserialize;

use super::{EntryBody, EntryError, EntryVerifier};
use crate::bundle::wire;
use crate::digest::{Digest, HashAlgorithm};
use crate::key::KeyDetails;

/// A signature over a digest and what it verifies with (rekor-tiles `hashedrekord.proto`). For a
/// DSSE envelope the digest is that of the pre-authentication encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashedRekord002 {
    /// The digest that was signed.
    pub digest: Digest,
    /// The signature, in the encoding of the key's algorithm; not empty.
    pub signature: Vec<u8>,
    /// The certificate or key, kept as the bytes that were sent.
    pub verifier: EntryVerifier,
    /// The algorithm the signer states for the key.
    pub key_details: KeyDetails,
}

impl HashedRekord002 {
    /// The leaf: the RFC 8785 JSON that Rekor v2 stores. Every value is base64 or a name in
    /// ASCII, so that nothing needs escaping and the sorted order is known beforehand.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        let (verifier, der) = match &self.verifier {
            EntryVerifier::Certificate(der) => ("x509Certificate", der),
            EntryVerifier::PublicKey(der) => ("publicKey", der),
        };
        let encoded = (self.digest.as_bytes().len() + self.signature.len() + der.len()) * 4 / 3;
        let mut json = String::with_capacity(FRAME + encoded);
        json.push_str(r#"{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"#);
        json.push_str(r#""hashedRekordV002":{"data":{"algorithm":""#);
        json.push_str(self.digest.algorithm().proto_name());
        json.push_str(r#"","digest":""#);
        STANDARD.encode_string(self.digest.as_bytes(), &mut json);
        json.push_str(r#""},"signature":{"content":""#);
        STANDARD.encode_string(&self.signature, &mut json);
        json.push_str(r#"","verifier":{"keyDetails":""#);
        json.push_str(self.key_details.proto_name());
        json.push_str(r#"",""#);
        json.push_str(verifier);
        json.push_str(r#"":{"rawBytes":""#);
        STANDARD.encode_string(der, &mut json);
        json.push_str(r#""}}}}}}"#);
        json.into_bytes()
    }
}

pub(super) fn parse(body: &[u8]) -> Result<EntryBody, EntryError> {
    if body.len() > MAX_ENTRY {
        return Err(EntryError::TooLarge { bytes: body.len(), limit: MAX_ENTRY });
    }
    let Spec { hashed_rekord_v002: wire } = super::spec(body)?;
    let algorithm = HashAlgorithm::from_proto_name(&wire.data.algorithm).ok_or(
        EntryError::UnknownAlgorithm { field: "data.algorithm", name: wire.data.algorithm },
    )?;
    let digest = Digest::new(algorithm, &base64("data.digest", &wire.data.digest)?)
        .map_err(|fault| EntryError::Digest { field: "data.digest", fault })?;
    let signature = base64("signature.content", &wire.signature.content)?;
    if signature.is_empty() {
        return Err(EntryError::EmptySignature { field: "signature.content" });
    }
    let verifier = wire.signature.verifier;
    let key_details = KeyDetails::from_proto_name(&verifier.key_details)
        .ok_or(EntryError::UnknownKeyDetails { name: verifier.key_details })?;
    let verifier = match (verifier.x509_certificate, verifier.public_key) {
        (Some(raw), None) => EntryVerifier::Certificate(base64("rawBytes", &raw.raw_bytes)?),
        (None, Some(raw)) => EntryVerifier::PublicKey(base64("rawBytes", &raw.raw_bytes)?),
        (None, None) => return Err(EntryError::NoVerifier),
        (Some(_), Some(_)) => return Err(EntryError::TwoVerifiers),
    };
    let record = HashedRekord002 { digest, signature, verifier, key_details };
    if record.to_canonical() != body {
        return Err(EntryError::NotCanonical);
    }
    Ok(EntryBody::HashedRekord002(record))
}

fn base64(field: &'static str, text: &str) -> Result<Vec<u8>, EntryError> {
    wire::base64(text).ok_or(EntryError::Base64 { field })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    #[serde(rename = "hashedRekordV002")]
    hashed_rekord_v002: WireRecord,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRecord {
    data: WireData,
    signature: WireSignature,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireData {
    algorithm: String,
    digest: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature {
    content: String,
    verifier: WireVerifier,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireVerifier {
    key_details: String,
    x509_certificate: Option<WireRaw>,
    public_key: Option<WireRaw>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireRaw {
    raw_bytes: String,
}

/// Bytes of the leaf that are neither base64 nor spared: names, braces, and padding, rounded up.
const FRAME: usize = 320;
