//! The handle on the log: opens it, takes entries, answers with proofs.
//!
//! One operating-system thread ([`crate::sequencer`]) writes for all trees. This handle puts work
//! into its bounded queue and waits; proofs for new entries are computed here, on the caller's
//! thread, so that the writer does not pay for them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use merkle::merkle::{ProveError, prove_inclusion};
use merkle::note::NoteVerifier;
use thiserror::Error;
use tokio::sync::oneshot;

use crate::edge::{AllNodes, Edge, NodeError};
use crate::entry::{Accepted, Published, Tree};
use crate::highwater::HighWaterError;
use crate::metrics::Metrics;
use crate::queue::{Job, Queue, Refused};
use crate::scrub::{self, Damage, Scrubber};
use crate::sequencer::{Answer, Sequencer};
use crate::signer::{HeadSigner, SignError};
use crate::store::{Head, SignedHead, Store, StoreError};

/// Milliseconds since the Unix epoch, injected so that tests own the time.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A handle on all logs of one store. Clones share the writer; when the last one goes, what was
/// taken is committed and the writer stops.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    writer: Arc<Writer>,
}

impl Engine {
    /// Opens every tree: checks the stored head against our key, recomputes the right edge against
    /// its root, compares it with the high-water file, and gives a tree that was never born its
    /// first entry.
    ///
    /// Blocks on the disk.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was started then, and nothing was written except perhaps births.
    pub fn open(
        store: Arc<dyn Store>,
        trees: Vec<TreeConfig>,
        clock: Clock,
        settings: Settings,
    ) -> Result<Self, OpenError> {
        distinct(&trees)?;
        let queue = Queue::new(settings.max_outstanding);
        let scrub_rate = settings.scrub_entries_per_second;
        let sequencer = Sequencer::open(store, trees, clock, settings, queue)?;
        let shared = sequencer.shared();
        let thread = std::thread::Builder::new()
            .name("tlog-sequencer".into())
            .spawn(move || sequencer.run())
            .map_err(|error| OpenError::Thread { error: error.kind() })?;
        let scrubber = Scrubber::start(&shared, scrub_rate)
            .map_err(|error| OpenError::Thread { error: error.kind() })?;
        let writer = Writer { shared: shared.clone(), thread: Mutex::new(Some(thread)), scrubber };
        Ok(Self { shared, writer: Arc::new(writer) })
    }

    /// Logs an entry, and returns when it is durable under a signed head, with its proof. An entry
    /// that the log has already is answered with the one it has.
    ///
    /// A caller that stops waiting takes nothing back: the entry is logged all the same.
    ///
    /// # Errors
    /// [`SubmitError`]. After one, the entry may still have been logged if the disk failed at the
    /// wrong moment; submitting it again is always safe.
    pub async fn submit(&self, entry: Accepted) -> Result<Published, SubmitError> {
        let tree = entry.tree();
        if !self.shared.trees.contains_key(&tree) {
            return Err(SubmitError::NoSuchTree { tree });
        }
        let (reply, answer) = oneshot::channel();
        self.shared.queue.put(Job::Entry { entry, reply })?;
        let answer = answer.await.map_err(|_| SubmitError::Stopped)??;
        self.prove(tree, answer).await
    }

