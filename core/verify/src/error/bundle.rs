use formats::entry::EntryError;
use formats::statement::StatementError;
use formats::timestamp::TokenError;
use merkle::checkpoint::OpenError;
use merkle::merkle::ProofError;
use merkle::note::NoteError;

/// The bundle lacks something or contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleFault {
    /// There is no transparency log entry.
    #[error("there is no log entry")]
    NoLogEntry,
    /// One log entry does not hold; `index` is its place in `tlogEntries`.
    #[error("log entry {index}: {fault}")]
    Entry {
        /// Place in `tlogEntries`, from 0.
        index: usize,
        /// What is wrong.
        fault: EntryFault,
    },
    /// There is neither a timestamp nor a signed entry timestamp, so nothing says when the
    /// short-lived certificate was used.
    #[error("nothing proves when the signature was made: no timestamp, no signed entry timestamp")]
    NoVerifiedTime,
    /// A timestamp response does not parse; `index` is its place in `rfc3161Timestamps`.
    #[error("timestamp {index}: {error}")]
    TimestampMalformed {
        /// Place in the list, from 0.
        index: usize,
        /// What the parser found.
        error: TokenError,
    },
    /// A timestamp is of other bytes than this bundle's signature.
    #[error("timestamp {index} is not of this bundle's signature")]
    TimestampImprint {
        /// Place in the list, from 0.
        index: usize,
    },
    /// A certificate after the leaf is a root; anchors come from the trust root alone.
    #[error("the certificate chain carries a root certificate (place {position})")]
    RootInChain {
        /// Place in the chain, the leaf being 0.
        position: usize,
    },
    /// There is no certificate where the material promises one.
    #[error("the certificate chain is empty")]
    EmptyChain,
    /// The DSSE payload is not an in-toto statement, or is signed as something else.
    #[error("statement: {0}")]
    Statement(StatementError),
}

/// What is wrong with one log entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// The canonicalized body does not parse as the kind and version it claims.
    #[error("canonicalizedBody: {0}")]
    Body(EntryError),
    /// This kind of entry cannot stand for this kind of content.
    #[error("an entry of this kind cannot record this bundle's content")]
    KindDoesNotFitContent,
    /// The entry is of another artifact or payload.
    #[error("the entry records another digest")]
    DigestDiffers,
    /// The entry is of another signature.
    #[error("the entry records another signature")]
    SignatureDiffers,
    /// The entry names another certificate or key.
    #[error("the entry records another certificate or key")]
    KeyDiffers,
    /// The entry records another payload type than the envelope has.
    #[error("the entry records another payload type")]
    PayloadTypeDiffers,
    /// The entry holds none or several signatures where the bundle has one.
    #[error("the entry records {0} signatures, not one")]
    SignatureCount(usize),
    /// `keyDetails` names an algorithm that is not the key's.
    #[error("the entry's keyDetails do not fit the key")]
    KeyDetails,
    /// The body says what the bundle says, in other bytes than the canonical ones.
    #[error("the entry is not in its canonical form")]
    NotCanonical,
    /// `logIndex` and `inclusionProof.logIndex` differ, which in a tile log are one number.
    #[error("logIndex and inclusionProof.logIndex differ")]
    LogIndexDiffers,
    /// A tile log does not promise; an entry that has both forms is made up.
    #[error("an entry of a tile log carries an inclusion promise")]
    PromiseFromTileLog,
    /// The promise covers a time, and the entry has none.
    #[error("there is an inclusion promise and no integratedTime")]
    PromiseWithoutTime,
    /// The signed entry timestamp does not verify under the log's key.
    #[error("the inclusion promise is not signed by the log")]
    PromiseSignature,
    /// The log claims to have integrated the entry after now.
    #[error("integratedTime {0} is in the future")]
    IntegratedTimeInFuture(i64),
    /// There is no inclusion proof.
    #[error("there is no inclusion proof")]
    NoInclusionProof,
    /// The checkpoint is not a signed note.
    #[error("checkpoint: {0}")]
    CheckpointNote(NoteError),
    /// The checkpoint's text or the log's signature on it does not hold.
    #[error("checkpoint: {0}")]
    Checkpoint(OpenError),
    /// The checkpoint's first line is not the log's.
    #[error("the checkpoint's origin is not that of the log")]
    CheckpointOrigin,
    /// The proof's root is not the checkpoint's.
    #[error("inclusionProof.rootHash is not the checkpoint's root")]
    RootDiffers,
    /// The proof's tree size is not the checkpoint's.
    #[error("inclusionProof.treeSize is not the checkpoint's size")]
    SizeDiffers,
    /// The Merkle path does not lead from the entry to the root.
    #[error("inclusion proof: {0}")]
    Inclusion(ProofError),
}

impl BundleFault {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NoLogEntry => "no-log-entry",
            Self::Entry { fault, .. } => fault.code(),
            Self::NoVerifiedTime => "no-verified-time",
            Self::TimestampMalformed { .. } => "timestamp-malformed",
            Self::TimestampImprint { .. } => "timestamp-imprint",
            Self::RootInChain { .. } => "root-in-chain",
            Self::EmptyChain => "empty-chain",
            Self::Statement(StatementError::PayloadType { .. }) => "payload-type",
            Self::Statement(_) => "statement-malformed",
        }
    }
}

impl EntryFault {
    fn code(&self) -> &'static str {
        match self {
            Self::Body(_) => "entry-body",
            Self::KindDoesNotFitContent => "entry-kind-does-not-fit-content",
            Self::DigestDiffers => "entry-digest-differs",
            Self::SignatureDiffers => "entry-signature-differs",
            Self::KeyDiffers => "entry-key-differs",
            Self::PayloadTypeDiffers => "entry-payload-type-differs",
            Self::SignatureCount(_) => "entry-signature-count",
            Self::KeyDetails => "entry-key-details",
            Self::NotCanonical => "entry-not-canonical",
            Self::LogIndexDiffers => "entry-log-index-differs",
            Self::PromiseFromTileLog => "promise-from-tile-log",
            Self::PromiseWithoutTime => "promise-without-time",
            Self::PromiseSignature => "promise-signature",
            Self::IntegratedTimeInFuture(_) => "integrated-time-in-future",
            Self::NoInclusionProof => "no-inclusion-proof",
            Self::CheckpointNote(_) => "checkpoint-malformed",
            Self::Checkpoint(_) => "checkpoint-not-opened",
            Self::CheckpointOrigin => "checkpoint-origin",
            Self::RootDiffers => "checkpoint-root-differs",
            Self::SizeDiffers => "checkpoint-size-differs",
            Self::Inclusion(_) => "inclusion-proof",
        }
    }
}
