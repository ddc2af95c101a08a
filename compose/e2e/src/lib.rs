//! The harness of the end-to-end tests: it starts the built binaries as a person would, talks to
//! them over loopback, and judges their answers with its own small readers.
//!
//! Nothing here comes from the packages under test. Merkle proofs, signed notes, SCTs and DER are
//! read by code of this package's own or by the `openssl` command, so that a mistake in ours can't
//! hide behind itself. Everything panics with the reason: this package is only used by tests.

#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod answer;
pub mod audit;
pub mod binaries;
pub mod ct;
pub mod der;
pub mod http;
pub mod instance;
pub mod issue;
pub mod key;
pub mod log;
pub mod merkle;
pub mod note;
pub mod openssl;
pub mod process;
pub mod provider;
pub mod rekor;
pub mod tls;
pub mod token;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Standard base64 with padding.
#[must_use]
pub fn b64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes standard base64 with padding.
///
/// # Panics
/// When it is anything else.
#[must_use]
pub fn unb64(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap_or_else(|error| panic!("{text:?} is not base64: {error}"))
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Our clock in Unix seconds.
#[must_use]
pub fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("the clock is past 1970")
        .as_secs()
}
