//! From a scene to a bundle: certificate, signature, log entry, timestamps.

use formats::bundle::{Bundle, BundleVersion, Content, InclusionProof, LogEntry, Material};
use formats::certificate::{Certificate, oid};
use formats::digest::HashAlgorithm;
use formats::dsse::Envelope;
use formats::key::KeyDetails;
use merkle::merkle::Hash;

use super::der;
use super::log::{self, Body};
use super::pki::{Key, sha256};
use super::scene::{Checkpoint, Kind, Scene};

impl Scene {
    /// The signer's certificate, with its SCTs over the certificate without them.
    pub fn leaf_certificate(&self) -> &Certificate {
        self.issued.leaf.get_or_init(|| self.issue_leaf())
    }

    fn issue_leaf(&self) -> Certificate {
        let (name, key) = (&self.ca.spec.name, &self.ca.key);
        let bare = self.leaf.spec.issue(&self.leaf.key, name, key);
        let mut list = Vec::new();
        for sct in &self.scts {
            let log = &self.ct_keys[sct.key];
            let signed = [
                &[0, 0][..],
                &sct.timestamp_ms.to_be_bytes(),
                &[0, 1],
                &key.id(),
                &u32::try_from(bare.tbs().len()).unwrap().to_be_bytes()[1..],
                bare.tbs(),
                &vector(&sct.extensions),
            ]
            .concat();
            let mut signature = log.sign(&signed);
            if sct.forged {
                *signature.last_mut().unwrap() ^= 1;
            }
            let encoded = [
                &[0][..],
                &sct.log_id.unwrap_or(log.id()),
                &sct.timestamp_ms.to_be_bytes(),
                &vector(&sct.extensions),
                &sct.algorithm,
                &vector(&signature),
            ]
            .concat();
            list.extend(vector(&encoded));
        }
        let mut spec = self.leaf.spec.clone();
        match &self.sct_list {
            Some(value) => spec.set(oid::SCT_LIST, false, value.clone()),
            None if self.scts.is_empty() => {}
            None => spec.set(oid::SCT_LIST, false, der::octets(&vector(&list))),
        }
        spec.issue(&self.leaf.key, name, key)
    }

    fn content(&self) -> Content {
        if self.kind.is_message() {
            let signature =
                self.signature.clone().unwrap_or_else(|| self.leaf.key.sign(&self.artifact));
            let digest = self.hash().digest(&self.artifact);
            Content::Message { digest: Some(digest), signature }
        } else {
            let signature =
                self.signature.clone().unwrap_or_else(|| self.leaf.key.sign(&self.pae()));
            Content::Dsse(Envelope {
                payload_type: self.payload_type.clone(),
                payload: self.payload.clone(),
                signature,
                key_id: None,
            })
        }
    }

    pub fn pae(&self) -> Vec<u8> {
        let (kind, payload) = (&self.payload_type, &self.payload);
        let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
        [head.as_bytes(), payload].concat()
    }

    fn details(&self) -> KeyDetails {
        match KeyDetails::for_key(&self.leaf.key.public()).unwrap() {
            KeyDetails::Ed25519 => KeyDetails::Ed25519ph,
            other => other,
        }
    }

    fn hash(&self) -> HashAlgorithm {
        self.details().hash().unwrap()
    }

