//! Stored entries are hashed again and tied to the signed root: a few right after they were
//! written, all of them slowly in the background. Damage stops the tree, because a head signed
//! over an entry that can't be shown any more is a promise that can't be kept.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use merkle::Hash;
use merkle::merkle::{Nodes, leaf_hash, prove_inclusion, verify_inclusion};
use merkle::tile::TILE_WIDTH;
use thiserror::Error;

use crate::edge::{AllNodes, NodeError};
use crate::engine::{Shared, View, lock};
use crate::entry::Tree;
use crate::store::StoreError;

/// What a scrub found.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Damage {
    /// The stored bytes of an entry are not those that were logged.
    #[error("entry {index} of tree {tree} is not what was logged")]
    Entry {
        /// The tree.
        tree: Tree,
        /// The entry.
        index: u64,
    },
    /// An entry is gone.
    #[error("entry {index} of tree {tree} is gone")]
    Gone {
        /// The tree.
        tree: Tree,
        /// The entry.
        index: u64,
    },
    /// The tiles on the way from these entries to the root do not give the signed root.
    #[error("the tiles over entry {index} of tree {tree} do not give the signed root")]
    Tiles {
        /// The tree.
        tree: Tree,
        /// An entry under them.
        index: u64,
    },
    /// The store can't be read, so nothing is known.
    #[error("can't be checked: {0}")]
    Unreadable(StoreError),
}

/// Checks entries `first..end`, in whole tiles. Damage is remembered: the tree signs no more.
pub(crate) fn scrub(shared: &Shared, tree: Tree, first: u64, end: u64) -> Result<(), Damage> {
    let Some(view) = shared.view(tree) else { return Ok(()) };
    let end = end.min(view.edge.size());
    let mut at = first - first % WIDTH;
    while at < end {
        let count = (view.edge.size() - at).min(WIDTH) as usize;
        remember(shared, tree, check(shared, &view, tree, at, count))?;
        at += WIDTH;
    }
    Ok(())
}

/// Checks entries of the last commit against the leaf hashes that were signed.
pub(crate) fn read_back(shared: &Shared, view: &View, tree: Tree, first: u64, count: usize) {
    let nodes = AllNodes::new(&view.edge, &*shared.store, tree);
    let found = leaves(shared, &nodes, tree, first, count).map(drop);
    if let Err(damage) = remember(shared, tree, found) {
        tracing::error!(%damage, "what was just written does not read back");
    }
}

/// One tile: every leaf against its entry, and the whole of it against the root. The inclusion
/// path of its first leaf holds hashes over all the others, so one proof ties them all.
fn check(shared: &Shared, view: &View, tree: Tree, first: u64, count: usize) -> Result<(), Damage> {
    let nodes = AllNodes::new(&view.edge, &*shared.store, tree);
    let leaf = leaves(shared, &nodes, tree, first, count)?;
    let head = &view.head.head;
    let proof = prove_inclusion(first, head.size, &nodes);
    let proof = proof.map_err(|_| Damage::Tiles { tree, index: first })?;
    verify_inclusion(first, head.size, &leaf, &proof, &head.root)
        .map_err(|_| Damage::Tiles { tree, index: first })
}

/// Compares entries with the leaves of their tile; answers the first leaf.
fn leaves(
    shared: &Shared,
    nodes: &AllNodes<'_>,
    tree: Tree,
    first: u64,
    count: usize,
) -> Result<Hash, Damage> {
    let entries = shared.store.entries(tree, first, count).map_err(Damage::Unreadable)?;
    let mut leaf = None;
    for (entry, index) in entries.iter().zip(first..) {
        let expected = nodes.node(0, index).map_err(|error| match error {
            NodeError::Store(error) => Damage::Unreadable(error),
            _ => Damage::Tiles { tree, index },
        })?;
        if entry.index != index {
            return Err(Damage::Gone { tree, index });
        }
        if leaf_hash(&entry.body) != expected {
            return Err(Damage::Entry { tree, index });
        }
        leaf.get_or_insert(expected);
    }
    let next = first + entries.len() as u64;
    leaf.filter(|_| entries.len() == count).ok_or(Damage::Gone { tree, index: next })
}

fn remember(shared: &Shared, tree: Tree, found: Result<(), Damage>) -> Result<(), Damage> {
    match &found {
        Ok(()) | Err(Damage::Unreadable(_)) => {}
        Err(damage) => {
            lock(&shared.damage).entry(tree).or_insert_with(|| damage.clone());
        }
    }
    found
}

/// The thread that goes over all entries, a tile at a time, for ever.
pub(crate) struct Scrubber {
    stopping: Arc<(Mutex<bool>, Condvar)>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Scrubber {
    pub(crate) fn start(shared: &Arc<Shared>, per_second: u32) -> std::io::Result<Self> {
        let stopping = Arc::new((Mutex::new(false), Condvar::new()));
        let thread = if per_second == 0 {
            None
        } else {
            let pause = Duration::from_secs(WIDTH) / per_second;
            let (shared, stopping) = (shared.clone(), stopping.clone());
            let work = move || run(&shared, &stopping, pause);
            Some(std::thread::Builder::new().name("tlog-scrubber".into()).spawn(work)?)
        };
        Ok(Self { stopping, thread: Mutex::new(thread) })
    }

    pub(crate) fn stop(&self) {
        *lock(&self.stopping.0) = true;
        self.stopping.1.notify_all();
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            tracing::error!("the log's scrubber panicked");
        }
    }
}

fn run(shared: &Shared, stopping: &(Mutex<bool>, Condvar), pause: Duration) {
    let trees: Vec<Tree> = shared.trees.keys().copied().collect();
    let mut at = 0;
    loop {
        let mut larger = false;
        for tree in &trees {
            let guard = lock(&stopping.0);
            let waited = stopping.1.wait_timeout_while(guard, pause, |stopping| !*stopping);
            if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                return;
            }
            if let Err(damage) = scrub(shared, *tree, at, at + 1) {
                tracing::error!(%damage, "the background check of stored entries failed");
            }
            shared
                .metrics
                .tree(*tree)
                .scrubbed
                .fetch_add(WIDTH, std::sync::atomic::Ordering::Relaxed);
            larger |= shared.view(*tree).is_some_and(|view| view.edge.size() > at + WIDTH);
        }
        at = if larger { at + WIDTH } else { 0 };
    }
}

const WIDTH: u64 = TILE_WIDTH as u64;
