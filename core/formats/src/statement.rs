//! in-toto statements: which artifacts an attestation is about, and of what kind it is.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use thiserror::Error;

use crate::bundle::wire::Capped;
use crate::digest::{Digest, DigestError, HashAlgorithm};
use crate::dsse::{Envelope, IN_TOTO_PAYLOAD_TYPE};
use crate::json::{self, JsonError};
use crate::limits::{MAX_BUNDLE_BYTES, MAX_SUBJECTS};

/// The part of an in-toto statement (in-toto/attestation, `spec/v1/statement.md`, and v0.1 before
/// it) that a verdict needs. Never without subjects. The predicate is left in the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What the statement is about; at least one.
    pub subjects: Vec<Subject>,
    /// The URI of the predicate's type; not empty.
    pub predicate_type: String,
}

/// One artifact a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// A name for people. Nothing is decided by it.
    pub name: Option<String>,
    /// The digests we can compute, at most one of each algorithm.
    pub digests: Vec<Digest>,
    /// The names of the other algorithms that were given, such as `gitCommit`.
    pub other_algorithms: Vec<String>,
}

/// Why a payload is not a statement.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StatementError {
    /// The envelope holds something else.
    #[error("payloadType is {found:?}, not {IN_TOTO_PAYLOAD_TYPE:?}")]
    PayloadType {
        /// The type the envelope states.
        found: String,
    },
    /// Not strict JSON of the expected shape.
    #[error("in-toto statement: {0}")]
    Json(#[from] JsonError),
    /// `_type` names no version that we read.
    #[error("in-toto statement: unknown _type {found:?}")]
    UnknownType {
        /// The type that was found.
        found: String,
    },
    /// `predicateType` is empty.
    #[error("in-toto statement: predicateType is empty")]
    NoPredicateType,
    /// The list of subjects is empty, so that the statement is about nothing.
    #[error("in-toto statement: no subject")]
    NoSubjects,
    /// More subjects than [`MAX_SUBJECTS`].
    #[error("in-toto statement: {count} subjects, more than {MAX_SUBJECTS}")]
    TooManySubjects {
        /// How many there were.
        count: usize,
    },
    /// A subject without any digest, which would match nothing or everything.
    #[error("in-toto statement: subject {index} has no digest")]
    NoDigest {
        /// Its place in the list, from 0.
        index: usize,
    },
    /// A digest of a known algorithm is not lower-case hex of the right length.
    #[error("in-toto statement: subject {index}: {fault}")]
    Digest {
        /// The place of the subject in the list, from 0.
        index: usize,
        /// What was wrong with it.
        fault: DigestError,
    },
}

/// Why a statement is not about an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SubjectMismatch {
    /// No subject has a digest of an algorithm that the artifact was hashed with.
    #[error("no subject has a digest that could be compared with the artifact's")]
    NothingComparable,
    /// Subjects could be compared, and every one differs in at least one digest.
    #[error("no subject has the artifact's digest")]
    Differs,
}

impl Statement {
    /// Reads the statement in an envelope, whose payload type must be exactly
    /// [`IN_TOTO_PAYLOAD_TYPE`].
    ///
    /// # Errors
    /// [`StatementError::PayloadType`] for another type, and those of [`Statement::parse`].
    pub fn from_envelope(envelope: &Envelope) -> Result<Self, StatementError> {
        if envelope.payload_type != IN_TOTO_PAYLOAD_TYPE {
            return Err(StatementError::PayloadType { found: envelope.payload_type.clone() });
        }
        Self::parse(&envelope.payload)
    }

