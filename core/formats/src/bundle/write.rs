//! From the strict forms back to proto3 JSON.

use serde::Serialize;

use super::wire::{
    WireBundle, WireCertificate, WireChain, WireCheckpoint, WireDigest, WireEntry, WireHint,
    WireInt, WireKeyId, WireKindVersion, WireMaterial, WireMessage, WirePromise, WireProof,
    WireTimestamp, WireTimestamps, to_base64, to_json,
};
use super::{Bundle, Content, InclusionProof, LogEntry, Material};
use crate::certificate::Certificate;
use crate::digest::Digest;

pub(super) fn bundle(bundle: &Bundle) -> String {
    let mut material = WireMaterial {
        tlog_entries: bundle.entries.iter().map(WireEntry::from).collect::<Vec<_>>().into(),
        timestamp_verification_data: timestamps(&bundle.timestamps),
        ..WireMaterial::default()
    };
    match &bundle.material {
        Material::Certificate(one) => material.certificate = Some(one.into()),
        Material::Chain(chain) => {
            let certificates = chain.iter().map(WireCertificate::from).collect::<Vec<_>>().into();
            material.x509_certificate_chain = Some(WireChain { certificates });
        }
        Material::PublicKey { hint } => {
            material.public_key = Some(WireHint { hint: hint.clone() });
        }
    }
    let (message_signature, dsse_envelope) = match &bundle.content {
        Content::Message { digest, signature } => {
            let message_digest = digest.as_ref().map(WireDigest::from);
            (Some(WireMessage { message_digest, signature: to_base64(signature) }), None)
        }
        Content::Dsse(envelope) => (None, Some(envelope.into())),
    };
    to_json(&WireBundle {
        media_type: bundle.version.media_type().to_owned(),
        verification_material: Some(material),
        message_signature,
        dsse_envelope,
    })
}

pub(super) fn response(entry: &LogEntry) -> String {
    let mut wire = WireEntry::from(entry);
    to_json(&Response {
        log_index: wire.log_index,
        log_id: wire.log_id,
        kind_version: wire.kind_version,
        integrated_time: wire.integrated_time.take().unwrap_or_default(),
        inclusion_promise: wire.inclusion_promise,
        inclusion_proof: wire.inclusion_proof,
        canonicalized_body: wire.canonicalized_body,
    })
}

/// [`WireEntry`] with nothing left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    log_index: WireInt,
    log_id: Option<WireKeyId>,
    kind_version: Option<WireKindVersion>,
    integrated_time: WireInt,
    inclusion_promise: Option<WirePromise>,
    inclusion_proof: Option<WireProof>,
    canonicalized_body: String,
}

fn timestamps(timestamps: &[Vec<u8>]) -> Option<WireTimestamps> {
    let list = timestamps
        .iter()
        .map(|der| WireTimestamp { signed_timestamp: to_base64(der) })
        .collect::<Vec<_>>();
    (!list.is_empty()).then(|| WireTimestamps { rfc3161_timestamps: list.into() })
}

impl From<&Certificate> for WireCertificate {
    fn from(certificate: &Certificate) -> Self {
        Self { raw_bytes: to_base64(certificate.der()) }
    }
}

impl From<&Digest> for WireDigest {
    fn from(digest: &Digest) -> Self {
        Self {
            algorithm: digest.algorithm().proto_name().to_owned(),
            digest: to_base64(digest.as_bytes()),
        }
    }
}

impl From<&LogEntry> for WireEntry {
    fn from(entry: &LogEntry) -> Self {
        Self {
            log_index: entry.log_index.into(),
            log_id: Some(WireKeyId { key_id: to_base64(&entry.log_id) }),
            kind_version: Some(WireKindVersion {
                kind: entry.kind.clone(),
                version: entry.version.clone(),
            }),
            integrated_time: entry.integrated_time.map(WireInt::from),
            inclusion_promise: entry
                .inclusion_promise
                .as_ref()
                .map(|set| WirePromise { signed_entry_timestamp: to_base64(set) }),
            inclusion_proof: entry.inclusion_proof.as_ref().map(WireProof::from),
            canonicalized_body: to_base64(&entry.canonicalized_body),
        }
    }
}

impl From<&InclusionProof> for WireProof {
    fn from(proof: &InclusionProof) -> Self {
        Self {
            log_index: proof.log_index.into(),
            root_hash: to_base64(proof.root_hash.as_bytes()),
            tree_size: proof.tree_size.into(),
            hashes: proof
                .hashes
                .iter()
                .map(|hash| to_base64(hash.as_bytes()))
                .collect::<Vec<_>>()
                .into(),
            checkpoint: Some(WireCheckpoint { envelope: proof.checkpoint.clone() }),
        }
    }
}
