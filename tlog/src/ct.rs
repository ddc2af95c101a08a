//! The certificate transparency dialect: RFC 6962 submissions and reads, static-ct-api leaves.
//!
//! The log takes only what our own issuing CAs signed. A stored entry is its MerkleTreeLeaf (the
//! body, which is hashed) and, beside it, what the leaf leaves out: for a precertificate its DER
//! (u24 length), then the SHA-256 fingerprints of the chain above it (u16 length in bytes). The
//! two together are the TileLeaf of static-ct-api.

mod chain;
mod reads;
mod sct;
mod stored;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use formats::certificate::{Certificate, CertificateError};
use formats::json::{self, Base64, JsonError};
use formats::key::KeyError;
use formats::limits::MAX_CHAIN_CERTIFICATES;
use formats::sct::{
    LogEntryKind, SctError, is_precertificate, leaf_index_extension, merkle_tree_leaf, precert_tbs,
};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::entry::{Accepted, Leaf, Submitted, Tree};
use crate::search::{self, SearchKey};
use crate::store::{Issuer, StoredEntry};

pub use chain::{Authorities, AuthorityError};
pub use reads::{MAX_GET_ENTRIES, get_entries, get_proof_by_hash, get_sth, get_sth_consistency};
pub use sct::{SctAnswerError, sct, sct_json};
pub(crate) use stored::{StoredFault, keys_of, tile_leaf, verify_stored};

/// Takes the body of `add-chain`: a final certificate of ours and its chain.
///
/// # Errors
/// [`Rejected`]: the request's fault.
pub fn accept_chain(body: &Submitted, ours: &Authorities) -> Result<Accepted, Rejected> {
    let chain = parse_chain(body)?;
    let (leaf, above) = split(&chain)?;
    if is_precertificate(leaf)? {
        return Err(Rejected::Precertificate);
    }
    let chain = ours.check(leaf, above)?;
    x509_entry(leaf, chain)
}

/// Takes the body of `add-pre-chain`: a precertificate of ours and its chain.
///
/// # Errors
/// [`Rejected`]: the request's fault.
pub fn accept_pre_chain(body: &Submitted, ours: &Authorities) -> Result<Accepted, Rejected> {
    let chain = parse_chain(body)?;
    let (leaf, above) = split(&chain)?;
    accept_precertificate(leaf, above, ours)
}

/// Takes a precertificate that this very process has signed a moment ago, which is why its
/// signature alone is not checked again: the way in for a CA beside its log.
///
/// # Errors
/// [`Rejected`]: not a precertificate in the name of one of our CAs.
pub fn accept_just_signed(
    precertificate: &Certificate,
    ours: &Authorities,
) -> Result<Accepted, Rejected> {
    let chain = ours.named_by(precertificate)?;
    precertificate_entry(precertificate, chain)
}

/// Takes a parsed precertificate, with the same checks as over the wire.
///
/// # Errors
/// [`Rejected`]: not a precertificate that one of our CAs signed.
pub fn accept_precertificate(
    precertificate: &Certificate,
    above: &[Certificate],
    ours: &Authorities,
) -> Result<Accepted, Rejected> {
    // What it is comes first: a final certificate in the wrong place is told so.
    must_be_precertificate(precertificate)?;
    precertificate_entry(precertificate, ours.check(precertificate, above)?)
}

fn must_be_precertificate(precertificate: &Certificate) -> Result<(), Rejected> {
    if !is_precertificate(precertificate)? {
        return Err(Rejected::NotAPrecertificate);
    }
    // RFC 6962 3.1 and 3.3: the poison marks what comes before SCTs, the list what comes after.
    if precertificate.extension(formats::certificate::oid::SCT_LIST).is_some() {
        return Err(Rejected::PoisonAndScts);
    }
    Ok(())
}

fn precertificate_entry(
    precertificate: &Certificate,
    chain: &[Certificate],
) -> Result<Accepted, Rejected> {
    must_be_precertificate(precertificate)?;
    let issuer = chain.first().ok_or(Rejected::NotOurs)?;
    let tbs = precert_tbs(precertificate)?;
    let issuer_key_hash = Sha256::digest(issuer.spki_der()).into();
    let kind = LogEntryKind::Precert { issuer_key_hash, tbs: &tbs };
    let mut extra = Vec::with_capacity(precertificate.der().len() + 128);
    stored::push_u24(&mut extra, precertificate.der()).ok_or(Rejected::TooLarge)?;
    entry(&kind, extra, precertificate, chain)
}

/// The entry that the log is born with: the certificate of the issuing CA itself, under its
/// chain. The one entry that an issuing CA did not sign.
pub fn accept_issuing(ours: &Authorities) -> Result<Accepted, Rejected> {
    let chain = ours.chains().next().ok_or(Rejected::NotOurs)?;
    let (leaf, above) = chain.split_first().ok_or(Rejected::NotOurs)?;
    x509_entry(leaf, if above.is_empty() { chain } else { above })
}

/// The answer to `get-roots`.
#[must_use]
pub fn get_roots(ours: &Authorities) -> Value {
    let roots = ours.chains().filter_map(<[Certificate]>::last);
    let roots: Vec<String> = roots.map(|root| STANDARD.encode(root.der())).collect();
    json!({ "certificates": roots })
}

fn x509_entry(leaf: &Certificate, above: &[Certificate]) -> Result<Accepted, Rejected> {
    entry(&LogEntryKind::X509 { der: leaf.der() }, Vec::new(), leaf, above)
}