    /// Reads the JSON of a statement. Members that are not known are ignored, as the in-toto
    /// specification demands; known ones must have their exact form.
    ///
    /// # Errors
    /// [`StatementError`], by cause.
    pub fn parse(payload: &[u8]) -> Result<Self, StatementError> {
        let wire: WireStatement = json::from_slice_capped(payload, MAX_BUNDLE_BYTES)?;
        if !STATEMENT_TYPES.contains(&wire.kind.as_str()) {
            return Err(StatementError::UnknownType { found: wire.kind });
        }
        if wire.predicate_type.is_empty() {
            return Err(StatementError::NoPredicateType);
        }
        let subjects = wire
            .subject
            .into_all()
            .map_err(|many| StatementError::TooManySubjects { count: many.count })?;
        if subjects.is_empty() {
            return Err(StatementError::NoSubjects);
        }
        let subjects = subjects
            .into_iter()
            .enumerate()
            .map(|(index, subject)| subject.strict(index))
            .collect::<Result<_, _>>()?;
        Ok(Self { subjects, predicate_type: wire.predicate_type })
    }

    /// Whether the statement is about the artifact with these digests: some subject has at least
    /// one digest of an algorithm among them, and agrees in all of those it has.
    ///
    /// # Errors
    /// [`SubjectMismatch`].
    pub fn matches(&self, artifact: &[Digest]) -> Result<(), SubjectMismatch> {
        let mut refusal = SubjectMismatch::NothingComparable;
        for subject in &self.subjects {
            match subject.agrees(artifact) {
                Some(true) => return Ok(()),
                Some(false) => refusal = SubjectMismatch::Differs,
                None => {}
            }
        }
        Err(refusal)
    }
}

impl Subject {
    /// `None` when no digest can be compared.
    fn agrees(&self, artifact: &[Digest]) -> Option<bool> {
        let mut agrees = None;
        for ours in artifact {
            let same_algorithm = self.digests.iter().find(|d| d.algorithm() == ours.algorithm());
            if let Some(theirs) = same_algorithm {
                agrees = Some(agrees.unwrap_or(true) && theirs == ours);
            }
        }
        agrees
    }
}

#[derive(Deserialize)]
struct WireStatement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Capped<WireSubject, MAX_SUBJECTS>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

#[derive(Deserialize)]
struct WireSubject {
    #[serde(default)]
    name: Option<String>,
    digest: DigestSet,
}

impl WireSubject {
    fn strict(self, index: usize) -> Result<Subject, StatementError> {
        if self.digest.0.is_empty() {
            return Err(StatementError::NoDigest { index });
        }
        let mut digests = Vec::new();
        let mut other_algorithms = Vec::new();
        for (name, value) in self.digest.0 {
            match HashAlgorithm::from_rekor_name(&name) {
                Some(algorithm) => digests.push(
                    Digest::from_hex(algorithm, &value)
                        .map_err(|fault| StatementError::Digest { index, fault })?,
                ),
                None => other_algorithms.push(name),
            }
        }
        Ok(Subject { name: self.name, digests, other_algorithms })
    }
}

/// The members of a digest set in their order; equal names were refused by [`json::from_slice_capped`].
struct DigestSet(Vec<(String, String)>);

impl<'de> Deserialize<'de> for DigestSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DigestSetVisitor)
    }
}

struct DigestSetVisitor;

impl<'de> Visitor<'de> for DigestSetVisitor {
    type Value = DigestSet;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object of digests")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DigestSet, A::Error> {
        let mut digests = Vec::new();
        while let Some(entry) = map.next_entry()? {
            digests.push(entry);
        }
        Ok(DigestSet(digests))
    }
}

/// The `_type` of in-toto v1 statements, which we write.
pub const STATEMENT_V1: &str = "https://in-toto.io/Statement/v1";

/// The `_type` of in-toto v0.1 statements, which cosign's attestations have.
pub const STATEMENT_V01: &str = "https://in-toto.io/Statement/v0.1";

