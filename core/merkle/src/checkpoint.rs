//! Checkpoints, C2SP tlog-checkpoint: the text of a note that commits to a tree.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::merkle::{Hash, empty_root};
use crate::note::{Note, NoteVerifier};

/// Opens `note` as a checkpoint signed by the key of `verifier`.
///
/// Lines with the verifier's name *and* key ID count, in any position, and each of them must
/// verify: one that does not was forged or damaged, and the note is refused even if another
/// holds. All other lines are ignored, so a cosignature never stands in for the log's own.
/// The text is read only after it is authenticated.
///
/// The origin is not compared with the key name, for Rekor v1 has a tree ID in the former;
/// the caller compares [`OpenedCheckpoint::origin`] with the log it expects.
///
/// # Errors
/// [`OpenError`].
pub fn open(note: &Note, verifier: &dyn NoteVerifier) -> Result<OpenedCheckpoint, OpenError> {
    let mut signature = None;
    let own = |line_name: &str, key_id| line_name == verifier.name() && key_id == verifier.key_id();
    for line in note.signatures().iter().filter(|line| own(&line.name, line.key_id)) {
        if !verifier.verify(note.text().as_bytes(), &line.signature) {
            return Err(OpenError::BadSignature);
        }
        signature.get_or_insert(&line.signature);
    }
    let signature = signature.ok_or(OpenError::NotSigned)?.clone();
    let checkpoint = Checkpoint::parse(note.text())?;
    Ok(OpenedCheckpoint { checkpoint, text: note.text().to_owned(), signature })
}

/// A checkpoint whose log signature was verified; only [`open`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedCheckpoint {
    checkpoint: Checkpoint,
    text: String,
    signature: Vec<u8>,
}

impl OpenedCheckpoint {
    /// The log the checkpoint is of.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.checkpoint.origin
    }

    /// The size of the tree, in leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// The root of the tree.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.checkpoint.root
    }

    /// The extension lines; this crate gives them no meaning.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.checkpoint.extensions
    }

    /// The signed text, with its final newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first verified signature, without its key ID. An RFC 6962 log (type 0x05) keeps
    /// the timestamp of its tree head in it.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

/// What a checkpoint says, unauthenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log: a line that is not empty, by convention a name without scheme.
    pub origin: String,
    /// The size of the tree, in leaves.
    pub size: u64,
    /// The root of the tree.
    pub root: Hash,
    /// Further lines, none of them empty.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    /// Reads the text of a note. `Display` is the exact inverse.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        if text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(CheckpointError::ControlCharacter);
        }
        let text = text.strip_suffix('\n').ok_or(CheckpointError::NoFinalNewline)?;
        let mut lines = text.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty());
        let origin = origin.ok_or(CheckpointError::EmptyOrigin)?;
        let size = lines.next().ok_or(CheckpointError::MissingSize)?;
        let size = parse_size(size).ok_or(CheckpointError::MalformedSize)?;
        let root = lines.next().ok_or(CheckpointError::MissingRoot)?;
        let root = parse_root(root).ok_or(CheckpointError::MalformedRoot)?;
        if size == 0 && root != empty_root() {
            return Err(CheckpointError::EmptyTreeRoot);
        }
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(CheckpointError::EmptyExtension);
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Why a text is not a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// A character below U+0020 that is not a newline.
    #[error("the checkpoint has a control character")]
    ControlCharacter,
    /// The text does not end in a newline.
    #[error("the checkpoint does not end in a newline")]
    NoFinalNewline,
    /// The first line is empty.
    #[error("the origin of the checkpoint is empty")]
    EmptyOrigin,
    /// There is no second line.
    #[error("the checkpoint has no size")]
    MissingSize,
    /// The second line is not a decimal below 2^64 without sign or leading zeros.
    #[error("the size of the checkpoint is malformed")]
    MalformedSize,
    /// There is no third line.
    #[error("the checkpoint has no root")]
    MissingRoot,
    /// The third line is not the padded, canonical base64 of 32 bytes.
    #[error("the root of the checkpoint is malformed")]
    MalformedRoot,
    /// The size is 0, but the root is not that of the empty tree.
    #[error("the root of the checkpoint is not that of an empty tree")]
    EmptyTreeRoot,
    /// An extension line is empty.
    #[error("an extension line of the checkpoint is empty")]
    EmptyExtension,
}

/// Why a note was not opened as a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpenError {
    /// No line has the name and the key ID of the log.
    #[error("the checkpoint is not signed by the key of the log")]
    NotSigned,
    /// A line has the name and the key ID of the log, but its signature does not hold.
    #[error("a signature in the name of the log's key does not verify")]
    BadSignature,
    /// The text, though signed, is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

fn parse_size(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    if !plain || padded { None } else { text.parse().ok() }
}

fn parse_root(text: &str) -> Option<Hash> {
    Hash::try_from(STANDARD.decode(text).ok()?.as_slice()).ok()
}