    pub fn bundle(&self) -> Bundle {
        let leaf = self.leaf_certificate().clone();
        let content = self.content();
        let (signed, signature) = match &content {
            Content::Message { signature, .. } => (self.artifact.clone(), signature.clone()),
            Content::Dsse(envelope) => (self.pae(), envelope.signature.clone()),
        };
        let spki = self.leaf.key.spki();
        let verifier = if self.bare_key { spki } else { leaf.der().to_vec() };
        let mut body = Body {
            digest: self.hash().digest(&signed).as_bytes().to_vec(),
            algorithm: self.hash().proto_name(),
            payload_hash: sha256(&self.payload).to_vec(),
            payload_type: self.payload_type.clone(),
            signatures: vec![(signature.clone(), verifier)],
            certificate: !self.bare_key,
            key_details: self.details().proto_name(),
        };
        self.body.iter().for_each(|edit| edit(&mut body));
        let timestamps = self
            .tokens
            .iter()
            .map(|token| {
                let tsa = &self.tsas[token.authority];
                let signer = &self.tsa_chain(token.authority)[0];
                token.response(&signature, signer, &tsa.key)
            })
            .collect();
        let material = match (self.bare_key, self.kind.is_v1()) {
            (true, _) => Material::PublicKey { hint: String::new() },
            (false, true) => Material::Chain(vec![leaf]),
            (false, false) => Material::Certificate(leaf),
        };
        let version = if self.kind.is_v1() { BundleVersion::V02 } else { BundleVersion::V03 };
        let mut entries = vec![self.entry(&body, &self.log_key, self.log_id(), &self.checkpoint)];
        if let Some(checkpoint) = &self.other_checkpoint {
            let key = &self.other_log_key;
            entries.push(self.entry(&body, key, key.id(), checkpoint));
        }
        let mut bundle = Bundle { version, material, content, entries, timestamps };
        self.bundle_edits.iter().for_each(|edit| edit(&mut bundle));
        bundle
    }

    /// The entry at index 3 of a log of 5, counted from 1000 for people in Rekor v1.
    fn entry(&self, body: &Body, key: &Key, log_id: [u8; 32], spec: &Checkpoint) -> LogEntry {
        let (kind, version, leaf) = match self.entry_kind {
            Kind::Rekor2 | Kind::Rekor2Dsse => ("hashedrekord", "0.0.2", body.hashedrekord2()),
            Kind::HashedRekord1 => ("hashedrekord", "0.0.1", body.hashedrekord1()),
            Kind::Dsse1 => ("dsse", "0.0.1", body.dsse()),
            Kind::Intoto2 => ("intoto", "0.0.2", body.intoto()),
        };
        let mut hashes: Vec<[u8; 32]> = (0..5_u8).map(|entry| log::leaf_hash(&[entry])).collect();
        hashes[3] = log::leaf_hash(leaf.as_bytes());
        let root = log::tree_root(&hashes);
        let log_index = if self.kind.is_v1() { 1003 } else { 3 };
        LogEntry {
            log_index,
            log_id,
            kind: kind.to_owned(),
            version: version.to_owned(),
            integrated_time: self.promise,
            inclusion_promise: self
                .promise
                .map(|time| key.sign(&log::promise(leaf.as_bytes(), time, &log_id, log_index))),
            inclusion_proof: Some(InclusionProof {
                log_index: 3,
                root_hash: Hash::new(root),
                tree_size: 5,
                hashes: log::path(3, &hashes).into_iter().map(Hash::new).collect(),
                checkpoint: signed_checkpoint(spec, key, log_id, &root, 5),
            }),
            canonicalized_body: leaf.into_bytes(),
        }
    }

    pub fn log_id(&self) -> [u8; 32] {
        match self.log_key.public().algorithm() {
            formats::key::KeyAlgorithm::Ed25519 => {
                log::ed25519_note_id("log.example.org", &self.log_key)
            }
            _ => self.log_key.id(),
        }
    }
}

fn signed_checkpoint(
    spec: &Checkpoint,
    key: &Key,
    log_id: [u8; 32],
    root: &[u8; 32],
    size: u64,
) -> String {
    let text = format!("{}\n{size}\n{}\n", spec.origin, log::base64(root));
    let mut signature = key.sign(text.as_bytes());
    if spec.forged {
        *signature.last_mut().unwrap() ^= 1;
    }
    let hint = spec.hint.unwrap_or(log_id[..4].try_into().unwrap());
    let own = log::note_line(&spec.name, &hint, &signature);
    let own = if spec.unsigned { String::new() } else { own };
    format!("{text}\n{}{own}{}", spec.before.concat(), spec.after.concat())
}

fn vector(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}
