//! The grammar of notes and checkpoints, and who may sign one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use merkle::Hash;
use merkle::checkpoint::{Checkpoint, CheckpointError, OpenError, open};
use merkle::merkle::{empty_root, leaf_hash};
use merkle::note::{MAX_NOTE, MAX_SIGNATURES, Note, NoteError, NoteSignature, NoteVerifier};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// A key whose signatures are SHA-256(secret ‖ text): enough to be right or wrong.
struct Key {
    name: &'static str,
    id: [u8; 4],
    secret: u8,
}

impl Key {
    fn sign(&self, text: &str) -> NoteSignature {
        let signature = Sha256::digest([&[self.secret], text.as_bytes()].concat()).to_vec();
        NoteSignature { name: self.name.to_owned(), key_id: self.id, signature }
    }
}

impl NoteVerifier for Key {
    fn name(&self) -> &str {
        self.name
    }

    fn key_id(&self) -> [u8; 4] {
        self.id
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        Sha256::digest([&[self.secret], text].concat())[..] == *signature
    }
}

const LOG: Key = Key { name: "log.example", id: [1, 2, 3, 4], secret: 1 };
const SECOND: Key = Key { name: "log.example", id: [5, 6, 7, 8], secret: 2 };
const WITNESS: Key = Key { name: "witness.example", id: [9, 9, 9, 9], secret: 3 };

fn checkpoint_text() -> String {
    let root = leaf_hash(b"");
    Checkpoint { origin: "log.example".into(), size: 1, root, extensions: vec![] }.to_string()
}

fn note(signatures: impl IntoIterator<Item = NoteSignature>) -> Note {
    let mut note = Note::new(checkpoint_text()).unwrap();
    signatures.into_iter().for_each(|signature| note.add_signature(signature).unwrap());
    Note::parse(&note.to_string()).unwrap()
}

#[test]
fn only_own_key_counts() {
    let text = &checkpoint_text();
    let bad = |key: &Key| NoteSignature { signature: vec![0; 32], ..key.sign(text) };
    let own = || LOG.sign(text);
    let opened = open(&note([own()]), &LOG).unwrap();
    assert_eq!((opened.origin(), opened.size()), ("log.example", 1));
    assert_eq!(opened.root(), leaf_hash(b""));
    assert_eq!((opened.text(), opened.extensions().len()), (text.as_str(), 0));
    assert_eq!(opened.signature(), own().signature);

    let cosigned = [WITNESS.sign(text), own()];
    assert!(open(&note(cosigned), &LOG).is_ok(), "own line not first");
    assert!(open(&note([bad(&WITNESS), own()]), &LOG).is_ok(), "others are not our business");
    assert!(open(&note([SECOND.sign(text), own()]), &LOG).is_ok(), "same name, other key");
    assert!(open(&note([bad(&SECOND), own()]), &LOG).is_ok(), "same name, other key, not ours");
    assert!(open(&note([own(), own()]), &LOG).is_ok(), "the same line twice");

    let refused = |lines: Vec<NoteSignature>, error| {
        assert_eq!(open(&note(lines), &LOG), Err(error));
    };
    // Cosignatures never stand in for the log.
    refused(vec![WITNESS.sign(text)], OpenError::NotSigned);
    refused(vec![SECOND.sign(text)], OpenError::NotSigned);
    // A right signature under another name, or another hint, is not the log's line.
    refused(vec![NoteSignature { name: "log.example2".into(), ..own() }], OpenError::NotSigned);
    refused(vec![NoteSignature { name: "log.exampl".into(), ..own() }], OpenError::NotSigned);
    refused(vec![NoteSignature { name: "LOG.example".into(), ..own() }], OpenError::NotSigned);
    refused(vec![NoteSignature { key_id: [1, 2, 3, 5], ..own() }], OpenError::NotSigned);
    // A forged line with our name and hint, alone or beside the true one.
    refused(vec![bad(&LOG)], OpenError::BadSignature);
    refused(vec![bad(&LOG), own()], OpenError::BadSignature);
    refused(vec![own(), bad(&LOG)], OpenError::BadSignature);
    refused(vec![NoteSignature { key_id: LOG.id, ..SECOND.sign(text) }], OpenError::BadSignature);
}

/// An empty note has no lines to ask: absence of a refusal is not a signature.
#[test]
fn unsigned_note_is_not_opened() {
    let unsigned = Note::new(checkpoint_text()).unwrap();
    assert_eq!(open(&unsigned, &LOG), Err(OpenError::NotSigned));
}

