//! How much one identity and one client address may ask for: `[limits]` in ca.toml.
//!
//! An address is counted before anything is looked at, an identity only once its token was
//! verified, admitted and its key proven: nobody can use up what is somebody else's by naming
//! them. Memory is fixed at the start. A table of who has asked would have to forget somebody when
//! it is full, and whoever can fill it would choose whom; here nothing is ever forgotten but by
//! the passing of time.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::Method;
use serde::Deserialize;

use crate::answer::Refusal;
use crate::proxy::ClientAddress;

/// `[limits]` of ca.toml: what `ca serve` allows. What is left out has its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Certificates for one identity (issuer and subject) in a minute.
    pub certificates_per_minute: NonZeroU32,
    /// How many of them at once, after a pause.
    pub certificates_burst: NonZeroU32,
    /// Requests other than reads from one client address in a minute; an IPv6 address is its /64.
    pub requests_per_minute: NonZeroU32,
    /// How many of them at once, after a pause.
    pub requests_burst: NonZeroU32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            certificates_per_minute: CERTIFICATES_PER_MINUTE,
            certificates_burst: CERTIFICATES_BURST,
            requests_per_minute: REQUESTS_PER_MINUTE,
            requests_burst: REQUESTS_BURST,
        }
    }
}

/// A clock that only goes forward, in microseconds since some start.
pub type Elapsed = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What has been asked for lately, against what may be.
pub struct Limits(Option<Counted>);

struct Counted {
    identities: Buckets,
    addresses: Buckets,
    addresses_known: AtomicBool,
}

impl Limits {
    /// The limits of an instance. `addresses_known` is false where every request comes from a
    /// proxy whose word is not taken for its clients: one limit would be everybody's.
    #[must_use]
    pub fn new(config: &LimitsConfig, addresses_known: bool, clock: &Elapsed) -> Self {
        let limits = Self(Some(Counted {
            identities: Buckets::new(Arc::clone(clock)),
            addresses: Buckets::new(Arc::clone(clock)),
            addresses_known: AtomicBool::new(addresses_known),
        }));
        limits.follow(config, addresses_known);
        limits
    }

    /// None: `ca dev`, where everything comes from one machine.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Takes other limits over. What was asked for before still counts: a reload is no pardon.
    pub fn follow(&self, config: &LimitsConfig, addresses_known: bool) {
        let Some(counted) = &self.0 else { return };
        counted.identities.follow(config.certificates_per_minute, config.certificates_burst);
        counted.addresses.follow(config.requests_per_minute, config.requests_burst);
        counted.addresses_known.store(addresses_known, Ordering::SeqCst);
    }

