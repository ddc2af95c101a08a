//! Prometheus metrics: Fulcio's names where Fulcio has one, ours with the prefix `paraph_`.
//!
//! Labels are route templates, known methods, configured issuers and the fixed names of reasons:
//! nothing that a client chooses becomes a series.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::core::Collector;
use prometheus::{
    Encoder as _, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};

/// All that the server counts.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    /// `fulcio_new_certs`: certificates issued.
    pub new_certs: IntCounter,
    /// `fulcio_api_latency` in seconds, by HTTP code and method, over the CA's addresses.
    pub api_latency: HistogramVec,
    /// `http_requests_total` by code and method, over all addresses.
    pub http_requests: IntCounterVec,
    /// `paraph_http_request_seconds` by face.
    pub face_latency: HistogramVec,
    /// `paraph_certificates_issued_total` by issuer.
    pub issued: IntCounterVec,
    /// `paraph_refusals_total` by face and reason.
    pub refusals: IntCounterVec,
    /// `paraph_timestamps_total`.
    pub timestamps: IntCounter,
    /// `paraph_log_entries` by log: the size of each tree.
    pub log_size: IntGaugeVec,
    /// `paraph_log_head_age_seconds` by log.
    pub head_age: IntGaugeVec,
    /// What the log engine counts, under `paraph_log_…`; brought up to date when it is shown.
    log: IntCounterVec,
    store: IntCounterVec,
    /// `paraph_open_connections`.
    pub connections: IntGauge,
    /// `paraph_tls_certificate_end_seconds`: when the listener's certificate ends, in Unix seconds.
    pub tls_ends: IntGauge,
    /// `paraph_reloads_total` by what (`tls`, `configuration`) and outcome (`taken`, `refused`).
    pub reloads: IntCounterVec,
    /// `paraph_tuf_expires_seconds` by role: how long its signatures are still good.
    pub tuf_expires: IntGaugeVec,
    /// `paraph_ready`: 1 when `/readyz` answers 200.
    pub ready: IntGauge,
}

impl Metrics {
    /// All metrics at zero.
    ///
    /// # Errors
    /// When two metrics have one name, which no input can bring about.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let build = IntGaugeVec::new(
            Opts::new("fulcio_build_info", "Always 1; the version is in the labels."),
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        add(&registry, build)?;
        Ok(Self {
            new_certs: add(
                &registry,
                IntCounter::new("fulcio_new_certs", "Certificates issued.")?,
            )?,
            api_latency: add(
                &registry,
                HistogramVec::new(
                    HistogramOpts::new("fulcio_api_latency", "Seconds a CA request took."),
                    &["code", "method"],
                )?,
            )?,
            http_requests: add(
                &registry,
                counters("http_requests_total", "HTTP requests.", &["code", "method"])?,
            )?,
            face_latency: add(
                &registry,
                HistogramVec::new(
                    HistogramOpts::new("paraph_http_request_seconds", "Seconds a request took.")
                        .buckets(LATENCY_BUCKETS.into()),
                    &["face"],
                )?,
            )?,
            issued: add(
                &registry,
                counters("paraph_certificates_issued_total", "By issuer.", &["issuer"])?,
            )?,
            refusals: add(
                &registry,
                counters("paraph_refusals_total", "Refused requests.", &["face", "reason"])?,
            )?,
            timestamps: add(
                &registry,
                IntCounter::new("paraph_timestamps_total", "Timestamps signed.")?,
            )?,
            log_size: add(&registry, gauges("paraph_log_entries", "Size of the tree.", &["log"])?)?,
            head_age: add(
                &registry,
                gauges("paraph_log_head_age_seconds", "Age of the newest head.", &["log"])?,
            )?,
            log: add(
                &registry,
                counters(
                    "paraph_log_answers_total",
                    "Entries by log and outcome.",
                    &["log", "outcome"],
                )?,
            )?,
            store: add(
                &registry,
                counters("paraph_store_total", "What the store did, by what.", &["what"])?,
            )?,
            connections: add(
                &registry,
                IntGauge::new("paraph_open_connections", "Open connections.")?,
            )?,
            tls_ends: add(
                &registry,
                IntGauge::new(
                    "paraph_tls_certificate_end_seconds",
                    "When the listener's certificate ends, in Unix seconds; 0 without one.",
                )?,
            )?,
            reloads: add(
                &registry,
                counters(
                    "paraph_reloads_total",
                    "Changed files, by what they are and what came of them.",
                    &["what", "outcome"],
                )?,
            )?,
            tuf_expires: add(
                &registry,
                gauges("paraph_tuf_expires_seconds", "Life left of the signatures.", &["role"])?,
            )?,
            ready: add(&registry, IntGauge::new("paraph_ready", "1 when ready.")?)?,
            registry,
        })
    }

    /// Takes over what the log engine has counted.
    pub fn take_over(&self, engine: &tlog::metrics::Metrics) {
        let set = |counter: IntCounter, value: &AtomicU64| {
            counter.reset();
            counter.inc_by(value.load(Ordering::Relaxed));
        };
        for tree in tlog::Tree::ALL {
            let counted = engine.tree(tree);
            for (outcome, value) in [
                ("new", &counted.entries),
                ("repeated", &counted.duplicates),
                ("scrubbed", &counted.scrubbed),
            ] {
                set(self.log.with_label_values(&[tree.name(), outcome]), value);
            }
        }
        for (what, value) in [
            ("commits", &engine.commits),
            ("failed-commits", &engine.commit_failures),
            ("commit-microseconds", &engine.commit_micros),
            ("audit-rows", &engine.audit_rows),
            ("unwanted-answers", &engine.gone),
        ] {
            set(self.store.with_label_values(&[what]), value);
        }
    }

    /// The Prometheus text format, version 0.0.4.
    pub fn render(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Writing to a Vec cannot fail; a metric that cannot be encoded is left out.
        let _left_out = TextEncoder::new().encode(&self.registry.gather(), &mut out);
        out
    }
}

fn add<C: Collector + Clone + 'static>(
    registry: &Registry,
    metric: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counters(name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    IntCounterVec::new(Opts::new(name, help), labels)
}

fn gauges(name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
    IntGaugeVec::new(Opts::new(name, help), labels)
}

/// Seconds; from well under a signature to well over a slow disk's flush.
const LATENCY_BUCKETS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0];
