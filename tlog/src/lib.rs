//! One append-only log engine, its storage, and its dialects.
//!
//! An entry goes through four states, each a type: [`entry::Submitted`] bytes are verified by a
//! dialect ([`rekor2`], [`ct`]) into [`entry::Accepted`], given an index by the one writer
//!, and come back as [`entry::Published`], durable under a signed head with a
//! proof. [`store`] holds it all in one transaction; [`fsck`] recomputes it all.
//!
//! No HTTP here and no keys: routes are the server's, and keys are reached through
//! [`signer::LogKey`].

pub mod birth;
pub mod ct;
mod edge;
pub mod engine;
pub mod entry;
pub mod fsck;
pub mod highwater;
pub mod metrics;
mod plan;
mod queue;
pub mod read;
pub mod rekor2;
pub mod scrub;
pub mod search;
mod sequencer;
pub mod signer;
pub mod store;

pub use edge::NodeError;
pub use engine::Engine;
pub use entry::{Accepted, Published, Submitted, Tree};