fn entry(
    kind: &LogEntryKind<'_>,
    mut extra: Vec<u8>,
    leaf: &Certificate,
    above: &[Certificate],
) -> Result<Accepted, Rejected> {
    let issuers: Vec<Issuer> = above.iter().map(issuer).collect();
    let fingerprints = issuers.iter().flat_map(|issuer| issuer.fingerprint).collect::<Vec<u8>>();
    stored::push_u16(&mut extra, &fingerprints).ok_or(Rejected::TooLarge)?;
    let extension = leaf_index_extension(0)?;
    let template = merkle_tree_leaf(0, kind, &extension)?;
    // static-ct-api puts a leaf into a data tile as it is, so u16 does not bound it; but an entry
    // that other tile readers can't hold is not worth having.
    if template.len() > merkle::entries::MAX_ENTRY {
        return Err(Rejected::TooLarge);
    }
    let identity = stored::identity(&template).ok_or(Rejected::TooLarge)?;
    let unsealed = Unsealed { template, extra: extra.into() };
    Ok(Accepted {
        tree: Tree::Ct,
        identity,
        leaf: Leaf::Ct(Arc::new(unsealed)),
        search: search_keys(leaf),
        issuers,
        audit: None,
    })
}

fn search_keys(leaf: &Certificate) -> Vec<SearchKey> {
    let mut keys: Vec<SearchKey> = search::identities(leaf).collect();
    keys.push(SearchKey::public_key(&Sha256::digest(leaf.spki_der()).into()));
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn issuer(certificate: &Certificate) -> Issuer {
    let der = certificate.der();
    Issuer { fingerprint: Sha256::digest(der).into(), der: der.into() }
}

/// A MerkleTreeLeaf whose timestamp and leaf index are still zero.
#[derive(Debug, Clone)]
pub(crate) struct Unsealed {
    template: Vec<u8>,
    pub(crate) extra: Arc<[u8]>,
}

impl Unsealed {
    /// The leaf at its place. Both fields have fixed places: the timestamp after version and leaf
    /// type, the 40-bit index at the very end.
    pub(crate) fn seal(&self, index: u64, timestamp_ms: u64) -> Vec<u8> {
        let mut leaf = self.template.clone();
        if let Some(field) = leaf.get_mut(stored::TIMESTAMP) {
            field.copy_from_slice(&timestamp_ms.to_be_bytes());
        }
        let [_, _, _, index @ ..] = index.to_be_bytes();
        if let Some(field) = leaf.last_chunk_mut::<5>() {
            *field = index;
        }
        leaf
    }

    /// Whether a stored entry is this one, at its own place and time.
    pub(crate) fn is(&self, stored: &StoredEntry) -> bool {
        let Some(timestamp_ms) = stored::timestamp(&stored.body) else { return false };
        self.seal(stored.index, timestamp_ms) == *stored.body
    }
}

fn parse_chain(body: &Submitted) -> Result<Vec<Certificate>, Rejected> {
    let WireChain { chain } = json::from_slice(body.bytes())?;
    if chain.len() > MAX_CHAIN_CERTIFICATES {
        return Err(Rejected::ChainTooLong { count: chain.len() });
    }
    let parse = |(at, der): (usize, &Base64)| {
        Certificate::from_der(&der.0).map_err(|error| Rejected::Certificate { at, error })
    };
    chain.iter().enumerate().map(parse).collect()
}

fn split(chain: &[Certificate]) -> Result<(&Certificate, &[Certificate]), Rejected> {
    chain.split_first().ok_or(Rejected::EmptyChain)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireChain {
    chain: Vec<Base64>,
}

/// Why a submission was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Rejected {
    /// Not JSON of the shape `{"chain": [base64, ...]}`.
    #[error("request body: {0}")]
    Json(#[from] JsonError),
    /// No certificate at all.
    #[error("chain is empty")]
    EmptyChain,
    /// More certificates than any chain of ours has.
    #[error("chain has {count} certificates, more than {MAX_CHAIN_CERTIFICATES}")]
    ChainTooLong {
        /// How many there were.
        count: usize,
    },
    /// A certificate does not parse.
    #[error("chain[{at}]: {error}")]
    Certificate {
        /// Its place, the leaf being 0.
        at: usize,
        /// What was wrong.
        error: CertificateError,
    },
    /// A precertificate was sent to `add-chain`.
    #[error("chain[0] is a precertificate; it belongs to add-pre-chain")]
    Precertificate,
    /// Something else was sent to `add-pre-chain`.
    #[error("chain[0] is not a precertificate: the critical poison extension is missing")]
    NotAPrecertificate,
    /// Both the poison and embedded SCTs.
    #[error("chain[0] has both the poison extension and a list of SCTs")]
    PoisonAndScts,
    /// Not signed by a CA of ours, or not under the chain that we know for it.
    #[error("chain does not lead from chain[0] to a CA that this log takes certificates of")]
    NotOurs,
    /// Signed by one of our CAs only in name.
    #[error("chain[0] names our CA as its issuer, but that CA did not sign it")]
    BadSignature,
    /// The poison or another structure is malformed.
    #[error("chain[0]: {0}")]
    Structure(#[from] SctError),
    /// The CA's key can't be read.
    #[error("the issuing CA's key: {0}")]
    IssuerKey(#[from] KeyError),
    /// Longer than a log entry can be.
    #[error("the entry is longer than a log entry can be")]
    TooLarge,
}
