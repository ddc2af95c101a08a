//! What an engine is given, and what it says about itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use merkle::note::NoteVerifier;

use super::SubmitError;
use crate::birth::Birth;
use crate::entry::Tree;
use crate::scrub::Damage;
use crate::signer::HeadSigner;
use crate::store::Head;

/// How to run one tree.
pub struct TreeConfig {
    /// Which tree.
    pub tree: Tree,
    /// Signs its heads.
    pub signer: Arc<dyn HeadSigner>,
    /// Checks them: a stored head that this refuses is not ours, and the tree is not opened.
    pub verifier: Arc<dyn NoteVerifier + Send + Sync>,
    /// Checks the heads of the key that signed before this one, after a rotation. At open the
    /// stored head may still be that key's last; it is then signed anew before anything is shown.
    pub previous: Option<Arc<dyn NoteVerifier + Send + Sync>>,
    /// Makes the entry that a new tree is born with ([`crate::birth`]).
    pub birth: Birth,
}

/// Limits and intervals.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Work that may be queued or in a commit at one time; more is refused as overload.
    pub max_outstanding: usize,
    /// Jobs in one commit at most.
    pub max_batch: usize,
    /// The head of an idle tree is signed anew when it is this old, in milliseconds.
    pub resign_after_ms: u64,
    /// The high-water file, outside the database ([`crate::highwater`]); `None` in tests only.
    pub high_water: Option<PathBuf>,
    /// How often the high-water file is replaced at most.
    pub high_water_interval: Duration,
    /// The pace of the background scrubber; 0 turns it off.
    pub scrub_entries_per_second: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_outstanding: 4096,
            max_batch: 4096,
            resign_after_ms: 600_000,
            high_water: None,
            high_water_interval: Duration::from_secs(1),
            scrub_entries_per_second: 32,
        }
    }
}

/// The answer to "is the log well?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Each tree that runs.
    pub trees: Vec<TreeHealth>,
    /// How the last commit went; `Ok` before the first.
    pub last_commit: Result<(), SubmitError>,
    /// Whether new work is taken.
    pub running: bool,
    /// Work queued or in a commit.
    pub outstanding: usize,
}

/// The state of one tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeHealth {
    /// Which tree.
    pub tree: Tree,
    /// Its last committed head. Every committed entry is covered by it: they are one transaction.
    pub head: Head,
    /// How long ago it was signed, in milliseconds.
    pub head_age_ms: u64,
    /// How far our clock is behind that head, in milliseconds: it was set back. New heads and
    /// SCTs keep the time of the last until it has caught up.
    pub clock_behind_ms: u64,
    /// Damage found in its stored entries. Nothing is signed while this stands.
    pub damage: Option<Damage>,
}
