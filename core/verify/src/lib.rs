//! The verdict.
mod chain;
pub mod crypto;
pub mod error;
pub mod identity;
mod inclusion;
mod path;
pub mod policy;
mod root;
mod sct;
mod signature;
mod signer;
pub mod time;
pub mod verify;
