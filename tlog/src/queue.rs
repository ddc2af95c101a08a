//! The bounded queue between the callers and the writer's thread.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::engine::{SubmitError, lock};
use crate::entry::Accepted;
use crate::sequencer::Answer;

/// One thing to commit, with where to send the answer. A receiver that is gone is no error.
pub(crate) enum Job {
    Entry { entry: Accepted, reply: oneshot::Sender<Result<Answer, SubmitError>> },
    Audit { row: Vec<u8>, reply: Option<oneshot::Sender<Result<(), SubmitError>>> },
    Value { name: String, value: Vec<u8>, reply: oneshot::Sender<Result<(), SubmitError>> },
}

/// What [`Queue::take`] found.
pub(crate) enum Taken {
    /// Work, all that was there up to the cap.
    Batch(Vec<Job>),
    /// Nothing until the time was up.
    Idle,
    /// Nothing, and nothing will come.
    Closed,
}

pub(crate) struct Queue {
    state: Mutex<State>,
    ready: Condvar,
    /// Jobs queued or in a commit.
    outstanding: AtomicUsize,
    max_outstanding: usize,
}

struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(max_outstanding: usize) -> Self {
        let state = State { jobs: VecDeque::new(), closed: false };
        Self {
            state: Mutex::new(state),
            ready: Condvar::new(),
            outstanding: AtomicUsize::new(0),
            max_outstanding,
        }
    }

    /// Queues a job, or refuses it at once: a caller is never made to wait for room, so overload
    /// is answered while there is still the strength to answer.
    pub(crate) fn put(&self, job: Job) -> Result<(), Refused> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(Refused::Closed);
        }
        if self.outstanding.load(Ordering::Relaxed) >= self.max_outstanding {
            return Err(Refused::Full);
        }
        self.outstanding.fetch_add(1, Ordering::Relaxed);
        state.jobs.push_back(job);
        drop(state);
        self.ready.notify_one();
        Ok(())
    }

    /// All that is queued, up to `max`; waits up to `wait` for the first.
    pub(crate) fn take(&self, max: usize, wait: Duration) -> Taken {
        let deadline = Instant::now() + wait;
        let mut state = lock(&self.state);
        loop {
            if !state.jobs.is_empty() {
                let count = state.jobs.len().min(max.max(1));
                return Taken::Batch(state.jobs.drain(..count).collect());
            }
            if state.closed {
                return Taken::Closed;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Taken::Idle;
            }
            let waited = self.ready.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Says that `count` jobs have been answered.
    pub(crate) fn done(&self, count: usize) {
        self.outstanding.fetch_sub(count, Ordering::Relaxed);
    }

    /// Refuses new jobs; those queued are still handed out.
    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
        self.ready.notify_all();
    }

    /// Drops what is queued, which tells its callers that the writer has stopped.
    pub(crate) fn abandon(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        state.jobs.clear();
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Relaxed)
    }
}

/// Why a job was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Closed,
}