    /// The machine's monotonic clock.
    #[must_use]
    pub fn clock() -> Elapsed {
        let started = Instant::now();
        Arc::new(move || u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// Counts one request of a client. Loopback is not counted: it is this machine, or a proxy on
    /// it that nobody told us of.
    ///
    /// # Errors
    /// 429 with the seconds to wait.
    pub fn address(&self, address: IpAddr) -> Result<(), Refusal> {
        let address = address.to_canonical();
        let known = |counted: &&Counted| counted.addresses_known.load(Ordering::SeqCst);
        let Some(counted) = self.0.as_ref().filter(known).filter(|_| !address.is_loopback()) else {
            return Ok(());
        };
        let network = match address {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            // One subscriber has all of a /64.
            IpAddr::V6(address) => address.to_bits() >> 64 << 64,
        };
        counted.addresses.take((address.is_ipv4(), network)).map_err(|seconds| {
            Refusal::too_many(seconds, "too many requests from this network address")
        })
    }

    /// Counts one certificate for an identity. Call it last before issuing.
    ///
    /// # Errors
    /// 429 with the seconds to wait.
    pub fn identity(&self, issuer: &str, token_subject: &str) -> Result<(), Refusal> {
        let Some(counted) = &self.0 else { return Ok(()) };
        counted.identities.take((issuer, token_subject)).map_err(|seconds| {
            Refusal::too_many(seconds, "too many certificates for this identity")
        })
    }
}

/// A layer that counts every request but reads ([`Limits::address`]) before anything of it is
/// looked at. What answers a read with more than bytes that lie ready counts for itself.
pub async fn by_address(
    State(limits): State<Arc<Limits>>,
    request: Request,
    next: Next,
) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads && !begins_work(request.uri().path()) {
        return next.run(request).await;
    }
    let client = request.extensions().get::<ClientAddress>().copied();
    match client.map_or(Ok(()), |client| limits.address(client.0)) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// The pages of the sign-in that make a sign-in, or ask a provider, for whoever reads them.
fn begins_work(path: &str) -> bool {
    ["/oidc/auth", "/oidc/callback/"].iter().any(|page| path.starts_with(page))
}

/// Token buckets for any number of keys in fixed memory: a count-min sketch whose cells drain.
///
/// Each key has [`ROWS`] cells, one in each row, chosen by a hash with a secret of this process,
/// so that nobody can aim at the cells of another. A key is judged by the least used of its cells;
/// it waits for others only where all of them are used up by others.
///
/// A cell is the time at which it will be empty again (the "theoretical arrival time" of the
/// generic cell rate algorithm, ITU-T I.371): one number, and no timer.
struct Buckets {
    /// Microseconds that one take costs.
    interval: AtomicU64,
    /// How far ahead of now a cell may be.
    tolerance: AtomicU64,
    cells: Mutex<Vec<u64>>,
    secret: RandomState,
    clock: Elapsed,
}

impl Buckets {
    fn new(clock: Elapsed) -> Self {
        Self {
            interval: AtomicU64::new(MINUTE),
            tolerance: AtomicU64::new(MINUTE),
            cells: Mutex::new(vec![0; ROWS * COLUMNS]),
            secret: RandomState::new(),
            clock,
        }
    }

    fn follow(&self, per_minute: NonZeroU32, burst: NonZeroU32) {
        let interval = (MINUTE / u64::from(per_minute.get())).max(1);
        self.interval.store(interval, Ordering::SeqCst);
        self.tolerance.store(interval.saturating_mul(u64::from(burst.get())), Ordering::SeqCst);
    }

    /// Takes one, or says how many seconds to wait for it.
    fn take(&self, key: impl Hash) -> Result<(), u64> {
        let now = (self.clock)();
        let interval = self.interval.load(Ordering::SeqCst);
        let tolerance = self.tolerance.load(Ordering::SeqCst);
        let places = self.places(key);
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let least = places.iter().filter_map(|&place| cells.get(place)).min();
        let filled = least.copied().unwrap_or(0).max(now).saturating_add(interval);
        let over = filled.saturating_sub(now).saturating_sub(tolerance);
        if over > 0 {
            return Err(over.div_ceil(SECOND));
        }
        // Cells that others have filled further stay as they are: this key has not used them.
        for place in places {
            if let Some(cell) = cells.get_mut(place) {
                *cell = filled.max(*cell);
            }
        }
        Ok(())
    }

    fn places(&self, key: impl Hash) -> [usize; ROWS] {
        let hash = self.secret.hash_one(key).to_le_bytes();
        std::array::from_fn(|row| {
            let column = u16::from_le_bytes([hash[row * 2], hash[row * 2 + 1]]);
            row * COLUMNS + usize::from(column) % COLUMNS
        })
    }
}

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;

/// Four rows take two bytes each of a 64-bit hash.
const ROWS: usize = 4;
/// With 1,000 keys used up, another shares all its cells with them once in 80,000.
const COLUMNS: usize = 16_384;

const fn at_least_one(count: u32) -> NonZeroU32 {
    match NonZeroU32::new(count) {
        Some(count) => count,
        None => NonZeroU32::MIN,
    }
}

/// A person or a pipeline signs in bursts: one certificate for each artifact of a release.
const CERTIFICATES_PER_MINUTE: NonZeroU32 = at_least_one(120);
const CERTIFICATES_BURST: NonZeroU32 = at_least_one(600);
/// A signature takes three requests, and an office or a farm of runners shares an address.
const REQUESTS_PER_MINUTE: NonZeroU32 = at_least_one(1_800);
const REQUESTS_BURST: NonZeroU32 = at_least_one(3_600);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    struct Moved {
        limits: Limits,
        now: Arc<AtomicU64>,
    }

    impl Moved {
        /// Three certificates at once and one each second; five requests at once, two each second.
        fn new() -> Self {
            let config: LimitsConfig = toml::from_str(
                "certificates_per_minute = 60\ncertificates_burst = 3\n\
                 requests_per_minute = 120\nrequests_burst = 5",
            )
            .unwrap();
            let now = Arc::new(AtomicU64::new(0));
            let clock: Elapsed = {
                let now = Arc::clone(&now);
                Arc::new(move || now.load(Ordering::SeqCst))
            };
            Self { limits: Limits::new(&config, true, &clock), now }
        }

        fn pass(&self, millis: u64) {
            self.now.fetch_add(millis * 1000, Ordering::SeqCst);
        }

        fn certificates(&self, subject: &str, asked: usize) -> usize {
            let ask = |_: &usize| self.limits.identity("https://id.example", subject).is_ok();
            (0..asked).filter(ask).count()
        }

        fn requests(&self, address: &str, asked: usize) -> usize {
            let address: IpAddr = address.parse().unwrap();
            (0..asked).filter(|_| self.limits.address(address).is_ok()).count()
        }
    }

    #[test]
    fn a_burst_then_a_rate() {
        let moved = Moved::new();
        assert_eq!(moved.certificates("alice", 10), 3);
        moved.pass(999);
        assert_eq!(moved.certificates("alice", 10), 0);
        moved.pass(1);
        assert_eq!(moved.certificates("alice", 10), 1);
        moved.pass(2_000);
        assert_eq!(moved.certificates("alice", 10), 2);
        // A pause of any length saves up a burst and no more.
        moved.pass(3_600_000);
        assert_eq!(moved.certificates("alice", 10), 3);
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let moved = Moved::new();
        assert_eq!(moved.certificates("alice", 3), 3);
        let refusal = moved.limits.identity("https://id.example", "alice").unwrap_err();
        assert_eq!((refusal.status().as_u16(), refusal.reason()), (429, "rate"));
        assert_eq!(refusal.into_response().headers().get("retry-after").unwrap(), "1");
        moved.pass(1_000);
        assert_eq!(moved.certificates("alice", 1), 1);
    }

    #[test]
    fn nobody_spends_what_is_anothers() {
        let moved = Moved::new();
        assert_eq!(moved.certificates("alice", 100), 3);
        assert_eq!(moved.certificates("bob", 100), 3);
        assert!(moved.limits.identity("https://other.example", "alice").is_ok());
        assert_eq!(moved.requests("192.0.2.1", 100), 5);
        assert_eq!(moved.requests("192.0.2.2", 100), 5);
    }

    #[test]
    fn an_ipv6_subscriber_has_one_bucket() {
        let moved = Moved::new();
        assert_eq!(moved.requests("2001:db8:1:2::1", 3), 3);
        assert_eq!(moved.requests("2001:db8:1:2:ffff::9", 10), 2);
        assert_eq!(moved.requests("2001:db8:1:3::1", 10), 5);
        // One machine behind two spellings of its address.
        assert_eq!(moved.requests("::ffff:192.0.2.1", 3), 3);
        assert_eq!(moved.requests("192.0.2.1", 10), 2);
    }

    #[test]
    fn loopback_and_unknown_addresses_are_not_counted() {
        let moved = Moved::new();
        for own in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(moved.requests(own, 100), 100, "{own}");
        }
        let proxied = Limits::new(&LimitsConfig::default(), false, &Limits::clock());
        assert!((0..10_000).all(|_| proxied.address([192, 0, 2, 1].into()).is_ok()));
        let none = Limits::none();
        assert!((0..10_000).all(|_| none.identity("i", "s").is_ok()));
    }