    /// Writes an audit row, and returns its number when it is durable. It rides in the next
    /// commit; a caller that needs not wait drops the future after its first poll.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn audit(&self, row: Vec<u8>) -> Result<(), SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.shared.queue.put(Job::Audit { row, reply: Some(reply) })?;
        answer.await.map_err(|_| SubmitError::Stopped)?
    }

    /// Queues an audit row for the next commit without waiting for it.
    ///
    /// # Errors
    /// [`SubmitError::Overloaded`] and [`SubmitError::ShuttingDown`]: the row was not queued.
    pub fn audit_later(&self, row: Vec<u8>) -> Result<(), SubmitError> {
        Ok(self.shared.queue.put(Job::Audit { row, reply: None })?)
    }

    /// Sets a small durable value.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn put_value(&self, name: &str, value: Vec<u8>) -> Result<(), SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.shared.queue.put(Job::Value { name: name.into(), value, reply })?;
        answer.await.map_err(|_| SubmitError::Stopped)?
    }

    /// A small durable value. Blocks on the disk.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn value(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.shared.store.value(name)
    }

    /// The last committed head of a tree; `None` when the engine does not run that tree.
    #[must_use]
    pub fn head(&self, tree: Tree) -> Option<Arc<SignedHead>> {
        Some(self.shared.view(tree)?.head.clone())
    }

    /// The state that readiness and metrics report.
    #[must_use]
    pub fn health(&self) -> Health {
        let now = (self.shared.clock)();
        let trees = self.shared.trees.iter().map(|(tree, view)| {
            let head = read(view).head.head;
            let head_age_ms = now.saturating_sub(head.timestamp_ms);
            TreeHealth { tree: *tree, head, head_age_ms, damage: self.shared.damage(*tree) }
        });
        Health {
            trees: trees.collect(),
            last_commit: lock(&self.shared.last_commit).clone(),
            running: !self.shared.queue.is_closed(),
            outstanding: self.shared.queue.outstanding(),
        }
    }

    /// Counters for the operator.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Re-hashes the stored entries `first..end` (rounded to whole tiles) and ties them to the
    /// signed root. Damage stops the tree: no head is signed over it any more. Blocks on the disk.
    ///
    /// # Errors
    /// The first [`Damage`] found.
    pub fn scrub(&self, tree: Tree, first: u64, end: u64) -> Result<(), Damage> {
        scrub::scrub(&self.shared, tree, first, end)
    }

    /// Takes no new work, commits all that was taken, and stops. Blocks until it is done; a second
    /// call returns at once.
    pub fn shutdown(&self) {
        self.writer.stop();
    }

    async fn prove(&self, tree: Tree, answer: Answer) -> Result<Published, SubmitError> {
        let Answer { entry, duplicate, view } = answer;
        let (index, size) = (entry.index, view.head.head.size);
        let proof = match prove_inclusion(index, size, &view.edge) {
            Err(ProveError::Nodes(NodeError::NotInMemory)) => {
                let (store, view) = (self.shared.store.clone(), view.clone());
                let read = move || {
                    prove_inclusion(index, size, &AllNodes::new(&view.edge, &*store, tree))
                };
                tokio::task::spawn_blocking(read).await.map_err(|_| SubmitError::Stopped)?
            }
            proof => proof,
        };
        let head = view.head.clone();
        let proof = proof.map_err(|error| SubmitError::Proof { error })?;
        Ok(Published { tree, entry, duplicate, head, proof })
    }
}

/// How to run one tree.
pub struct TreeConfig {
    /// Which tree.
    pub tree: Tree,
    /// Signs its heads.
    pub signer: Arc<dyn HeadSigner>,
    /// Checks them: a stored head that this refuses is not ours, and the tree is not opened.
    pub verifier: Arc<dyn NoteVerifier + Send + Sync>,
    /// Makes the entry that a new tree is born with ([`crate::birth`]).
    pub birth: crate::birth::Birth,
}

/// Limits and intervals.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Work that may be queued or in a commit at one time; more is refused as overload.
    pub max_outstanding: usize,
    /// Jobs in one commit at most.
    pub max_batch: usize,
    /// The head of an idle tree is signed anew when it is this old, in milliseconds.
    pub resign_after_ms: u64,
    /// The high-water file, outside the database ([`crate::highwater`]); `None` in tests only.
    pub high_water: Option<PathBuf>,
    /// How often the high-water file is replaced at most.
    pub high_water_interval: Duration,
    /// The pace of the background scrubber; 0 turns it off.
    pub scrub_entries_per_second: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_outstanding: 4096,
            max_batch: 4096,
            resign_after_ms: 600_000,
            high_water: None,
            high_water_interval: Duration::from_secs(1),
            scrub_entries_per_second: 32,
        }
    }
}

