//! The log as a whole: both stores, both dialects, and everything that goes wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod engine;
mod support;