#[test]
fn signature_covers_every_byte_of_the_text() {
    let signature = LOG.sign(&checkpoint_text());
    let other = checkpoint_text().replace("\n1\n", "\n2\n");
    let mut forged = Note::new(other).unwrap();
    forged.add_signature(signature).unwrap();
    assert_eq!(open(&forged, &LOG), Err(OpenError::BadSignature));
}

#[test]
fn text_is_read_only_once_authenticated() {
    let text = "no checkpoint\n";
    let mut note = Note::new(text.into()).unwrap();
    note.add_signature(WITNESS.sign(text)).unwrap();
    assert_eq!(open(&note, &LOG), Err(OpenError::NotSigned));
    note.add_signature(LOG.sign(text)).unwrap();
    assert_eq!(open(&note, &LOG), Err(OpenError::Checkpoint(CheckpointError::MissingSize)));
}

#[test]
fn note_grammar_strict() {
    use NoteError::*;
    // base64 of four bytes of key ID and one of signature.
    let good = "text\n\n\u{2014} name AQIDBAU=\n";
    let parsed = Note::parse(good).unwrap();
    assert_eq!(parsed.text(), "text\n");
    assert_eq!(
        parsed.signatures(),
        [NoteSignature { name: "name".into(), key_id: [1, 2, 3, 4], signature: vec![5] }]
    );

    let line = |line| MalformedLine { line };
    let cases = [
        ("", NoFinalNewline),
        ("\n", NoSignatures),
        ("text\n", NoSignatures),
        ("text\n\n", NoSignatures),
        ("\n\n", NoSignatures),
        ("text", NoFinalNewline),
        ("text\n\n\u{2014} name AQIDBAU=", NoFinalNewline),
        ("text\n\u{2014} name AQIDBAU=\n", NoSignatures),
        ("text\r\n\r\n\u{2014} name AQIDBAU=\r\n", ControlCharacter { at: 4 }),
        ("text\n\n\u{2014} name AQIDBAU=\r\n", ControlCharacter { at: 23 }),
        ("te\0xt\n\n\u{2014} name AQIDBAU=\n", ControlCharacter { at: 2 }),
        ("te\txt\n\n\u{2014} name AQIDBAU=\n", ControlCharacter { at: 2 }),
        // The signature part.
        ("text\n\n- name AQIDBAU=\n", line(0)),
        ("text\n\n\u{2013} name AQIDBAU=\n", line(0)),
        ("text\n\n\u{2014}name AQIDBAU=\n", line(0)),
        ("text\n\n \u{2014} name AQIDBAU=\n", line(0)),
        ("text\n\n\u{2014}\u{a0}name AQIDBAU=\n", line(0)),
        ("text\n\n\u{2014}  name AQIDBAU=\n", line(0)),
        ("text\n\n\u{2014} name  AQIDBAU=\n", line(0)),
        ("text\n\n\u{2014} name AQIDBAU= \n", line(0)),
        ("text\n\n\u{2014} name AQIDBAU= x\n", line(0)),
        ("text\n\n\u{2014} name\n", line(0)),
        ("text\n\n\u{2014} name \n", line(0)),
        ("text\n\n\u{2014}  AQIDBAU=\n", line(0)),
        ("text\n\n\u{2014} na+me AQIDBAU=\n", line(0)),
        ("text\n\n\u{2014} na\u{2003}me AQIDBAU=\n", line(0)),
        ("text\n\n\u{2014} na\u{85}me AQIDBAU=\n", line(0)),
        // Base64: not padded, not canonical, URL-safe, broken, too short for a signature.
        ("text\n\n\u{2014} name AQIDBAU\n", line(0)),
        ("text\n\n\u{2014} name AQIDBAV=\n", line(0)),
        ("text\n\n\u{2014} name AQID-_8=\n", line(0)),
        ("text\n\n\u{2014} name AQIDBA=U\n", line(0)),
        ("text\n\n\u{2014} name AQIDBA==\n", line(0)),
        ("text\n\n\u{2014} name AQID\n", line(0)),
        ("text\n\n\u{2014} name !!!!\n", line(0)),
        // A second line that is wrong, and text after the signatures.
        ("text\n\n\u{2014} name AQIDBAU=\ntext\n", line(1)),
        ("text\n\n\u{2014} name AQIDBAU=\n\n", NoSignatures),
        ("text\n\n\u{2014} name AQIDBAU=\n\ntext\n", line(0)),
    ];
    for (text, error) in cases {
        assert_eq!(Note::parse(text), Err(error), "{text:?}");
    }
}

