//! The four states of an entry, each a type that only the step before it can make:
//! [`Submitted`] → [`Accepted`] → `Sequenced` → [`Published`].
//!
//! Only a dialect ([`crate::rekor2`], [`crate::ct`]) turns bytes into an `Accepted`, only the
//! sequencer gives one an index, and only a commit that succeeded yields a `Published`. So nothing
//! unverified can be logged, and no index or proof can be answered before it is durable.

use std::sync::{Arc, LazyLock};

use merkle::Hash;
use sha2::{Digest as _, Sha256};

use crate::ct::Unsealed;
use crate::search::SearchKey;
use crate::store::{Issuer, NewEntry, SignedHead, StoredEntry};

/// One of the logs in the engine. A closed set: each has its own key, origin and index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tree {
    /// Certificate Transparency: RFC 6962 entries, static-ct tiles.
    Ct,
    /// Rekor v2: hashedrekord 0.0.2 bodies.
    Rekor2,
}

impl Tree {
    /// Every tree, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Ct, Self::Rekor2];

    /// The stable name, for messages, metrics and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ct => "ct",
            Self::Rekor2 => "rekor2",
        }
    }

    /// The stable number, as stored.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::Ct => 1,
            Self::Rekor2 => 2,
        }
    }

    /// The tree with this number, if there is one.
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|tree| tree.id() == id)
    }

    /// The tree with this name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tree| tree.name() == name)
    }
}

impl std::fmt::Display for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A request body as a client sent it. Nothing about it has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted(Vec<u8>);

impl Submitted {
    /// Takes a request body.
    #[must_use]
    pub fn new(body: Vec<u8>) -> Self {
        Self(body)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// An entry whose dialect has verified all that it demands. It has no index yet.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub(crate) tree: Tree,
    pub(crate) identity: [u8; 32],
    pub(crate) leaf: Leaf,
    pub(crate) search: Vec<SearchKey>,
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) audit: Option<AuditRow>,
}

/// Makes the audit row of an entry once its index is known, so that the row can stand in the
/// commit that logs the entry.
#[derive(Clone)]
pub(crate) struct AuditRow(pub(crate) Arc<dyn Fn(u64) -> Vec<u8> + Send + Sync>);

impl std::fmt::Debug for AuditRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditRow")
    }
}

/// What will be hashed into the tree.
#[derive(Debug, Clone)]
pub(crate) enum Leaf {
    /// Bytes that do not depend on where they land. Hashed on the submitter's thread, so that the
    /// sequencer does not pay for it.
    Body { body: Arc<[u8]>, hash: Hash },
    /// A CT leaf carries its own timestamp and index (static-ct-api, "leaf_index").
    Ct(Arc<Unsealed>),
}

impl Accepted {
    pub(crate) fn of_body(tree: Tree, body: Vec<u8>, search: Vec<SearchKey>) -> Self {
        let hash = merkle::merkle::leaf_hash(&body);
        let identity = Sha256::digest(&body).into();
        let leaf = Leaf::Body { body: body.into(), hash };
        Self { tree, identity, leaf, search, issuers: Vec::new(), audit: None }
    }

    /// Has an audit row written in the commit that logs this entry. `row` is given the entry's
    /// index. An entry that turns out to be in the log already gets no row.
    #[must_use]
    pub fn with_audit(mut self, row: impl Fn(u64) -> Vec<u8> + Send + Sync + 'static) -> Self {
        self.audit = Some(AuditRow(Arc::new(row)));
        self
    }

    /// The log that this entry is for.
    #[must_use]
    pub fn tree(&self) -> Tree {
        self.tree
    }

    /// SHA-256 over what makes two submissions the same entry in this dialect. All 256 bits are
    /// kept: sunlight's 128-bit key once answered with the promise of another certificate.
    #[must_use]
    pub fn identity(&self) -> &[u8; 32] {
        &self.identity
    }

    /// Gives the entry its place.
    pub(crate) fn sequence(&self, index: u64, timestamp_ms: u64) -> Sequenced {
        let mut search = self.search.clone();
        let (body, extra, hash) = match &self.leaf {
            Leaf::Body { body, hash } => (body.clone(), NO_EXTRA.clone(), *hash),
            Leaf::Ct(unsealed) => {
                let body = unsealed.seal(index, timestamp_ms);
                let hash = merkle::merkle::leaf_hash(&body);
                search.push(SearchKey::leaf(&hash));
                (Arc::from(body), unsealed.extra.clone(), hash)
            }
        };
        Sequenced { hash, entry: NewEntry { index, body, extra, dedup: self.identity, search } }
    }

    /// Whether an entry that was found under our identity really is this one.
    pub(crate) fn is(&self, stored: &StoredEntry) -> bool {
        match &self.leaf {
            Leaf::Body { body, .. } => **body == *stored.body,
            Leaf::Ct(unsealed) => unsealed.is(stored),
        }
    }
}

/// An entry with an index in a batch that is not yet committed. Never leaves the crate.
#[derive(Debug, Clone)]
pub(crate) struct Sequenced {
    pub(crate) hash: Hash,
    pub(crate) entry: NewEntry,
}

/// A durable entry under a signed head, with its proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub(crate) tree: Tree,
    pub(crate) entry: StoredEntry,
    pub(crate) duplicate: bool,
    pub(crate) head: Arc<SignedHead>,
    pub(crate) proof: Vec<Hash>,
}

impl Published {
    /// The log that holds the entry.
    #[must_use]
    pub fn tree(&self) -> Tree {
        self.tree
    }

    /// The index in that log, from 0.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.entry.index
    }

    /// The bytes whose leaf hash is in the tree.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.entry.body
    }

    /// What is stored beside the body without being hashed (CT: see [`crate::ct`]).
    #[must_use]
    pub fn extra(&self) -> &[u8] {
        &self.entry.extra
    }

    /// Whether the log had this entry already, and this answer repeats it.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        self.duplicate
    }

    /// A signed head that covers the entry.
    #[must_use]
    pub fn head(&self) -> &SignedHead {
        &self.head
    }

    /// The inclusion proof (RFC 6962 §2.1.1) of the entry under [`Published::head`].
    #[must_use]
    pub fn proof(&self) -> &[Hash] {
        &self.proof
    }
}

static NO_EXTRA: LazyLock<Arc<[u8]>> = LazyLock::new(|| Arc::from([].as_slice()));
