//! RFC 6962 hashing and proofs, C2SP tiles and entry bundles, signed notes and checkpoints.
//!
//! Pure: no clock, no files, no network, no randomness, and no cryptography beyond SHA-256;
//! signatures are checked through [`note::NoteVerifier`], which the caller brings.

pub mod checkpoint;
pub mod entries;
pub mod merkle;
pub mod note;
pub mod tile;

pub use merkle::Hash;