    /// A table that forgets would give a spent bucket back to whoever can fill the table.
    #[test]
    fn strangers_cannot_make_a_spent_bucket_forgotten() {
        let moved = Moved::new();
        assert_eq!(moved.certificates("mallory", 100), 3);
        for stranger in 0..200_000 {
            let _either = moved.limits.identity("https://id.example", &stranger.to_string());
        }
        assert_eq!(moved.certificates("mallory", 100), 0);
    }

    /// A thousand keys used up leave the others theirs: a false refusal is one in 80,000.
    #[test]
    fn a_crowd_leaves_the_others_alone() {
        let moved = Moved::new();
        for busy in 0..1_000 {
            moved.certificates(&format!("busy {busy}"), 4);
        }
        let refused = (0..1_000).filter(|n| moved.certificates(&format!("calm {n}"), 1) == 0);
        assert!(refused.count() <= 3);
    }

    #[test]
    fn a_reload_is_no_pardon() {
        let moved = Moved::new();
        assert_eq!(moved.certificates("alice", 10), 3);
        let config = |text: &str| toml::from_str::<LimitsConfig>(text).unwrap();
        let same = config("certificates_per_minute = 60\ncertificates_burst = 3");
        moved.limits.follow(&same, true);
        assert_eq!(moved.certificates("alice", 10), 0);
        // Two more at once than before.
        moved.limits.follow(&config("certificates_per_minute = 60\ncertificates_burst = 5"), false);
        assert_eq!(moved.certificates("alice", 10), 2);
        assert_eq!(moved.requests("192.0.2.1", 100), 100, "nobody's address is known any more");
    }

    #[test]
    fn zero_and_unknown_keys_are_refused() {
        for (text, named) in [
            ("requests_per_minute = 0", "requests_per_minute"),
            ("certificates_burst = -1", "certificates_burst"),
            ("request_burst = 5", "request_burst"),
        ] {
            let fault = toml::from_str::<LimitsConfig>(text).unwrap_err().to_string();
            assert!(fault.contains(named), "{fault}");
        }
        assert_eq!(toml::from_str::<LimitsConfig>("").unwrap(), LimitsConfig::default());
    }
}
