//! The identity door from outside: tokens, keys, issuers on real sockets, and the development
//! issuer's sign-in. Tests bear the names of the threat model's rows.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod authorities;
mod import;
mod issuers;
mod kinds;
mod pinned;
mod pipelines;
mod signatures;
mod tokens;
mod wildcards;
