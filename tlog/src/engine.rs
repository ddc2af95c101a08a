//! The handle on the log: opens it, takes entries, answers with proofs.
//!
//! One operating-system thread (`sequencer.rs`) writes for all trees. This handle puts work
//! into its bounded queue and waits; proofs for new entries are computed here, on the caller's
//! thread, so that the writer does not pay for them.

mod config;
mod error;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use merkle::merkle::{ProveError, prove_inclusion};
use tokio::sync::oneshot;

use crate::edge::{AllNodes, Edge, NodeError};
use crate::entry::{Accepted, Published, Tree};
use crate::metrics::Metrics;
use crate::queue::{Job, Queue};
use crate::scrub::{self, Damage, Scrubber};
use crate::sequencer::{Answer, Sequencer};
use crate::store::{SignedHead, Store, StoreError};

pub use config::{Health, Settings, TreeConfig, TreeHealth};
pub use error::{OpenError, SubmitError};

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

    /// Writes an audit row, and returns when it is durable. It rides in the next commit.
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
            TreeHealth {
                tree: *tree,
                head,
                head_age_ms: now.saturating_sub(head.timestamp_ms),
                clock_behind_ms: head.timestamp_ms.saturating_sub(now),
                damage: self.shared.damage(*tree),
            }
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
                let read =
                    move || prove_inclusion(index, size, &AllNodes::new(&view.edge, &*store, tree));
                tokio::task::spawn_blocking(read).await.map_err(|_| SubmitError::Stopped)?
            }
            proof => proof,
        };
        let head = view.head.clone();
        let proof = proof.map_err(|error| SubmitError::Proof { error })?;
        Ok(Published { tree, entry, duplicate, head, proof })
    }
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
