//! What `signer` and `verifier` need from the world outside: services over HTTP, trust roots and
//! signing configurations from files and instances, and the artifact's bytes.
//!
//! Nothing here decides anything: what comes back is bytes, or a parsed form of `formats`, and the
//! verdict belongs to `verify`, for trust repositories too. Nothing is read but what the caller
//! names, and the settings of this user where it asks for them ([`named::Home`]): no working
//! directory, no environment beyond the proxy variables that HTTPS honours.

pub mod artifact;
pub mod endpoint;
pub mod http;
pub mod named;
pub mod progress;
pub mod shown;
pub mod trust;
pub mod tuf;
