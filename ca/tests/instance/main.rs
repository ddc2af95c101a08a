//! An instance without a listener: issuing and readiness on a clock that the test moves.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod desk;
mod golden;
mod issuance;
mod properties;
mod readiness;
mod rotation;
