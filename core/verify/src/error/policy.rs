use crate::identity::escaped;
use crate::policy::Claim;

/// The bundle holds, and is not what the policy asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// An identity is demanded, and the bundle was made with a bare key.
    #[error("an identity is demanded, the bundle is signed with a bare key")]
    KeyBundle,
    /// A key is demanded, and the bundle was made with a certificate.
    #[error("a key is demanded, the bundle is signed with a certificate")]
    CertificateBundle,
    /// The certificate's subject is another one.
    #[error("the signer is {}{}", escaped(found), hint(fault))]
    Subject {
        /// The subject in the certificate, unescaped.
        found: String,
        /// How it fails to match.
        fault: MatchFault,
    },
    /// The certificate's issuer is another one.
    #[error("the signer's identity is vouched for by {}{}", escaped(found), hint(fault))]
    Issuer {
        /// The issuer in the certificate, unescaped.
        found: String,
        /// How it fails to match.
        fault: MatchFault,
    },
    /// A claim in the certificate is another one.
    #[error("the certificate's {claim} is {}{}", escaped(found), hint(fault))]
    Claim {
        /// The claim.
        claim: Claim,
        /// Its value, unescaped.
        found: String,
        /// How it fails to match.
        fault: MatchFault,
    },
    /// A claim that the policy has a rule for is not in the certificate.
    #[error("the certificate does not state its {0}")]
    ClaimAbsent(Claim),
    /// Fewer distinct logs than demanded.
    #[error("{have} transparency logs vouch for the entry, {need} are demanded")]
    TooFewLogs {
        /// Distinct logs.
        have: usize,
        /// Demanded.
        need: u32,
    },
    /// Fewer distinct sources of time than demanded.
    #[error("{have} authorities vouch for the time, {need} are demanded")]
    TooFewTimes {
        /// Distinct authorities and logs.
        have: usize,
        /// Demanded.
        need: u32,
    },
    /// Fewer distinct CT logs than demanded.
    #[error("{have} CT logs vouch for the certificate, {need} are demanded")]
    TooFewScts {
        /// Distinct CT logs.
        have: usize,
        /// Demanded.
        need: u32,
    },
    /// The key is not trusted at a verified time.
    #[error("the key is not trusted at {0}")]
    KeyWindow(i64),
    /// A predicate type is demanded, and the bundle signs a file.
    #[error("an attestation is demanded, the bundle signs a file")]
    NotAnAttestation,
    /// The statement's predicate type is another one.
    #[error("the statement's predicate type is {}", escaped(found))]
    PredicateType {
        /// The statement's, unescaped.
        found: String,
    },
}

/// How a value fails to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchFault {
    /// It is not the expected one.
    Differs,
    /// The pattern matches only a part of it.
    InPart,
}

/// Why a pattern was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The pattern is longer than we compile.
    #[error("the pattern is {0} bytes long, more than 4096")]
    TooLong(usize),
    /// The pattern does not compile, alone or as a whole match.
    #[error("the pattern is not a regular expression: {0}")]
    Syntax(String),
    /// The compiled pattern would be too large.
    #[error("the pattern is too large when compiled")]
    TooLarge,
    /// The pattern matches the empty text, so that it constrains nothing or can never match.
    #[error("the pattern matches the empty text")]
    MatchesEmpty,
    /// The pattern matches any text at all.
    #[error("the pattern matches anything")]
    MatchesAnything,
}

impl PolicyFault {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::KeyBundle => "key-bundle",
            Self::CertificateBundle => "certificate-bundle",
            Self::Subject { fault: MatchFault::Differs, .. } => "subject-differs",
            Self::Subject { fault: MatchFault::InPart, .. } => "subject-matches-in-part",
            Self::Issuer { fault: MatchFault::Differs, .. } => "issuer-differs",
            Self::Issuer { fault: MatchFault::InPart, .. } => "issuer-matches-in-part",
            Self::Claim { fault: MatchFault::Differs, .. } => "claim-differs",
            Self::Claim { fault: MatchFault::InPart, .. } => "claim-matches-in-part",
            Self::ClaimAbsent(_) => "claim-absent",
            Self::TooFewLogs { .. } => "too-few-logs",
            Self::TooFewTimes { .. } => "too-few-times",
            Self::TooFewScts { .. } => "too-few-scts",
            Self::KeyWindow(_) => "key-window",
            Self::NotAnAttestation => "not-an-attestation",
            Self::PredicateType { .. } => "predicate-type",
        }
    }
}

fn hint(fault: &MatchFault) -> &'static str {
    match fault {
        MatchFault::Differs => "",
        MatchFault::InPart => ", of which the pattern matches only a part; it must match the whole",
    }
}
