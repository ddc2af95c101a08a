//! `/healthz` and `/readyz`: alive, and able to do the work.
//!
//! Readiness is honest: whatever would make the next certificate, timestamp or entry fail turns
//! it red, with its name. What is not known to be broken is not guessed at.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::json;

use crate::answer;
use crate::clock::Clock;
use crate::fulcio::Fulcio;
use crate::metrics::Metrics;
use crate::profile::LIFE_SECONDS;
use crate::timestamp::TimestampAuthority;
use crate::tls::Tls;
use crate::tuf::serve::Shelf;

/// What readiness looks at.
pub struct Health {
    /// The CA and its identity providers.
    pub fulcio: Arc<Fulcio>,
    /// The timestamp authority.
    pub timestamps: Arc<TimestampAuthority>,
    /// The logs.
    pub engine: tlog::engine::Engine,
    /// What the TUF repository serves.
    pub tuf: Shelf,
    /// The clock that everything signs with.
    pub clock: Clock,
    /// Where the verdict and the logs' figures are counted.
    pub metrics: Metrics,
    /// What the listener shows, when it speaks TLS.
    pub tls: Option<Arc<Tls>>,
}

/// `/healthz` and `/readyz`.
pub fn routes(health: Arc<Health>) -> Router {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready)).with_state(health)
}

async fn alive() -> Response {
    answer::json(StatusCode::OK, &json!({ "status": "SERVING" }))
}

async fn ready(State(health): State<Arc<Health>>) -> Response {
    let problems = health.problems();
    let warnings = health.warnings();
    if problems.is_empty() && warnings.is_empty() {
        answer::json(StatusCode::OK, &json!({ "status": "READY" }))
    } else if problems.is_empty() {
        answer::json(StatusCode::OK, &json!({ "status": "READY", "warnings": warnings }))
    } else {
        let body = json!({ "status": "NOT_READY", "problems": problems });
        answer::json(StatusCode::SERVICE_UNAVAILABLE, &body)
    }
}

impl Health {
    /// What keeps the server from its work, a sentence each; none when it is ready. Also brings
    /// the figures of the logs up to date.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let now = self.clock.now();
        if let Err(stepped) = self.clock.signing_time() {
            problems.push(format!("clock: {stepped}"));
        }
        let left = self.fulcio.authority.seconds_left(now);
        if left < LIFE_SECONDS {
            problems.push(format!("ca: a CA certificate has {left} s left"));
        }
        if let Some(problem) = self.timestamps.problem(now) {
            problems.push(format!("tsa: {problem}"));
        }
        if let Some(left) = self.tls_seconds_left()
            && left < 0
        {
            problems.push(format!("tls: the listener's certificate ended {} s ago", -left));
        }
        if let Some(expiries) = self.tuf.expiries() {
            problems.extend(expiries.problems(now));
        }
        self.add_log_problems(&mut problems);
        for status in self.fulcio.identities.get().status() {
            if let (Some(fault), 0) = (status.fault, status.usable_keys) {
                problems.push(format!("issuer {}: {fault}", status.url));
            }
        }
        self.metrics.ready.set(i64::from(problems.is_empty()));
        problems
    }

    /// What will keep the server from its work unless somebody acts, a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(left) = self.tls_seconds_left()
            && (0..TLS_WARNING_SECONDS).contains(&left)
        {
            let days = left / DAY;
            warnings.push(format!("tls: the listener's certificate has {days} days left"));
        }
        if let Some(expiries) = self.tuf.expiries() {
            warnings.extend(expiries.warnings(self.clock.now()));
        }
        warnings
    }

    fn tls_seconds_left(&self) -> Option<i64> {
        let ends = self.tls.as_ref()?.not_after();
        self.metrics.tls_ends.set(ends);
        Some(ends.saturating_sub(self.clock.now()))
    }

    fn add_log_problems(&self, problems: &mut Vec<String>) {
        let state = self.engine.health();
        if !state.running {
            problems.push("log: stopping".to_owned());
        }
        if let Err(error) = &state.last_commit {
            problems.push(format!("store: the last commit failed: {error}"));
        }
        for tree in &state.trees {
            let mut problem = String::new();
            if let Some(damage) = &tree.damage {
                let _infallible = write!(problem, "damaged: {damage}");
            } else if tree.head_age_ms > MAX_HEAD_AGE_MS {
                let _infallible = write!(problem, "its head is {} s old", tree.head_age_ms / 1000);
            }
            if !problem.is_empty() {
                problems.push(format!("{} log: {problem}", tree.tree));
            }
            let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
            let name = [tree.tree.name()];
            self.metrics.log_size.with_label_values(&name).set(gauge(tree.head.size));
            self.metrics.head_age.with_label_values(&name).set(gauge(tree.head_age_ms / 1000));
        }
    }
}

const DAY: i64 = 24 * 60 * 60;

/// A certificate of ninety days is renewed a month before its end; half of that is late.
const TLS_WARNING_SECONDS: i64 = 14 * DAY;

/// An idle log signs its head anew every ten minutes; twice that is too long.
const MAX_HEAD_AGE_MS: u64 = 20 * 60 * 1000;
