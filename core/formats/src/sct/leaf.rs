//! What a log signs and what it hashes.

use super::{Fields, SctError, VERSION_1, push_vector};

/// What was submitted to a log (RFC 6962 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogEntryKind<'a> {
    /// A final certificate.
    X509 {
        /// The certificate in DER.
        der: &'a [u8],
    },
    /// A precertificate.
    Precert {
        /// SHA-256 of the issuer's SubjectPublicKeyInfo.
        issuer_key_hash: [u8; 32],
        /// The TBSCertificate without poison and SCT list, from [`super::precert_tbs`].
        tbs: &'a [u8],
    },
}

/// The bytes an SCT signs (RFC 6962 section 3.2).
///
/// # Errors
/// [`SctError::TooLong`]: an entry above 16 MiB or extensions above 65,535 bytes.
pub fn sct_signed_data(
    timestamp_ms: u64,
    entry: &LogEntryKind<'_>,
    extensions: &[u8],
) -> Result<Vec<u8>, SctError> {
    timestamped_entry(CERTIFICATE_TIMESTAMP, timestamp_ms, entry, extensions)
}

/// The MerkleTreeLeaf (RFC 6962 section 3.4); its leaf hash is SHA-256 of a zero byte and this.
///
/// # Errors
/// [`SctError::TooLong`]: an entry above 16 MiB or extensions above 65,535 bytes.
pub fn merkle_tree_leaf(
    timestamp_ms: u64,
    entry: &LogEntryKind<'_>,
    extensions: &[u8],
) -> Result<Vec<u8>, SctError> {
    timestamped_entry(TIMESTAMPED_ENTRY, timestamp_ms, entry, extensions)
}

/// Both structures have this layout and differ in what their second byte means.
fn timestamped_entry(
    kind: u8,
    timestamp_ms: u64,
    entry: &LogEntryKind<'_>,
    extensions: &[u8],
) -> Result<Vec<u8>, SctError> {
    let mut out = Vec::with_capacity(1024 + extensions.len());
    out.extend_from_slice(&[VERSION_1, kind]);
    out.extend_from_slice(&timestamp_ms.to_be_bytes());
    match entry {
        LogEntryKind::X509 { der } => {
            out.extend_from_slice(&X509_ENTRY.to_be_bytes());
            push_long_vector(&mut out, der, "certificate")?;
        }
        LogEntryKind::Precert { issuer_key_hash, tbs } => {
            out.extend_from_slice(&PRECERT_ENTRY.to_be_bytes());
            out.extend_from_slice(issuer_key_hash);
            push_long_vector(&mut out, tbs, "TBSCertificate")?;
        }
    }
    push_vector(&mut out, extensions, "SCT extensions")?;
    Ok(out)
}

/// The bytes a signed tree head signs (RFC 6962 section 3.5).
#[must_use]
pub fn tree_head_signed_data(timestamp_ms: u64, size: u64, root: &[u8; 32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(50);
    out.extend_from_slice(&[VERSION_1, TREE_HASH]);
    out.extend_from_slice(&timestamp_ms.to_be_bytes());
    out.extend_from_slice(&size.to_be_bytes());
    out.extend_from_slice(root);
    out
}

/// CtExtensions with the leaf index alone (static-ct-api): type 0, length 5, 40-bit index.
///
/// # Errors
/// [`SctError::TooLong`] for an index of more than 40 bits.
pub fn leaf_index_extension(index: u64) -> Result<[u8; 8], SctError> {
    let [0, 0, 0, a, b, c, d, e] = index.to_be_bytes() else {
        return Err(SctError::TooLong { field: "leaf index" });
    };
    Ok([LEAF_INDEX, 0, 5, a, b, c, d, e])
}

/// The leaf index among an SCT's extensions; extensions of other types are passed over.
///
/// # Errors
/// [`SctError::NoLeafIndex`] without exactly one of five bytes; [`SctError::Truncated`].
pub fn parse_leaf_index_extension(extensions: &[u8]) -> Result<u64, SctError> {
    let mut fields = Fields { rest: extensions };
    let mut index = None;
    while !fields.rest.is_empty() {
        let [kind] = fields.array("SCT extension type")?;
        let data = fields.vector("SCT extension")?;
        if kind != LEAF_INDEX {
            continue;
        }
        let (&[a, b, c, d, e], None) = (data, index) else { return Err(SctError::NoLeafIndex) };
        index = Some(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]));
    }
    index.ok_or(SctError::NoLeafIndex)
}

fn push_long_vector(out: &mut Vec<u8>, bytes: &[u8], field: &'static str) -> Result<(), SctError> {
    let length = u32::try_from(bytes.len()).map_err(|_| SctError::TooLong { field })?;
    let [0, length @ ..] = length.to_be_bytes() else { return Err(SctError::TooLong { field }) };
    out.extend_from_slice(&length);
    out.extend_from_slice(bytes);
    Ok(())
}

const CERTIFICATE_TIMESTAMP: u8 = 0;
const TREE_HASH: u8 = 1;
const TIMESTAMPED_ENTRY: u8 = 0;
const X509_ENTRY: u16 = 0;
const PRECERT_ENTRY: u16 = 1;
const LEAF_INDEX: u8 = 0;
