//! Signed notes, C2SP signed-note: a text, an empty line, and signature lines.
//!
//! Parsing only splits. Which signature counts is decided where a checkpoint is opened,
//! with a [`NoteVerifier`] the caller brings.

mod key;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

pub use key::{KeyName, KeyNameError};
pub use key::{key_hint, key_id_ecdsa, key_id_ed25519, key_id_rfc6962, key_id_rsa};

/// The longest note read or written, in bytes, as in the reference implementation.
pub const MAX_NOTE: usize = 1_000_000;

/// The most signature lines read or written, as in the reference implementation.
pub const MAX_SIGNATURES: usize = 100;

/// One key that may sign notes.
pub trait NoteVerifier {
    /// The key name, compared byte for byte with that of a signature line.
    fn name(&self) -> &str;

    /// The key ID in signature lines: the first four bytes of the full one.
    fn key_id(&self) -> [u8; 4];

    /// Whether `signature` (the bytes after the key ID) is this key's over `text`, the text
    /// of the note with its final newline.
    fn verify(&self, text: &[u8], signature: &[u8]) -> bool;
}

/// One signature line: `— <name> <base64(key_id ‖ signature)>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The key name, as [`KeyName`] allows it.
    pub name: String,
    /// The first four bytes of the full key ID.
    pub key_id: [u8; 4],
    /// The signature, at least one byte; its form is that of the key's type.
    pub signature: Vec<u8>,
}

/// A note. Nothing in it is authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// Reads a note with at least one signature line. `Display` is the exact inverse.
    ///
    /// The last empty line ends the text. Takes time linear in the length.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        check_bytes(note)?;
        if !note.ends_with('\n') {
            return Err(NoteError::NoFinalNewline);
        }
        let split = note.rfind("\n\n").ok_or(NoteError::NoSignatures)?;
        let (text, lines) = note.split_at_checked(split + 1).ok_or(NoteError::NoSignatures)?;
        let lines = lines.get(1..).filter(|lines| !lines.is_empty());
        let lines = lines.ok_or(NoteError::NoSignatures)?;

        let mut signatures = Vec::new();
        for line in lines.split_terminator('\n') {
            if signatures.len() == MAX_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            signatures.push(parse_line(line, signatures.len())?);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// A note over `text` that nobody has signed yet. It cannot be read back before a
    /// signature is added.
    ///
    /// # Errors
    /// [`NoteError::NoFinalNewline`], [`NoteError::ControlCharacter`], [`NoteError::TooLong`].
    pub fn new(text: String) -> Result<Self, NoteError> {
        check_bytes(&text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::NoFinalNewline);
        }
        Ok(Self { text, signatures: Vec::new() })
    }

    /// Adds a signature line after those already there.
    ///
    /// # Errors
    /// [`NoteError::MalformedLine`] for a name no key may have or an empty signature,
    /// [`NoteError::TooManySignatures`], [`NoteError::TooLong`]; the note is then unchanged.
    pub fn add_signature(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        let line = self.signatures.len();
        if KeyName::check(&signature.name).is_err() || signature.signature.is_empty() {
            return Err(NoteError::MalformedLine { line });
        }
        if line == MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        let before: usize = self.signatures.iter().map(line_len).sum();
        let len = self.text.len() + 1 + before + line_len(&signature);
        if len > MAX_NOTE {
            return Err(NoteError::TooLong { len });
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// The text, with its final newline: what is signed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines in their order, unverified.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl fmt::Display for NoteSignature {
    /// The line without its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blob = [self.key_id.as_slice(), &self.signature].concat();
        write!(f, "{LINE_START}{} {}", self.name, STANDARD.encode(blob))
    }
}

/// Why something is not a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoteError {
    /// Longer than [`MAX_NOTE`].
    #[error("the note has {len} bytes, more than {MAX_NOTE}")]
    TooLong {
        /// The length, in bytes.
        len: usize,
    },
    /// A character below U+0020 that is not a newline, such as a carriage return.
    #[error("the note has a control character at byte {at}")]
    ControlCharacter {
        /// Where it stands, in bytes from the start.
        at: usize,
    },
    /// The note or its text does not end in a newline.
    #[error("the note does not end in a newline")]
    NoFinalNewline,
    /// No empty line, or nothing after it.
    #[error("the note has no signature lines after an empty line")]
    NoSignatures,
    /// More signature lines than [`MAX_SIGNATURES`].
    #[error("the note has more than {MAX_SIGNATURES} signature lines")]
    TooManySignatures,
    /// A line that is not an em dash, a key name and the padded, canonical base64 of at least
    /// five bytes, one space between each.
    #[error("signature line {line} of the note is malformed")]
    MalformedLine {
        /// The line, counted from 0 at the first signature line.
        line: usize,
    },
}

fn check_bytes(note: &str) -> Result<(), NoteError> {
    if note.len() > MAX_NOTE {
        return Err(NoteError::TooLong { len: note.len() });
    }
    match note.bytes().position(|byte| byte < b' ' && byte != b'\n') {
        Some(at) => Err(NoteError::ControlCharacter { at }),
        None => Ok(()),
    }
}

fn parse_line(text: &str, line: usize) -> Result<NoteSignature, NoteError> {
    parse_signature(text).ok_or(NoteError::MalformedLine { line })
}

fn parse_signature(line: &str) -> Option<NoteSignature> {
    let (name, blob) = line.strip_prefix(LINE_START)?.split_once(' ')?;
    KeyName::check(name).ok()?;
    let blob = STANDARD.decode(blob).ok()?;
    let (key_id, signature) = blob.split_first_chunk::<4>()?;
    if signature.is_empty() {
        return None;
    }
    Some(NoteSignature { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
}

/// The length of a signature line with its newline, in bytes.
fn line_len(signature: &NoteSignature) -> usize {
    let base64 = (4 + signature.signature.len()).div_ceil(3) * 4;
    LINE_START.len() + signature.name.len() + 1 + base64 + 1
}

/// An em dash, U+2014, and a space.
const LINE_START: &str = "\u{2014} ";
