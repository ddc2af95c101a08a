//! The keys held of one issuer: for how long, and when they are read again.
//!
//! A key that the issuer has withdrawn must die here (a time to live), a key that is new must be
//! found (an unknown `kid`), and neither may let a caller make us call the issuer at will: one
//! flight at a time, and a pause between two. Only who needs something new waits; a token
//! under a key that is held is checked at once, whatever the issuer is doing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::Clock;
use super::fetch::{FetchFault, Fetcher, Origin};
use super::jwks::{KeySet, OpenFault, SignedClaims};
use super::refusal::TokenRefusal;
use super::token::Unverified;

/// Where one issuer's keys come from. Cloning shares what is held.
#[derive(Clone)]
pub(super) struct KeySource(Arc<Inner>);

struct Inner {
    issuer: String,
    /// As refusals name it: the configured text, and none of a token's.
    name: String,
    origin: Origin,
    pace: Pace,
    fetcher: Arc<Fetcher>,
    clock: Clock,
    held: RwLock<Held>,
    flight: Arc<Mutex<()>>,
    kept_warm: AtomicBool,
}

/// How long keys are used and how often they are read, in seconds.
struct Pace {
    /// After this, keys are read again before they are used.
    time_to_live: i64,
    /// After this, keys that could not be read again are not used any more.
    longest_use: i64,
    /// Least pause between two attempts while keys are held.
    refetch: i64,
    /// Least pause between two attempts while none are: an issuer that starts a moment after us.
    retry: i64,
}

/// What is held of an issuer, copied out under the lock.
#[derive(Clone, Default)]
pub(super) struct Held {
    pub(super) keys: Option<Arc<KeySet>>,
    /// When the keys were asked for, in Unix seconds.
    pub(super) fetched_at: i64,
    /// When they, or newer ones, were last asked for.
    attempted_at: Option<i64>,
    /// How often keys have come.
    generation: u64,
    /// Why the last attempt failed.
    pub(super) fault: Option<FetchFault>,
    /// Given by the operator: never read again, never too old.
    pub(super) pinned: bool,
}

impl KeySource {
    /// The keys of `issuer`, an entry's own or one that its pattern `name` matches.
    pub(super) fn new(
        issuer: String,
        name: String,
        origin: Origin,
        fetcher: Arc<Fetcher>,
        clock: Clock,
    ) -> Self {
        let pace = if matches!(origin, Origin::File(_)) { FILE } else { NETWORK };
        Self(Arc::new(Inner {
            issuer,
            name,
            origin,
            pace,
            fetcher,
            clock,
            held: RwLock::default(),
            flight: Arc::default(),
            kept_warm: AtomicBool::default(),
        }))
    }

    /// How many keys could verify a token now.
    pub(super) fn usable(&self) -> usize {
        self.usable_of(&self.held(), self.now()).map_or(0, |keys| keys.len())
    }

    /// Reads the keys in the background until they are there, with growing pauses, and again
    /// whenever they are gone. Ends when nobody holds the source any more.
    pub(super) fn keep_warm(&self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.held().pinned || self.0.kept_warm.swap(true, Ordering::Relaxed) {
            return;
        }
        runtime.spawn(keep_warm(Arc::downgrade(&self.0)));
    }

    pub(super) fn pin(&self, keys: KeySet) {
        let held = Held { keys: Some(Arc::new(keys)), pinned: true, ..Held::default() };
        *self.0.held.write().unwrap_or_else(PoisonError::into_inner) = held;
    }

