//! The verdict: bundle, trust root, policy and artifact in; a verified identity or one reason out.
//!
//! In scope: whether a signature counts. Out of scope: where bundles, keys and trust roots come
//! from (`fetch`), how they are parsed (`formats`), how trees are hashed (`merkle`), and what a
//! user is told to do next (`verifier`). This crate reads no file, opens no socket, asks no clock
//! and draws no randomness; time arrives as an argument, in unix seconds.
//!
//! # How a verdict is made
//! Each verified fact is a type that only its own check can make, consumed by the next check:
//!
//! 1. times, from timestamps and promises of trusted authorities ([`time`]);
//! 2. the chain from the signer's certificate to an authority of the trust root, valid at each of
//!    these times;
//! 3. the certificate's transparency: signed certificate timestamps of known CT logs;
//! 4. inclusion of this very signature, key and digest in a known transparency log;
//! 5. the signature over the artifact or the attestation about it;
//! 6. the identity that the policy asks for ([`policy`]).
//!
//! Trust roots themselves come from a repository that was pinned once, by the rules of [`tuf`].
//!
//! [`verify::Verified`] is built from all of them. Nothing in a bundle chooses which checks run,
//! there is no flag that skips one, and an empty list in the trust root closes and never opens.
//!
//! # Example
//! ```
//! use formats::{bundle::Bundle, key::PublicKey, trusted_root::TrustedRoot};
//! use verify::policy::Policy;
//! use verify::verify::{Artifact, Verifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let root = include_bytes!("../tests/data/real-clients/trusted-root-rekorv2-tsa.json");
//! # let bundle = include_bytes!("../tests/data/real-clients/blob-bundle-rekorv2-tsa.json");
//! # let key = include_str!("../tests/data/real-clients/cosign.pub");
//! # let now = 1_795_320_000;
//! // Once, for any number of bundles.
//! let verifier = Verifier::new(&TrustedRoot::from_json(root)?)?;
//! let bundle = Bundle::from_json(bundle)?;
//! let policy = Policy::key(PublicKey::from_pem(key)?);
//!
//! let verified = verifier.verify(&bundle, &Artifact::Message(b"hello\n"), &policy, now)?;
//! assert_eq!(verified.entries[0].log, "rekor.local");
//!
//! let refusal = verifier.verify(&bundle, &Artifact::Message(b"other"), &policy, now).unwrap_err();
//! assert_eq!(refusal.code(), "artifact-digest-differs");
//! assert_eq!(refusal.blame(), "artifact");
//! # Ok(())
//! # }
//! ```

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
pub mod tuf;
pub mod verify;