/// Names are compared, never interpreted.
#[test]
fn names_are_literal() {
    for name in ["(.*)*x", ".*", "log.example.", "log.*", "^log.example$", "%6cog.example"] {
        let signature = NoteSignature { name: name.into(), ..LOG.sign(&checkpoint_text()) };
        assert_eq!(open(&note([signature]), &LOG), Err(OpenError::NotSigned), "{name}");
    }
}

#[test]
fn notes_may_have_empty_lines_in_the_text() {
    let parsed = Note::parse("a\n\nb\n\n\n\u{2014} name AQIDBAU=\n").unwrap();
    assert_eq!(parsed.text(), "a\n\nb\n\n");
    assert_eq!(Checkpoint::parse(parsed.text()), Err(CheckpointError::MalformedSize));
}

#[test]
fn notes_are_bounded() {
    let line = "\u{2014} name AQIDBAU=\n";
    let with = |lines| format!("text\n\n{}", line.repeat(lines));
    assert_eq!(Note::parse(&with(MAX_SIGNATURES)).unwrap().signatures().len(), 100);
    assert_eq!(Note::parse(&with(MAX_SIGNATURES + 1)), Err(NoteError::TooManySignatures));

    let fill = MAX_NOTE - "\n\n".len() - line.len();
    let longest = format!("{}\n\n{line}", "a".repeat(fill));
    assert_eq!(longest.len(), MAX_NOTE);
    assert!(Note::parse(&longest).is_ok());
    let len = MAX_NOTE + 1;
    assert_eq!(Note::parse(&format!("a{longest}")), Err(NoteError::TooLong { len }));
}

/// What is built is bounded as what is read is, so that whatever we sign can be read.
#[test]
fn built_notes_can_be_read() {
    assert_eq!(Note::new("text".into()), Err(NoteError::NoFinalNewline));
    assert_eq!(Note::new("te\rxt\n".into()), Err(NoteError::ControlCharacter { at: 2 }));
    let len = MAX_NOTE + 1;
    assert_eq!(Note::new(format!("{}\n", "a".repeat(MAX_NOTE))), Err(NoteError::TooLong { len }));

    let signature = NoteSignature { name: "name".into(), key_id: [0; 4], signature: vec![0] };
    let line = "\u{2014} name AAAAAAA=\n".len();
    let fill = MAX_NOTE - "\n\n".len() - line;
    let mut longest = Note::new(format!("{}\n", "a".repeat(fill))).unwrap();
    longest.add_signature(signature.clone()).unwrap();
    assert_eq!(longest.to_string().len(), MAX_NOTE);
    assert_eq!(Note::parse(&longest.to_string()).as_ref(), Ok(&longest));
    let len = MAX_NOTE + line;
    assert_eq!(longest.add_signature(signature.clone()), Err(NoteError::TooLong { len }));

    let mut full = Note::new("text\n".into()).unwrap();
    for _ in 0..MAX_SIGNATURES {
        full.add_signature(signature.clone()).unwrap();
    }
    assert_eq!(full.add_signature(signature.clone()), Err(NoteError::TooManySignatures));
    assert_eq!(full.signatures().len(), MAX_SIGNATURES);

    let mut note = Note::new("text\n".into()).unwrap();
    for name in ["", "a b", "a+b", "a\nb", "a\u{1}b"] {
        let wrong = NoteSignature { name: name.into(), ..signature.clone() };
        assert_eq!(note.add_signature(wrong), Err(NoteError::MalformedLine { line: 0 }));
    }
    let empty = NoteSignature { signature: vec![], ..signature };
    assert_eq!(note.add_signature(empty), Err(NoteError::MalformedLine { line: 0 }));
}

