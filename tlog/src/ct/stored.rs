//! A stored CT entry taken apart: the MerkleTreeLeaf of RFC 6962 §3.4 and what is kept beside it.

use std::ops::Range;
use std::sync::Arc;

use formats::certificate::Certificate;
use formats::sct::precert_tbs;
use sha2::{Digest as _, Sha256};
use verify::crypto::verify_certificate_signature;

use super::search_keys;
use crate::search::SearchKey;
use crate::store::StoredEntry;

/// The fields of a MerkleTreeLeaf of ours.
pub(crate) struct StoredLeaf<'a> {
    pub(crate) timestamp_ms: u64,
    pub(crate) kind: Kind<'a>,
    pub(crate) extensions: &'a [u8],
}

/// What was submitted.
pub(crate) enum Kind<'a> {
    X509 { der: &'a [u8] },
    Precert { issuer_key_hash: &'a [u8; 32], tbs: &'a [u8] },
}

impl<'a> StoredLeaf<'a> {
    /// Takes a body apart; `None` when it is not a leaf that this log writes.
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let rest = body.strip_prefix(&[V1, TIMESTAMPED_ENTRY])?;
        let (timestamp, rest) = rest.split_first_chunk::<8>()?;
        let (kind, rest) = rest.split_first_chunk::<2>()?;
        let (kind, rest) = match u16::from_be_bytes(*kind) {
            0 => {
                let (der, rest) = take_u24(rest)?;
                (Kind::X509 { der }, rest)
            }
            1 => {
                let (issuer_key_hash, rest) = rest.split_first_chunk::<32>()?;
                let (tbs, rest) = take_u24(rest)?;
                (Kind::Precert { issuer_key_hash, tbs }, rest)
            }
            _ => return None,
        };
        let (length, extensions) = rest.split_first_chunk::<2>()?;
        let exact = usize::from(u16::from_be_bytes(*length)) == extensions.len();
        exact.then_some(Self { timestamp_ms: u64::from_be_bytes(*timestamp), kind, extensions })
    }
}

/// What is kept beside a leaf.
pub(crate) struct StoredExtra<'a> {
    pub(crate) precertificate: Option<&'a [u8]>,
    pub(crate) fingerprints: &'a [[u8; 32]],
}

impl<'a> StoredExtra<'a> {
    /// Takes it apart; the leaf says whether a precertificate comes first.
    pub(crate) fn parse(leaf: &StoredLeaf<'_>, extra: &'a [u8]) -> Option<Self> {
        let (precertificate, rest) = match leaf.kind {
            Kind::X509 { .. } => (None, extra),
            Kind::Precert { .. } => {
                let (der, rest) = take_u24(extra)?;
                (Some(der), rest)
            }
        };
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (fingerprints, left) = rest.as_chunks::<32>();
        let exact = usize::from(u16::from_be_bytes(*length)) == rest.len() && left.is_empty();
        exact.then_some(Self { precertificate, fingerprints })
    }
}

/// The identity and search keys of a stored entry, derived from it alone; `None` when body and
/// extra are not a pair that this log writes.
pub(crate) fn keys_of(entry: &StoredEntry) -> Option<([u8; 32], Vec<SearchKey>)> {
    let leaf = StoredLeaf::parse(&entry.body)?;
    let extra = StoredExtra::parse(&leaf, &entry.extra)?;
    let certificate = match (&leaf.kind, extra.precertificate) {
        (Kind::X509 { der }, None) => Certificate::from_der(der).ok()?,
        (Kind::Precert { tbs, .. }, Some(der)) => {
            let certificate = Certificate::from_der(der).ok()?;
            if precert_tbs(&certificate).ok()? != *tbs {
                return None;
            }
            certificate
        }
        _ => return None,
    };
    let mut search = search_keys(&certificate);
    search.push(SearchKey::leaf(&merkle::merkle::leaf_hash(&entry.body)));
    Some((identity(&entry.body)?, search))
}

/// Whether the certificate that a stored entry is about is signed by the issuer stored for it,
/// whose key the leaf names. The leaf hash covers the TBS; this covers the rest of what is served.
pub(crate) fn verify_stored(
    entry: &StoredEntry,
    issuer: &mut dyn FnMut(&[u8; 32]) -> Option<Arc<Certificate>>,
) -> Result<(), StoredFault> {
    let leaf = StoredLeaf::parse(&entry.body).ok_or(StoredFault::Malformed)?;
    let extra = StoredExtra::parse(&leaf, &entry.extra).ok_or(StoredFault::Malformed)?;
    let (key_hash, der) = match (&leaf.kind, extra.precertificate) {
        (Kind::X509 { der }, _) => (None, *der),
        (Kind::Precert { issuer_key_hash, .. }, Some(der)) => (Some(*issuer_key_hash), der),
        (Kind::Precert { .. }, None) => return Err(StoredFault::Malformed),
    };
    let certificate = Certificate::from_der(der).map_err(|_| StoredFault::Malformed)?;
    let mut above = None;
    for fingerprint in extra.fingerprints {
        let found = issuer(fingerprint).ok_or(StoredFault::NoIssuer)?;
        above.get_or_insert(found);
    }
    let above = above.ok_or(StoredFault::NoIssuer)?;
    let key = above.public_key().map_err(|_| StoredFault::NotSigned)?;
    if key_hash.is_some_and(|hash| *hash != key.id()) {
        return Err(StoredFault::NotSigned);
    }
    verify_certificate_signature(&key, &certificate).map_err(|_| StoredFault::NotSigned)
}

/// What is wrong with a stored entry beyond its leaf.
pub(crate) enum StoredFault {
    Malformed,
    NoIssuer,
    NotSigned,
}

/// SHA-256 over entry type, issuer key hash and certificate or TBS: what the SCT is about,
/// without when and where.
pub(crate) fn identity(leaf: &[u8]) -> Option<[u8; 32]> {
    let end = leaf.len().checked_sub(EXTENSIONS_LEN)?;
    Some(Sha256::digest(leaf.get(TIMESTAMP.end..end)?).into())
}

/// The TileLeaf of static-ct-api: the TimestampedEntry, which is the leaf without its version and
/// type, then what is kept beside it.
pub(crate) fn tile_leaf(out: &mut Vec<u8>, entry: &StoredEntry) {
    out.extend_from_slice(entry.body.get(TIMESTAMP.start..).unwrap_or_default());
    out.extend_from_slice(&entry.extra);
}

pub(crate) fn timestamp(leaf: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(leaf.get(TIMESTAMP)?.try_into().ok()?))
}

pub(crate) fn push_u24(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    let [0, length @ ..] = u32::try_from(bytes.len()).ok()?.to_be_bytes() else { return None };
    out.extend_from_slice(&length);
    out.extend_from_slice(bytes);
    Some(())
}

pub(crate) fn push_u16(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    out.extend_from_slice(&u16::try_from(bytes.len()).ok()?.to_be_bytes());
    out.extend_from_slice(bytes);
    Some(())
}

fn take_u24(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let ([a, b, c], rest) = bytes.split_first_chunk::<3>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).ok()?)
}

/// Where the timestamp is in a leaf.
pub(crate) const TIMESTAMP: Range<usize> = 2..10;
const V1: u8 = 0;
const TIMESTAMPED_ENTRY: u8 = 0;
/// u16 length, and the leaf index extension of 8 bytes.
const EXTENSIONS_LEN: usize = 10;
