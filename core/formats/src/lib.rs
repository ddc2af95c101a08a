//! Every byte on the wire, parsed once into its strict form: bundles, trust roots, signing
//! configurations, TUF metadata, certificates, SCTs, DSSE envelopes, in-toto statements, log
//! entries and RFC 3161 timestamps.
//!
//! Pure: no clock, no files, no network, no randomness. Times are Unix seconds (`i64`), SCT times
//! Unix milliseconds (`u64`).

pub mod bundle;
pub mod certificate;
pub mod digest;
pub mod dsse;
pub mod entry;
pub mod instance;
pub mod json;
pub mod key;
pub mod limits;
pub mod sct;
pub mod signing_config;
pub mod statement;
pub mod timestamp;
pub mod trusted_root;
pub mod tuf;
