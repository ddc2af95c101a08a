//! Why an entry was not logged, and why the log was not opened.

use merkle::merkle::ProveError;
use thiserror::Error;

use crate::birth::BirthError;
use crate::edge::NodeError;
use crate::entry::Tree;
use crate::highwater::HighWaterError;
use crate::queue::Refused;
use crate::scrub::Damage;
use crate::signer::{HeadError, SignError};
use crate::store::StoreError;

/// Why an entry was not logged, or not shown to be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// Too much work is waiting. Try again in a moment.
    #[error("the log has as much work waiting as it takes")]
    Overloaded,
    /// The log is stopping.
    #[error("the log is shutting down")]
    ShuttingDown,
    /// The writer is gone.
    #[error("the log's writer has stopped")]
    Stopped,
    /// This tree is not run here.
    #[error("there is no {tree} log here")]
    NoSuchTree {
        /// The tree.
        tree: Tree,
    },
    /// The store failed. If it failed while committing, the entry may have been logged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log's key could not sign the head.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// Stored entries are damaged, so no head is signed over them.
    #[error("the log signs nothing more: {0}")]
    Damaged(Damage),
    /// Another entry is stored under the same 256-bit identity.
    #[error("another entry of tree {tree} (index {index}) has the same identity")]
    IdentityCollision {
        /// The tree.
        tree: Tree,
        /// The other entry.
        index: u64,
    },
    /// Other writers moved the head each time that we tried.
    #[error("other writers kept moving the head of tree {tree}")]
    HeadKeptMoving {
        /// The tree.
        tree: Tree,
    },
    /// The tree holds as many entries as CT's 40-bit leaf index can number.
    #[error("tree {tree} is full")]
    TreeFull {
        /// The tree.
        tree: Tree,
    },
    /// A node of the tree can't be had.
    #[error("the tree can't be continued: {0}")]
    Nodes(#[from] NodeError),
    /// The entry is logged, but its proof can't be computed.
    #[error("the entry is logged, but its proof can't be computed: {error}")]
    Proof {
        /// Why.
        error: ProveError<NodeError>,
    },
}

impl From<Refused> for SubmitError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Full => Self::Overloaded,
            Refused::Closed => Self::ShuttingDown,
        }
    }
}

/// Why the log was not opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    /// A tree is configured twice.
    #[error("tree {tree} is configured twice")]
    DuplicateTree {
        /// The tree.
        tree: Tree,
    },
    /// Two trees have the same origin.
    #[error("two logs have the origin {origin:?}; each needs its own")]
    DuplicateOrigin {
        /// The origin.
        origin: String,
    },
    /// Two trees have the same key.
    #[error("tree {tree} has the key of another log; each needs its own")]
    DuplicateKey {
        /// The second tree.
        tree: Tree,
    },
    /// Signer and verifier of a tree disagree.
    #[error("the signer of {origin:?} came with a verifier for {verifier:?}")]
    OriginMismatch {
        /// The signer's origin.
        origin: String,
        /// The verifier's name.
        verifier: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The high-water file can't be used.
    #[error(transparent)]
    HighWater(#[from] HighWaterError),
    /// The stored head is not one of ours.
    #[error("the stored head of tree {tree} is not one that our key signed: {reason}")]
    HeadNotOurs {
        /// The tree.
        tree: Tree,
        /// What the check said.
        reason: HeadError,
    },
    /// Entries and tiles do not give the root that was signed.
    #[error(
        "the stored entries of tree {tree} do not give the root of its signed head (size {size}); run `ca fsck`"
    )]
    RootMismatch {
        /// The tree.
        tree: Tree,
        /// The size of the head.
        size: u64,
    },
    /// A node of the tree can't be had.
    #[error("tree {tree} can't be read: {error}; run `ca fsck`")]
    Nodes {
        /// The tree.
        tree: Tree,
        /// Why.
        error: NodeError,
    },
    /// The store is older than heads that were served: a restored backup, or a lost database.
    #[error(
        "the store holds {stored} entries of tree {tree}, but heads up to {seen} entries were served; going on would fork the log, so restore the newest store or start a new log with a new key"
    )]
    RolledBack {
        /// The tree.
        tree: Tree,
        /// The size in the store.
        stored: u64,
        /// The size in the high-water file.
        seen: u64,
    },
    /// The store holds another history than the heads that were served.
    #[error(
        "the store's tree {tree} is not the one that was served: their roots differ at size {size}"
    )]
    Forked {
        /// The tree.
        tree: Tree,
        /// The size at which both have a root.
        size: u64,
    },
    /// The entry to be born with could not be made.
    #[error(transparent)]
    Birth(#[from] BirthError),
    /// The commit that creates a tree failed.
    #[error("the log could not be created: {0}")]
    Create(SubmitError),
    /// A thread could not be started.
    #[error("a thread could not be started: {error}")]
    Thread {
        /// Why.
        error: std::io::ErrorKind,
    },
}
