//! Certificate transparency: SCTs and leaves, read after RFC 6962 and static-ct-api.

use crate::der::{Certificate, element};
use crate::instance::Instance;
use crate::key::p256_verifies;
use crate::note::digitally_signed;
use crate::{sha256, unb64};

/// A signed certificate timestamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sct {
    /// SHA-256 of the log key's SPKI.
    pub log_id: [u8; 32],
    /// Unix milliseconds.
    pub timestamp_ms: u64,
    /// The extensions' content.
    pub extensions: Vec<u8>,
    /// DigitallySigned.
    pub signed: Vec<u8>,
}

impl Sct {
    /// The one SCT that a certificate has embedded.
    ///
    /// # Panics
    /// When it has none, or several.
    #[must_use]
    pub fn embedded(der: &[u8]) -> Self {
        let certificate = Certificate::read(der);
        let (octets, rest) = element(certificate.extension(SCT_LIST).value);
        assert!(rest.is_empty() && octets.tag == 4, "an OCTET STRING");
        let mut list = Reader(octets.content);
        let mut list = Reader(list.vector(2));
        let mut sct = Reader(list.vector(2));
        assert!(list.0.is_empty(), "exactly one SCT");
        assert_eq!(sct.take(1), [0], "version 1");
        Self {
            log_id: sct.take(32).try_into().expect("32 bytes"),
            timestamp_ms: sct.number(8),
            extensions: sct.vector(2).to_vec(),
            signed: sct.0.to_vec(),
        }
    }

    /// The SCT in the answer to add-chain or add-pre-chain.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn answered(body: &serde_json::Value) -> Self {
        assert_eq!(body["sct_version"], 0);
        let bytes = |name: &str| unb64(body[name].as_str().expect("base64"));
        Self {
            log_id: bytes("id").try_into().expect("32 bytes"),
            timestamp_ms: body["timestamp"].as_u64().expect("a number"),
            extensions: bytes("extensions"),
            signed: bytes("signature"),
        }
    }

    /// Checks the SCT over an entry under the log's key (RFC 6962 section 3.2).
    ///
    /// # Panics
    /// When it does not hold.
    pub fn must_hold(&self, entry: &Entry<'_>, log_key: &[u8]) {
        assert_eq!(self.log_id, sha256(log_key));
        let message = entry.leaf(self.timestamp_ms, &self.extensions);
        let signature = digitally_signed(&self.signed);
        assert!(p256_verifies(log_key, &message, signature), "the SCT does not hold");
    }

    /// The leaf index that static-ct-api puts into the extensions.
    ///
    /// # Panics
    /// When it is not the one extension.
    #[must_use]
    pub fn leaf_index(&self) -> u64 {
        let mut reader = Reader(&self.extensions);
        assert_eq!(reader.take(3), [0, 0, 5], "one leaf_index extension of five bytes");
        let index = reader.number(5);
        assert!(reader.0.is_empty());
        index
    }
}

/// What an SCT and a leaf are about.
pub enum Entry<'a> {
    /// A final certificate.
    X509(&'a [u8]),
    /// A precertificate: its issuer's SPKI, and its TBS without poison.
    Precert {
        /// SubjectPublicKeyInfo of the issuing CA.
        issuer_spki: &'a [u8],
        /// TBSCertificate without the poison.
        tbs: Vec<u8>,
    },
}

impl<'a> Entry<'a> {
    /// The precertificate of a final certificate.
    #[must_use]
    pub fn precert_of(leaf: &[u8], issuer: &'a [u8]) -> Self {
        let tbs = Certificate::read(leaf).tbs_without(SCT_LIST);
        Entry::Precert { issuer_spki: Certificate::read(issuer).spki, tbs }
    }

    /// The MerkleTreeLeaf, which is also what an SCT signs: version 0 and type 0 in both.
    #[must_use]
    pub fn leaf(&self, timestamp_ms: u64, extensions: &[u8]) -> Vec<u8> {
        let mut out = vec![0, 0];
        out.extend(timestamp_ms.to_be_bytes());
        let long = |out: &mut Vec<u8>, bytes: &[u8]| {
            out.extend_from_slice(&(bytes.len() as u32).to_be_bytes()[1..]);
            out.extend_from_slice(bytes);
        };
        match self {
            Self::X509(der) => {
                out.extend([0, 0]);
                long(&mut out, der);
            }
            Self::Precert { issuer_spki, tbs } => {
                out.extend([0, 1]);
                out.extend(sha256(issuer_spki));
                long(&mut out, tbs);
            }
        }
        out.extend((extensions.len() as u16).to_be_bytes());
        out.extend_from_slice(extensions);
        out
    }
}

/// The SPKI of the CT log's key, out of the served trust root.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn log_key(instance: &Instance) -> Vec<u8> {
    let root = instance.json("/trusted_root.json");
    unb64(root["ctlogs"][0]["publicKey"]["rawBytes"].as_str().expect("a log key"))
}

/// How many entries the CT log has.
#[must_use]
pub fn size(instance: &Instance) -> u64 {
    instance.json("/ct/v1/get-sth")["tree_size"].as_u64().expect("a number")
}

/// Reads TLS presentation language.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next bytes.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    /// A big-endian number of so many bytes.
    pub fn number(&mut self, count: usize) -> u64 {
        self.take(count).iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }

    /// A vector whose length takes so many bytes.
    pub fn vector(&mut self, length_bytes: usize) -> &'a [u8] {
        let length = self.number(length_bytes);
        self.take(length as usize)
    }
}

/// The extension with the SCTs.
pub const SCT_LIST: &str = "1.3.6.1.4.1.11129.2.4.2";
/// The extension that makes a precertificate.
pub const POISON: &str = "1.3.6.1.4.1.11129.2.4.3";
