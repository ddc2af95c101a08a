//! Stand-ins of GitHub's and Google's sign-in endpoints, for tests without an account there.
//!
//! They answer as the providers' public documents say, and refuse what the providers refuse:
//! unknown clients and wrong secrets, redirects that were not registered, codes that are spent,
//! old or of another client, PKCE verifiers that do not fit, API calls without the scope or the
//! `User-Agent`. What no document says is decided strictly, and said so where it is. Instead of a
//! password, their page asks which of the accounts of a file to sign in as.

#![allow(clippy::expect_used)]

pub mod accounts;
mod consent;
pub mod github;
pub mod google;
mod page;
pub mod registration;

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand;

/// `bytes` random bytes in lower-case hexadecimal.
fn random_hex(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    rand::fill(&mut random).expect("the system has randomness");
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Unix seconds.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs()
}