const STATEMENT_TYPES: [&str; 2] = [STATEMENT_V1, STATEMENT_V01];

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    const KIND: &str = STATEMENT_V1;

    fn statement(kind: &str, subjects: &str) -> Result<Statement, StatementError> {
        let json = format!(
            r#"{{"_type":"{kind}","subject":{subjects},"predicateType":"https://example.com/p","predicate":{{"x":1.5}},"later":[]}}"#
        );
        Statement::parse(json.as_bytes())
    }

    fn sha256(byte: u8) -> Digest {
        Digest::sha256([byte; 32])
    }

    fn sha512(byte: u8) -> Digest {
        Digest::new(HashAlgorithm::Sha512, &[byte; 64]).unwrap()
    }

    fn subject(digests: &[(&str, String)]) -> String {
        let set = digests
            .iter()
            .map(|(name, value)| format!(r#""{name}":"{value}""#))
            .collect::<Vec<_>>()
            .join(",");
        format!(r#"{{"name":"a","digest":{{{set}}}}}"#)
    }

    #[test]
    fn dsse_payload_type_exact() {
        let payload = format!(
            r#"{{"_type":"{KIND}","subject":[{}],"predicateType":"p"}}"#,
            subject(&[("sha256", "11".repeat(32))])
        );
        let envelope = |payload_type: &str| Envelope {
            payload_type: payload_type.to_owned(),
            payload: payload.clone().into_bytes(),
            signature: vec![1],
            key_id: None,
        };
        assert!(Statement::from_envelope(&envelope(IN_TOTO_PAYLOAD_TYPE)).is_ok());
        for other in [
            "application/vnd.in-toto+JSON",
            "application/vnd.in-toto+json;v=1",
            "application/vnd.in-toto+json ",
            "text/plain",
            "",
        ] {
            assert_eq!(
                Statement::from_envelope(&envelope(other)),
                Err(StatementError::PayloadType { found: other.to_owned() })
            );
        }
    }

    #[test]
    fn dsse_payload_type_exact_in_the_statement_version() {
        let subjects = format!("[{}]", subject(&[("sha256", "11".repeat(32))]));
        for known in [STATEMENT_V1, STATEMENT_V01] {
            assert!(statement(known, &subjects).is_ok());
        }
        for unknown in ["https://in-toto.io/Statement/v9", "https://in-toto.io/statement/v1", ""] {
            assert_eq!(
                statement(unknown, &subjects),
                Err(StatementError::UnknownType { found: unknown.to_owned() })
            );
        }
        let untyped = format!(r#"{{"subject":{subjects},"predicateType":"p"}}"#);
        assert!(matches!(
            Statement::parse(untyped.as_bytes()),
            Err(StatementError::Json(JsonError::Schema { .. }))
        ));
    }

    #[test]
    fn subjects_any_but_consistent() {
        let one = subject(&[("sha256", "11".repeat(32)), ("sha512", "11".repeat(64))]);
        let two = subject(&[("sha256", "22".repeat(32)), ("sha512", "22".repeat(64))]);
        let parsed = statement(KIND, &format!("[{one},{two}]")).unwrap();
        assert_eq!(parsed.matches(&[sha256(0x11)]), Ok(()));
        assert_eq!(parsed.matches(&[sha256(0x22), sha512(0x22)]), Ok(()), "second subject");
        assert_eq!(parsed.matches(&[sha256(0x33)]), Err(SubjectMismatch::Differs));
        assert_eq!(
            parsed.matches(&[sha256(0x11), sha512(0x22)]),
            Err(SubjectMismatch::Differs),
            "digests of two subjects do not add up to one"
        );

        let torn = subject(&[("sha256", "33".repeat(32)), ("sha512", "11".repeat(64))]);
        let torn = statement(KIND, &format!("[{torn}]")).unwrap();
        assert_eq!(torn.matches(&[sha256(0x11), sha512(0x11)]), Err(SubjectMismatch::Differs));
        assert_eq!(torn.matches(&[sha512(0x11), sha256(0x11)]), Err(SubjectMismatch::Differs));
    }

    #[test]
    fn subjects_are_never_vacuous() {
        assert_eq!(statement(KIND, "[]"), Err(StatementError::NoSubjects));
        assert_eq!(
            statement(KIND, r#"[{"name":"a","digest":{}}]"#),
            Err(StatementError::NoDigest { index: 0 })
        );
        for null in ["null", "[null]", r#"[{"name":"a","digest":null}]"#, r#"[{"name":"a"}]"#] {
            assert!(
                matches!(
                    statement(KIND, null),
                    Err(StatementError::Json(JsonError::Schema { .. }))
                ),
                "{null}"
            );
        }
        let git = statement(KIND, &format!("[{}]", subject(&[("gitCommit", "1".repeat(40))])));
        let git = git.unwrap();
        assert_eq!(git.subjects[0].other_algorithms, ["gitCommit"]);
        assert_eq!(git.matches(&[sha256(0x11)]), Err(SubjectMismatch::NothingComparable));
        let known = statement(KIND, &format!("[{}]", subject(&[("sha256", "11".repeat(32))])));
        assert_eq!(known.unwrap().matches(&[]), Err(SubjectMismatch::NothingComparable));
    }

    #[test]
    fn arrays_are_no_messages() {
        let digest = format!(r#"{{"sha256":"{}"}}"#, "11".repeat(32));
        for subject in [format!(r#"["a",{digest}]"#), "[]".to_owned()] {
            assert!(matches!(
                statement(KIND, &format!("[{subject}]")),
                Err(StatementError::Json(JsonError::Schema { .. }))
            ));
        }
        let whole = format!(r#"["{KIND}",[{{"digest":{digest}}}],"p"]"#);
        assert!(matches!(
            Statement::parse(whole.as_bytes()),
            Err(StatementError::Json(JsonError::Schema { .. }))
        ));
    }

    #[test]
    fn digests_are_exact_lower_case_hex() {
        let with = |hex: String| statement(KIND, &format!("[{}]", subject(&[("sha256", hex)])));
        assert!(with("ab".repeat(32)).is_ok());
        assert_eq!(
            with("AB".repeat(32)),
            Err(StatementError::Digest { index: 0, fault: DigestError::NotHex })
        );
        assert!(matches!(
            with("ab".repeat(31)),
            Err(StatementError::Digest { index: 0, fault: DigestError::WrongLength { .. } })
        ));
    }

    #[test]
    fn a_predicate_type_is_needed() {
        let json = format!(
            r#"{{"_type":"{KIND}","subject":[{}],"predicateType":""}}"#,
            subject(&[("sha256", "11".repeat(32))])
        );
        assert_eq!(Statement::parse(json.as_bytes()), Err(StatementError::NoPredicateType));
    }

    #[test]
    fn raw_bytes_judged() {
        let digest = "11".repeat(32);
        let odd = format!(
            "\n{{ \"predicateType\" :\t\"p\" , \"subject\":[ {{\"digest\":{{\"sha256\":\"{digest}\"}} }} ],\r\n\"\\u005ftype\": \"{KIND}\" }} "
        );
        assert_eq!(Statement::parse(odd.as_bytes()).unwrap().matches(&[sha256(0x11)]), Ok(()));

        let twice = format!(
            r#"{{"_type":"{KIND}","subject":[{{"digest":{{"sha256":"{digest}"}}}}],"predicateType":"a","\u0070redicateType":"b"}}"#
        );
        assert_eq!(
            Statement::parse(twice.as_bytes()),
            Err(StatementError::Json(JsonError::DuplicateMember {
                name: "predicateType".to_owned()
            }))
        );
        let inner = format!(
            r#"{{"_type":"{KIND}","subject":[{{"digest":{{"sha256":"{digest}","sha256":"{digest}"}}}}],"predicateType":"a"}}"#
        );
        assert_eq!(
            Statement::parse(inner.as_bytes()),
            Err(StatementError::Json(JsonError::DuplicateMember { name: "sha256".to_owned() }))
        );
    }

    #[test]
    fn untrusted_lists_capped_for_subjects() {
        let one = subject(&[("sha256", "11".repeat(32))]);
        let list = |count: usize| format!("[{}]", vec![one.as_str(); count].join(","));
        assert_eq!(statement(KIND, &list(MAX_SUBJECTS)).unwrap().subjects.len(), MAX_SUBJECTS);
        assert_eq!(
            statement(KIND, &list(MAX_SUBJECTS + 1)),
            Err(StatementError::TooManySubjects { count: MAX_SUBJECTS + 1 })
        );
    }
}
