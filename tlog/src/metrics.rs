//! Counters that the server shows. Plain atomics: this crate knows no metrics library.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::entry::Tree;

/// Everything counted since the start.
#[derive(Debug, Default)]
pub struct Metrics {
    ct: TreeMetrics,
    rekor2: TreeMetrics,
    /// Transactions that were committed.
    pub commits: AtomicU64,
    /// Transactions that failed for any reason.
    pub commit_failures: AtomicU64,
    /// Transactions that another replica came before.
    pub heads_moved: AtomicU64,
    /// Time spent in the store's commits, in microseconds.
    pub commit_micros: AtomicU64,
    /// Audit rows committed.
    pub audit_rows: AtomicU64,
    /// Answers that nobody waited for any more.
    pub gone: AtomicU64,
}

/// The counters of one tree.
#[derive(Debug, Default)]
pub struct TreeMetrics {
    /// New entries answered.
    pub entries: AtomicU64,
    /// Repeated entries answered.
    pub duplicates: AtomicU64,
    /// Entries gone over by the scrubber.
    pub scrubbed: AtomicU64,
}

impl Metrics {
    /// The counters of a tree.
    #[must_use]
    pub fn tree(&self, tree: Tree) -> &TreeMetrics {
        match tree {
            Tree::Ct => &self.ct,
            Tree::Rekor2 => &self.rekor2,
        }
    }

    pub(crate) fn committed(&self, took: Duration, audit_rows: usize, ok: bool) {
        if ok { &self.commits } else { &self.commit_failures }.fetch_add(1, Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.commit_micros.fetch_add(micros, Relaxed);
        if ok {
            self.audit_rows.fetch_add(audit_rows as u64, Relaxed);
        }
    }
}
