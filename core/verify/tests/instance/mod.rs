//! A whole instance in miniature: authorities, CT log, transparency logs and timestamp authority,
//! made anew for each test. A [`Scene`] is a recipe; a test changes one thing in it and asks for
//! the verdict.
//!
//! Everything a verifier reads is written here byte by byte (DER, bodies, checkpoints, tokens), so
//! that the crate under test does not judge its own output.

#![allow(dead_code, unused_imports, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

pub mod der;
pub mod log;
pub mod make;
pub mod pki;
pub mod scene;
pub mod tsa;

pub use pki::Key;
pub use scene::{Kind, Scene, T};
