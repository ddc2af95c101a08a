//! Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint), read from scratch.

use crate::key::p256_verifies;
use crate::merkle::Hash;
use crate::{sha256, unb64};

/// A checkpoint with its signature lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The signed text, with its final line feed.
    pub text: String,
    /// The first line.
    pub origin: String,
    /// The second line.
    pub size: u64,
    /// The third line.
    pub root: Hash,
    /// Name, key hint and signature of each line below.
    pub signatures: Vec<(String, [u8; 4], Vec<u8>)>,
}

impl Checkpoint {
    /// Reads a checkpoint.
    ///
    /// # Panics
    /// When it is none, or has an extension line.
    #[must_use]
    pub fn read(note: &str) -> Self {
        let (text, lines) = note.split_once("\n\n").unwrap_or_else(|| panic!("no note: {note:?}"));
        let fields: Vec<&str> = text.split('\n').collect();
        let [origin, size, root] = fields[..] else { panic!("not three lines: {text:?}") };
        let signatures = lines.split_terminator('\n').map(|line| {
            let rest = line.strip_prefix("\u{2014} ").expect("a signature line begins so");
            let (name, blob) = rest.split_once(' ').expect("a name and a signature");
            let blob = unb64(blob);
            let (hint, signature) = blob.split_first_chunk::<4>().expect("a key hint");
            (name.to_owned(), *hint, signature.to_vec())
        });
        let parsed: u64 = size.parse().expect("a decimal size");
        assert_eq!(parsed.to_string(), size, "no sign and no leading zero");
        Self {
            text: format!("{text}\n"),
            origin: origin.to_owned(),
            size: parsed,
            root: unb64(root).try_into().expect("32 bytes of root"),
            signatures: signatures.collect(),
        }
    }

    /// Checks origin and signature of an artifact log's checkpoint: ECDSA over the text, key hint
    /// SHA-256(SPKI)[..4].
    ///
    /// # Panics
    /// When they do not hold.
    pub fn must_be_signed(&self, origin: &str, spki: &[u8]) {
        assert_eq!(self.origin, origin);
        let (name, hint, signature) = &self.signatures[0];
        assert_eq!((name.as_str(), &hint[..]), (origin, &sha256(spki)[..4]));
        assert!(p256_verifies(spki, self.text.as_bytes(), signature), "{}", self.text);
    }

    /// Checks origin and signature of a CT log's checkpoint: an RFC 6962 tree head (section 3.5)
    /// in a note of signature type 0x05. Answers its time in Unix milliseconds.
    ///
    /// # Panics
    /// When they do not hold.
    #[must_use]
    pub fn must_be_tree_head(&self, origin: &str, spki: &[u8]) -> u64 {
        assert_eq!(self.origin, origin);
        let (name, hint, signature) = &self.signatures[0];
        let id = sha256(&[origin.as_bytes(), b"\n\x05", &sha256(spki)].concat());
        assert_eq!((name.as_str(), &hint[..]), (origin, &id[..4]));
        let (timestamp, signed) = signature.split_first_chunk::<8>().expect("a timestamp");
        let timestamp = u64::from_be_bytes(*timestamp);
        tree_head_holds(timestamp, self.size, &self.root, signed, spki);
        timestamp
    }
}

/// Checks the DigitallySigned over a tree head (RFC 6962 section 3.5).
///
/// # Panics
/// When it does not hold.
pub fn tree_head_holds(timestamp_ms: u64, size: u64, root: &Hash, signed: &[u8], spki: &[u8]) {
    let mut message = vec![0, 1];
    message.extend(timestamp_ms.to_be_bytes());
    message.extend(size.to_be_bytes());
    message.extend(root);
    let signature = digitally_signed(signed);
    assert!(p256_verifies(spki, &message, signature), "the tree head's signature does not hold");
}

/// The signature inside a DigitallySigned of ECDSA with SHA-256 (RFC 5246 section 4.7).
///
/// # Panics
/// When it is another.
#[must_use]
pub fn digitally_signed(bytes: &[u8]) -> &[u8] {
    assert_eq!(bytes[..2], [4, 3], "SHA-256 and ECDSA");
    assert_eq!(usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), bytes.len() - 4);
    &bytes[4..]
}
