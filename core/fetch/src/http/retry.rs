//! When a request is sent again, and how long after.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use super::HttpError;

/// How often one request was tried.
#[derive(Debug)]
pub(super) struct Attempts {
    made: u32,
}

/// What follows a failed attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// Try again after this long.
    For(Duration),
    /// Report the failure.
    GiveUp,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self { made: 0 }
    }

    /// Counts a failed attempt and says what to do now.
    pub(super) fn after(&mut self, error: &HttpError) -> Pause {
        self.made += 1;
        if self.made >= MOST_ATTEMPTS {
            return Pause::GiveUp;
        }
        match error {
            HttpError::Refused { status: 429 | 503, retry_after: Some(seconds), .. } => {
                // A service that wants minutes is better reported than waited for: the
                // certificate at hand lives ten.
                let asked = Duration::from_secs(*seconds);
                if asked > LONGEST_PAUSE {
                    Pause::GiveUp
                } else {
                    Pause::For(asked + self.jitter())
                }
            }
            HttpError::Unreachable { .. }
            | HttpError::Refused { status: 429 | 500 | 502 | 503 | 504, .. } => {
                Pause::For(self.step() + self.jitter())
            }
            HttpError::BrokeOff { .. }
            | HttpError::TimedOut { .. }
            | HttpError::Refused { .. }
            | HttpError::Redirected { .. }
            | HttpError::TooLarge { .. }
            | HttpError::SecretInClear { .. }
            | HttpError::TokenNotHeaderText { .. } => Pause::GiveUp,
        }
    }

    fn step(&self) -> Duration {
        FIRST_PAUSE * 2u32.saturating_pow(self.made - 1)
    }

    /// Up to one step more, so that clients which failed together do not come back together. The
    /// hasher's random keys are good enough for that.
    fn jitter(&self) -> Duration {
        let span = u64::try_from(self.step().as_millis()).unwrap_or(u64::MAX).max(1);
        Duration::from_millis(RandomState::new().hash_one(self.made) % span)
    }
}

const MOST_ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Service;

    fn refused(status: u16, retry_after: Option<u64>) -> HttpError {
        HttpError::Refused {
            service: Service::TransparencyLog,
            url: "http://localhost/".into(),
            status,
            message: None,
            retry_after,
        }
    }

    fn unreachable() -> HttpError {
        HttpError::Unreachable {
            service: Service::TransparencyLog,
            url: "http://localhost/".into(),
            reason: "refused".into(),
        }
    }

    fn pause(error: &HttpError) -> Pause {
        Attempts::new().after(error)
    }

    #[test]
    fn tries_three_times_with_growing_pauses() {
        let mut attempts = Attempts::new();
        let first = attempts.after(&unreachable());
        let second = attempts.after(&unreachable());
        assert!(matches!(first, Pause::For(p) if p >= FIRST_PAUSE && p < FIRST_PAUSE * 2));
        assert!(matches!(second, Pause::For(p) if p >= FIRST_PAUSE * 2 && p < FIRST_PAUSE * 4));
        assert_eq!(attempts.after(&unreachable()), Pause::GiveUp);
    }

    #[test]
    fn overload_is_waited_out_as_asked_within_bounds() {
        let asked = Duration::from_secs(3);
        assert!(matches!(pause(&refused(429, Some(3))), Pause::For(p) if p >= asked));
        assert!(matches!(pause(&refused(503, Some(3))), Pause::For(p) if p >= asked));
        assert!(matches!(pause(&refused(503, None)), Pause::For(_)));
        assert_eq!(pause(&refused(503, Some(11))), Pause::GiveUp);
        assert_eq!(pause(&refused(429, Some(u64::MAX))), Pause::GiveUp);
    }

    #[test]
    fn what_will_not_change_is_not_asked_again() {
        for status in [400, 401, 403, 404, 405, 409, 501] {
            assert_eq!(pause(&refused(status, None)), Pause::GiveUp, "{status}");
        }
        let timed_out = HttpError::TimedOut {
            service: Service::TransparencyLog,
            url: "http://localhost/".into(),
            seconds: 30,
        };
        assert_eq!(pause(&timed_out), Pause::GiveUp);
    }
}
