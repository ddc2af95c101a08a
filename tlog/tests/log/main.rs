//! The log as a whole: both stores, both dialects, and everything that goes wrong. Tests that
//! stand for a row of the threat model have its name.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod engine;
mod support;
mod crash;
mod keys;
mod replicas;