/// The longest hostile inputs take no longer than reading them; a quadratic or backtracking
/// parser would take hours.
#[test]
#[allow(clippy::disallowed_methods, reason = "a test that measures; the crate itself has no clock")]
fn parsing_takes_linear_time() {
    let start = Instant::now();
    for filler in ["\n", "a", "\u{2014} ", "\n\u{2014} a", "+", "=", "\u{2014} a AQIDBAU=\n", "a "]
    {
        let filler = filler.repeat(900_000 / filler.len());
        for text in [
            filler.clone(),
            format!("{filler}\n"),
            format!("text\n\n{filler}\n"),
            format!("text\n\n\u{2014} {filler} AQIDBAU=\n"),
            format!("text\n\n\u{2014} name {filler}\n"),
        ] {
            let _ = Note::parse(&text);
            let _ = Checkpoint::parse(&text);
        }
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn checkpoint_grammar_strict() {
    use CheckpointError::*;
    // base64 of SHA-256 over nothing, and of 32 zero bytes.
    const EMPTY: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    const ZERO: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    let good = Checkpoint::parse(&format!("a log - 1\n18446744073709551615\n{ZERO}\nx\ny z\n"));
    let good = good.unwrap();
    assert_eq!((good.origin.as_str(), good.size), ("a log - 1", u64::MAX));
    assert_eq!((good.root, good.extensions), (Hash::new([0; 32]), vec!["x".into(), "y z".into()]));
    let empty = Checkpoint::parse(&format!("o\n0\n{EMPTY}\n")).unwrap();
    assert_eq!((empty.size, empty.root), (0, empty_root()));

    let cases = [
        (String::new(), NoFinalNewline),
        (format!("o\n1\n{ZERO}"), NoFinalNewline),
        ("\n".into(), EmptyOrigin),
        (format!("\n1\n{ZERO}\n"), EmptyOrigin),
        ("o\n".into(), MissingSize),
        ("o\n1\n".into(), MissingRoot),
        (format!("o\r\n1\n{ZERO}\n"), ControlCharacter),
        (format!("o\n1\r\n{ZERO}\n"), ControlCharacter),
        (format!("o\n1\n{ZERO}\n\n"), EmptyExtension),
        (format!("o\n1\n{ZERO}\n\nx\n"), EmptyExtension),
        // null_head_is_not_empty_head: nothing but SHA-256("") is the root of no leaves.
        (format!("o\n0\n{ZERO}\n"), EmptyTreeRoot),
    ];
    for (text, error) in cases {
        assert_eq!(Checkpoint::parse(&text), Err(error), "{text:?}");
    }
    let sizes = [
        "",
        "+5",
        "-5",
        "05",
        "00",
        " 5",
        "5 ",
        "5.0",
        "5e1",
        "0x5",
        "5_0",
        "\u{0665}",
        "five",
        "18446744073709551616",
        "99999999999999999999999",
    ];
    for size in sizes {
        let text = format!("o\n{size}\n{ZERO}\n");
        assert_eq!(Checkpoint::parse(&text), Err(MalformedSize), "{size:?}");
    }
    let roots = [
        "",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", // not padded
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", // not canonical
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", // 31 bytes
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", // 33 bytes
        "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=", // URL-safe alphabet
        " AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= ",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ];
    for root in roots {
        let text = format!("o\n1\n{root}\n");
        assert_eq!(Checkpoint::parse(&text), Err(MalformedRoot), "{root:?}");
    }
}

fn any_signature() -> impl Strategy<Value = NoteSignature> {
    let blob = prop::collection::vec(any::<u8>(), 1..80);
    ("[^\\s+\\x00-\\x1f]{1,20}", any::<[u8; 4]>(), blob)
        .prop_map(|(name, key_id, signature)| NoteSignature { name, key_id, signature })
}

proptest! {
    #[test]
    fn notes_written_are_read(
        text in "([^\\x00-\\x1f]{0,12}\n){1,6}",
        signatures in prop::collection::vec(any_signature(), 1..6),
    ) {
        let mut note = Note::new(text).unwrap();
        for signature in signatures {
            note.add_signature(signature).unwrap();
        }
        prop_assert_eq!(Note::parse(&note.to_string()), Ok(note));
    }

    /// Texts near the grammar: whatever is taken is written back byte for byte.
    #[test]
    fn notes_read_are_written(
        text in "[a\n]{0,6}\n{0,3}((\u{2014}|-) ?[ab+ ]{0,3} AQIDBA[A-E]{0,2}={0,2}\n{0,2}){0,3}",
    ) {
        if let Ok(note) = Note::parse(&text) {
            prop_assert_eq!(note.to_string(), text);
        }
    }

    #[test]
    fn checkpoints_written_are_read(
        origin in "[^\\x00-\\x1f]{1,20}",
        size in 1_u64..,
        root: [u8; 32],
        extensions in prop::collection::vec("[^\\x00-\\x1f]{1,20}", 0..4),
    ) {
        let checkpoint = Checkpoint { origin, size, root: Hash::new(root), extensions };
        prop_assert_eq!(Checkpoint::parse(&checkpoint.to_string()), Ok(checkpoint));
    }

    #[test]
    fn checkpoints_read_are_written(text in "[a ]{0,3}\n[+0]?[0-9]{0,2}\n[A-D]{42}[AEB]=\n?[a\n]{0,3}") {
        if let Ok(checkpoint) = Checkpoint::parse(&text) {
            prop_assert_eq!(checkpoint.to_string(), text);
        }
    }

    #[test]
    fn parsers_are_total(text: String) {
        let _ = Note::parse(&text);
        let _ = Checkpoint::parse(&text);
    }
}
