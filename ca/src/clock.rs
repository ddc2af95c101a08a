//! The one place of this server that reads the time.
//!
//! Everything that signs takes its time from a [`Clock`], so that a test can move it, and so that
//! a step of the wall clock stops the signing instead of dating it wrongly.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of wall-clock time in Unix milliseconds that knows when it cannot be believed.
#[derive(Clone)]
pub struct Clock(Arc<Source>);

enum Source {
    System { started: Instant, started_ms: u64 },
    Fixed(AtomicI64),
}

/// The wall clock and the monotonic clock have drifted apart by more than [`MAX_DRIFT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the wall clock moved by {drift_ms} ms against the monotonic clock since this server started; \
     nothing is signed until it is right again or the server is restarted"
)]
pub struct ClockStepped {
    /// Wall clock minus monotonic clock, in milliseconds.
    pub drift_ms: i64,
}

impl Clock {
    /// The machine's own clock.
    pub fn system() -> Self {
        Self(Arc::new(Source::System { started: Instant::now(), started_ms: wall_ms() }))
    }

    /// A clock that stands at `unix_seconds` until [`Clock::set`] moves it; for tests.
    pub fn fixed(unix_seconds: i64) -> Self {
        Self(Arc::new(Source::Fixed(AtomicI64::new(unix_seconds))))
    }

    /// Moves a fixed clock; a system clock is left alone.
    pub fn set(&self, unix_seconds: i64) {
        if let Source::Fixed(now) = &*self.0 {
            now.store(unix_seconds, Ordering::SeqCst);
        }
    }

    /// Unix milliseconds, whatever the clock has been through: for logs and reads.
    pub fn now_ms(&self) -> u64 {
        match &*self.0 {
            Source::System { .. } => wall_ms(),
            Source::Fixed(now) => now.load(Ordering::SeqCst).max(0).unsigned_abs() * 1000,
        }
    }

    /// Unix seconds, whatever the clock has been through: for logs and reads.
    pub fn now(&self) -> i64 {
        i64::try_from(self.now_ms() / 1000).unwrap_or(i64::MAX)
    }

    /// The same clock as a function, for parts that know nothing of this type.
    pub fn as_seconds(&self) -> Arc<dyn Fn() -> i64 + Send + Sync> {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }

    /// Unix seconds for something that is about to be signed.
    ///
    /// # Errors
    /// [`ClockStepped`] when the wall clock was set since the server started: a certificate or a
    /// timestamp with a wrong date cannot be taken back.
    pub fn signing_time(&self) -> Result<i64, ClockStepped> {
        match self.stepped() {
            Some((drift_ms, _)) => Err(ClockStepped { drift_ms }),
            None => Ok(self.now()),
        }
    }

    /// Unix milliseconds for the heads of the logs, which are signed again by themselves: the wall
    /// clock, or once that was set, what it would show had it not been.
    pub fn steady_ms(&self) -> u64 {
        self.stepped().map_or_else(|| self.now_ms(), |(_, expected)| expected)
    }

    /// Drift and expected time, both in milliseconds, when the two clocks disagree too much.
    fn stepped(&self) -> Option<(i64, u64)> {
        let Source::System { started, started_ms } = &*self.0 else { return None };
        let expected = started_ms.saturating_add(millis(started.elapsed()));
        let drift_ms = signed_difference(wall_ms(), expected);
        (drift_ms.unsigned_abs() > millis(MAX_DRIFT)).then_some((drift_ms, expected))
    }
}

fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn signed_difference(left: u64, right: u64) -> i64 {
    let magnitude = i64::try_from(left.abs_diff(right)).unwrap_or(i64::MAX);
    if left < right { -magnitude } else { magnitude }
}

/// How far the wall clock may move against the monotonic clock: more than a daemon that slews
/// the clock needs over months, less than anything that would matter in a timestamp's hour.
pub const MAX_DRIFT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_moves_only_when_told() {
        let clock = Clock::fixed(1_000);
        assert_eq!(clock.signing_time(), Ok(1_000));
        clock.set(4_600);
        assert_eq!(clock.now_ms(), 4_600_000);
    }

    #[test]
    fn clock_step_stops_signing() {
        let hour_ago = Clock(Arc::new(Source::System {
            started: Instant::now(),
            started_ms: wall_ms() - 3_600_000,
        }));
        assert!(matches!(
            hour_ago.signing_time(),
            Err(ClockStepped { drift_ms }) if (3_599_000..=3_601_000).contains(&drift_ms)
        ));
        assert!(wall_ms() - hour_ago.steady_ms() >= 3_599_000, "heads are not dated by the jump");
        assert!(Clock::system().signing_time().is_ok());
    }
}
