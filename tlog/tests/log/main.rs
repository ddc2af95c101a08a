//! The log as a whole: both stores, both dialects, and everything that goes wrong. Tests that
//! stand for a row of the threat model have its name.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod crash;
mod ct;
mod engine;
mod fsck;
mod fuzz;
mod keys;
mod read;
mod rekor2;
mod replicas;
mod rotation;
mod signer;
mod support;