/// The answer to "is the log well?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Each tree that runs.
    pub trees: Vec<TreeHealth>,
    /// How the last commit went; `Ok` before the first.
    pub last_commit: Result<(), SubmitError>,
    /// Whether new work is taken.
    pub running: bool,
    /// Work queued or in a commit.
    pub outstanding: usize,
}

/// The state of one tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeHealth {
    /// Which tree.
    pub tree: Tree,
    /// Its last committed head. Every committed entry is covered by it: they are one transaction.
    pub head: Head,
    /// How long ago it was signed, in milliseconds.
    pub head_age_ms: u64,
    /// Damage found in its stored entries. Nothing is signed while this stands.
    pub damage: Option<Damage>,
}

/// What the handle, the sequencer and the scrubber share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) queue: Queue,
    pub(crate) trees: BTreeMap<Tree, RwLock<Arc<View>>>,
    pub(crate) damage: Mutex<BTreeMap<Tree, Damage>>,
    pub(crate) last_commit: Mutex<Result<(), SubmitError>>,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
}

/// A committed head with the edge it was computed from; replaced as one.
pub(crate) struct View {
    pub(crate) head: Arc<SignedHead>,
    pub(crate) edge: Edge,
}

impl Shared {
    pub(crate) fn view(&self, tree: Tree) -> Option<Arc<View>> {
        self.trees.get(&tree).map(read)
    }

    pub(crate) fn damage(&self, tree: Tree) -> Option<Damage> {
        lock(&self.damage).get(&tree).cloned()
    }
}

/// Stops the threads when the last handle goes.
struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    scrubber: Scrubber,
}

impl Writer {
    fn stop(&self) {
        self.shared.queue.close();
        self.scrubber.stop();
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            tracing::error!("the log's writer thread panicked");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// One key under two names, or one name over two keys, lets a head of one log be shown as a head
/// of the other (sunlight refused a log named as a witness for this in 2026).
fn distinct(trees: &[TreeConfig]) -> Result<(), OpenError> {
    let mut seen = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for config in trees {
        let origin = config.signer.origin();
        if !seen.0.insert(config.tree) {
            return Err(OpenError::DuplicateTree { tree: config.tree });
        }
        if !seen.1.insert(origin.to_owned()) {
            return Err(OpenError::DuplicateOrigin { origin: origin.into() });
        }
        if !seen.2.insert(config.signer.key_fingerprint()) {
            return Err(OpenError::DuplicateKey { tree: config.tree });
        }
        if config.verifier.name() != origin {
            return Err(OpenError::OriginMismatch {
                origin: origin.into(),
                verifier: config.verifier.name().into(),
            });
        }
    }
    Ok(())
}

/// Locks, ignoring poison: every value behind these locks is replaced whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn read<T: Clone>(value: &RwLock<T>) -> T {
    value.read().unwrap_or_else(PoisonError::into_inner).clone()
}

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
        reason: crate::signer::HeadError,
    },
    /// Entries and tiles do not give the root that was signed.
    #[error("the stored entries of tree {tree} do not give the root of its signed head (size {size}); run `ca fsck`")]
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
    #[error("the store holds {stored} entries of tree {tree}, but heads up to {seen} entries were served; going on would fork the log, so restore the newest store or start a new log with a new key")]
    RolledBack {
        /// The tree.
        tree: Tree,
        /// The size in the store.
        stored: u64,
        /// The size in the high-water file.
        seen: u64,
    },
    /// The store holds another history than the heads that were served.
    #[error("the store's tree {tree} is not the one that was served: their roots differ at size {size}")]
    Forked {
        /// The tree.
        tree: Tree,
        /// The size at which both have a root.
        size: u64,
    },
    /// The entry to be born with could not be made.
    #[error(transparent)]
    Birth(#[from] crate::birth::BirthError),
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