    pub(super) fn held(&self) -> Held {
        self.0.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the keys if none are held that may be used.
    pub(super) async fn warm(&self) {
        if self.usable() == 0 {
            let _: Option<Arc<KeySet>> = self.first().await;
        }
    }

    /// Checks a token's signature, reading the issuer's keys when that can help.
    pub(super) async fn open<'u>(
        &self,
        token: &'u Unverified<'_>,
    ) -> Result<SignedClaims<'u>, TokenRefusal> {
        let (keys, generation) = self.current().await?;
        let fault = match keys.open(token) {
            Ok(claims) => return Ok(claims),
            Err(fault) => fault,
        };
        // Without a kid, "does not verify" may be "under none of the keys held".
        let may_be_new = fault == OpenFault::NoSuchKey || token.header.key_id.is_none();
        if may_be_new && let Some(keys) = self.newer_than(generation).await {
            return keys.open(token).map_err(|fault| self.refusal(fault, token));
        }
        Err(self.refusal(fault, token))
    }

    /// The keys to try first. Past their time to live, the first caller reads them again and the
    /// others go on with what is held until they are too old to use.
    async fn current(&self) -> Result<(Arc<KeySet>, u64), TokenRefusal> {
        let held = self.held();
        let now = self.now();
        if held.pinned || held.age(now).is_some_and(|age| age < self.0.pace.time_to_live) {
            if let Some(keys) = held.keys {
                return Ok((keys, held.generation));
            }
        } else if self.usable_of(&held, now).is_some()
            && held.may_try(now, self.0.pace.refetch)
            && let Ok(flight) = Arc::clone(&self.0.flight).try_lock_owned()
        {
            self.fetch(flight).await;
        }
        let held = self.held();
        if let Some(keys) = self.usable_of(&held, self.now()) {
            return Ok((keys, held.generation));
        }
        match self.first().await {
            Some(keys) => Ok((keys, self.held().generation)),
            None => Err(self.unreadable()),
        }
    }

    /// With nothing to go on, everybody waits for the flight.
    async fn first(&self) -> Option<Arc<KeySet>> {
        let flight = Arc::clone(&self.0.flight).lock_owned().await;
        let (held, now) = (self.held(), self.now());
        if let Some(keys) = self.usable_of(&held, now) {
            return Some(keys);
        }
        if held.may_try(now, self.0.pace.retry) {
            self.fetch(flight).await;
        }
        self.usable_of(&self.held(), self.now())
    }

    /// Keys that came after the given ones, if there are any or the issuer may be asked again.
    async fn newer_than(&self, generation: u64) -> Option<Arc<KeySet>> {
        if self.held().pinned {
            return None;
        }
        let flight = Arc::clone(&self.0.flight).lock_owned().await;
        if self.held().may_try(self.now(), self.0.pace.refetch) {
            self.fetch(flight).await;
        }
        let held = self.held();
        held.keys.filter(|_| held.generation != generation)
    }

    /// One attempt, in a task of its own: a caller who hangs up must not take away the answer
    /// that others are waiting for.
    async fn fetch(&self, flight: OwnedMutexGuard<()>) {
        let source = self.clone();
        let task = tokio::spawn(async move {
            source.attempt().await;
            drop(flight);
        });
        // An attempt that panicked has changed nothing, and what is held still decides.
        let _: Result<(), tokio::task::JoinError> = task.await;
    }

    async fn attempt(&self) {
        let started = self.now();
        self.change(|held| held.attempted_at = Some(started));
        let answer = self.0.fetcher.keys(&self.0.issuer, &self.0.origin).await;
        self.change(|held| match answer {
            Ok(keys) => {
                held.keys = Some(Arc::new(keys));
                held.fetched_at = started;
                held.generation += 1;
                held.fault = None;
            }
            Err(fault) => held.fault = Some(fault),
        });
    }

    fn usable_of(&self, held: &Held, now: i64) -> Option<Arc<KeySet>> {
        let fresh = |age| age < self.0.pace.longest_use;
        let usable = held.pinned || held.age(now).is_some_and(fresh);
        held.keys.clone().filter(|_| usable)
    }

    fn change(&self, apply: impl FnOnce(&mut Held)) {
        apply(&mut self.0.held.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn now(&self) -> i64 {
        (self.0.clock)()
    }

    fn refusal(&self, fault: OpenFault, token: &Unverified<'_>) -> TokenRefusal {
        let issuer = self.0.name.clone();
        match fault {
            OpenFault::NoSuchKey => TokenRefusal::KeyUnknown {
                issuer,
                fetched_at: self.held().fetched_at,
                retry_seconds: self.0.pace.refetch,
            },
            OpenFault::NotForAlgorithm => {
                TokenRefusal::AlgorithmNotOfKey { issuer, algorithm: token.header.algorithm }
            }
            OpenFault::Invalid => TokenRefusal::Signature { issuer },
        }
    }

    fn unreadable(&self) -> TokenRefusal {
        let issuer = self.0.name.clone();
        let fault = self.held().fault.unwrap_or(FetchFault::Transport);
        if fault.is_outage() {
            TokenRefusal::IssuerUnreachable { issuer, fault }
        } else {
            TokenRefusal::IssuerMisbehaves { issuer, fault }
        }
    }
}

impl Held {
    /// Seconds since the keys were read. A clock that was set back a little gives 0; further
    /// back, the age is unknown and the keys count as not held.
    fn age(&self, now: i64) -> Option<i64> {
        self.keys.as_ref()?;
        let age = now.saturating_sub(self.fetched_at);
        (age >= -CLOCK_STEP_SECONDS).then_some(age.max(0))
    }

    fn may_try(&self, now: i64, pause: i64) -> bool {
        self.attempted_at.is_none_or(|at| !(0..pause).contains(&now.saturating_sub(at)))
    }
}

async fn keep_warm(source: Weak<Inner>) {
    let mut pause = FIRST_PAUSE;
    while let Some(inner) = source.upgrade() {
        let source = KeySource(inner);
        source.warm().await;
        if source.usable() > 0 {
            pause = FIRST_PAUSE;
        }
        drop(source);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

const NETWORK: Pace = Pace { time_to_live: 5 * 60, longest_use: 60 * 60, refetch: 30, retry: 5 };

/// A file costs nothing to read, and does not fail for an hour by an outage.
const FILE: Pace = Pace { time_to_live: 5, longest_use: 60, refetch: 1, retry: 1 };

/// After the first look of the background, and after each that finds keys.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// Between two looks at an issuer that has long been away.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
const CLOCK_STEP_SECONDS: i64 = 60;
