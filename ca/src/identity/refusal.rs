//! Why a token was refused: one variant per cause, shared by every check of the identity door.
//!
//! A message names the check, what is configured here and the times compared. It never holds a
//! byte that came out of the token, so that neither a log nor an answer can leak or be steered.

use thiserror::Error;

use super::config::{Alg, Names};
use super::email::EmailFault;
use super::fetch::FetchFault;
use super::kind::{ServiceAccountFault, SpiffeFault, UsernameFault};
use super::san::SanFault;

/// Why no identity came out of a token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenRefusal {
    /// Larger than the cap, so nothing of it was read.
    #[error("identity token of {bytes} bytes exceeds {limit}")]
    TooLarge {
        /// Size of the token in bytes.
        bytes: usize,
        /// The cap in bytes.
        limit: usize,
    },
    /// Not the compact form of RFC 7515 section 3.1: three segments between two dots.
    #[error("identity token is not three segments between two dots")]
    NotThreeSegments,
    /// A segment is not canonical base64url without padding (RFC 7515 section 2).
    #[error("{segment} of the identity token is not canonical base64url without padding")]
    Encoding {
        /// Which of the three.
        segment: Segment,
    },
    /// A segment is not one strict JSON object.
    #[error("{segment} of the identity token is not a strict JSON object: {fault}")]
    Json {
        /// Header or claims.
        segment: Segment,
        /// What is wrong with it.
        fault: JsonFault,
    },
    /// `alg` is absent, not a string, `none`, symmetric, or unknown here.
    #[error("alg of the identity token is not an asymmetric algorithm known here")]
    AlgorithmUnknown,
    /// `alg` is known, but not in this issuer's list.
    #[error("alg {algorithm} of the identity token is not among {allowed} configured for {issuer}")]
    AlgorithmNotAllowed {
        /// The configured issuer.
        issuer: String,
        /// The token's algorithm.
        algorithm: Alg,
        /// The issuer's list.
        allowed: Names,
    },
    /// A `crit` header: an extension that must be understood, and none is (RFC 7515 4.1.11).
    #[error("identity token has a crit header, and no critical extension is understood")]
    CriticalHeader,
    /// `typ` is neither absent nor JWT: the token was made for another use (RFC 8725 3.11).
    #[error("typ of the identity token is not JWT")]
    TypeNotJwt,
    /// `kid` is there and not a string.
    #[error("kid of the identity token is not a string")]
    KeyIdNotText,
    /// `iss` is not byte for byte a configured issuer.
    #[error("iss of the identity token is none of the issuers configured here: {configured}")]
    IssuerNotConfigured {
        /// Every configured issuer.
        configured: Names,
    },
    /// No key of the issuer has the token's `kid`.
    #[error(
        "no signing key of {issuer} has the key id of the identity token \
         (keys read at {fetched_at}, unknown ids are looked up at most every {retry_seconds} s)"
    )]
    KeyUnknown {
        /// The configured issuer.
        issuer: String,
        /// When its keys were last read, in Unix seconds; 0 for keys that are pinned.
        fetched_at: i64,
        /// Seconds between two look-ups.
        retry_seconds: i64,
    },
    /// The key is of another kind, or its JWK names another algorithm, than the token's `alg`.
    #[error("the signing key of {issuer} is not for alg {algorithm}")]
    AlgorithmNotOfKey {
        /// The configured issuer.
        issuer: String,
        /// The token's algorithm.
        algorithm: Alg,
    },
    /// The signature does not hold under the issuer's key.
    #[error("the signature of the identity token does not verify under the keys of {issuer}")]
    Signature {
        /// The configured issuer.
        issuer: String,
    },
    /// The issuer cannot be reached and no usable key of it is held: not the caller's fault.
    #[error("the signing keys of {issuer} cannot be read now: {fault}")]
    IssuerUnreachable {
        /// The configured issuer.
        issuer: String,
        /// What happened on the way.
        fault: FetchFault,
    },
    /// The issuer answered, but not with documents that may be trusted.
    #[error("the discovery or keys of {issuer} are refused: {fault}")]
    IssuerMisbehaves {
        /// The configured issuer.
        issuer: String,
        /// What was wrong with its answer.
        fault: FetchFault,
    },
    /// A required claim is absent or null.
    #[error("identity token has no {claim} claim")]
    ClaimMissing {
        /// The claim's name, from our rules or the provider's templates.
        claim: String,
    },
    /// A claim is of another JSON type than its one type.
    #[error("claim {claim} of the identity token is not {expected}")]
    ClaimType {
        /// The claim's name, from our rules or the provider's templates.
        claim: String,
        /// The one type it may have.
        expected: &'static str,
    },
    /// `aud` does not hold our client id byte for byte.
    #[error("aud of the identity token does not contain {expected:?}, configured for {issuer}")]
    Audience {
        /// The configured issuer.
        issuer: String,
        /// The configured client id.
        expected: String,
    },
    /// `aud` names the client ids of several entries that have the same issuer, so that it would be
    /// a matter of luck whose rules count.
    #[error(
        "aud of the identity token names several entries configured for {issuer}: {configured}"
    )]
    AudienceAmbiguous {
        /// The configured issuer.
        issuer: String,
        /// Every client id that it names.
        configured: Names,
    },
    /// `exp` has been reached. There is no leeway.
    #[error("identity token expired at {expires_at}, and it is {now}")]
    Expired {
        /// `exp`, in Unix seconds.
        expires_at: i64,
        /// Our clock, in Unix seconds.
        now: i64,
    },
    /// `nbf` is further ahead than the skew allowed.
    #[error("identity token is not valid before {not_before}, and it is {now} (skew {skew} s)")]
    NotYetValid {
        /// `nbf`, in Unix seconds.
        not_before: i64,
        /// Our clock, in Unix seconds.
        now: i64,
        /// Seconds of skew allowed.
        skew: i64,
    },
    /// `iat` is further ahead than the skew allowed.
    #[error("identity token was issued at {issued_at}, and it is {now} (skew {skew} s)")]
    IssuedInFuture {
        /// `iat`, in Unix seconds.
        issued_at: i64,
        /// Our clock, in Unix seconds.
        now: i64,
        /// Seconds of skew allowed.
        skew: i64,
    },
    /// `exp` minus `iat` (or now, without `iat`) is more than the issuer's cap.
    #[error("identity token lives {lifetime} s, and {issuer} is configured for {limit} s at most")]
    Lifetime {
        /// The configured issuer.
        issuer: String,
        /// Seconds from `iat`, or from now, to `exp`.
        lifetime: i64,
        /// The configured cap in seconds.
        limit: u64,
    },
    /// A claim holds nothing where something is needed.
    #[error("claim {claim} of the identity token is empty")]
    ClaimEmpty {
        /// The claim's name.
        claim: String,
    },
    /// A claim that becomes a certificate value holds a control character.
    #[error("claim {claim} of the identity token holds a control character")]
    ClaimControlCharacter {
        /// The claim's name.
        claim: String,
    },
    /// `email_verified` is neither true nor `"true"`.
    #[error("email_verified of the identity token is not true")]
    EmailNotVerified,
    /// `email` is not an address of the accepted grammar.
    #[error("email of the identity token is not accepted: {fault}")]
    Email {
        /// Which rule it breaks.
        fault: EmailFault,
    },
    /// The claim that names the certificate's issuer has a value outside its closed list.
    #[error(
        "claim {claim} of the identity token is none of the issuers configured for it: {allowed}"
    )]
    IssuerClaim {
        /// The claim's path.
        claim: String,
        /// The configured values.
        allowed: Names,
    },
    /// A claim of which only some values are taken has another one, or is no string.
    #[error("claim {claim} of the identity token is none of {allowed}")]
    ClaimValue {
        /// The claim's name.
        claim: String,
        /// The values taken.
        allowed: Names,
    },
    /// `sub` is no user name that may stand before its domain.
    #[error("sub of the identity token is not accepted as a user name: {fault}")]
    Username {
        /// Which rule it breaks.
        fault: UsernameFault,
    },
    /// `sub` is a URI of another scheme, host or port than configured.
    #[error("sub of the identity token is not below {expected}/")]
    SubjectDomain {
        /// The configured scheme and host.
        expected: String,
    },
    /// `sub` is no SPIFFE ID of the configured trust domain.
    #[error("sub of the identity token is not accepted as a SPIFFE ID of {trust_domain}: {fault}")]
    SpiffeId {
        /// The configured trust domain.
        trust_domain: String,
        /// Which rule it breaks.
        fault: SpiffeFault,
    },
    /// The token names no service account.
    #[error("the identity token is not accepted as a bound service account token: {fault}")]
    ServiceAccount {
        /// What is wrong.
        fault: ServiceAccountFault,
    },
    /// The subject that the provider's template makes cannot stand in a certificate.
    #[error("the subject made from the claims of {issuer} is not accepted: {fault}")]
    Subject {
        /// The configured issuer.
        issuer: String,
        /// Which rule it breaks.
        fault: SanFault,
    },
}

impl TokenRefusal {
    /// A stable kebab-case name of the cause, for metrics and audit records. The set is finite.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "token-too-large",
            Self::NotThreeSegments => "token-not-three-segments",
            Self::Encoding { .. } => "token-encoding",
            Self::Json { .. } => "token-json",
            Self::AlgorithmUnknown => "token-algorithm-unknown",
            Self::AlgorithmNotAllowed { .. } => "token-algorithm-not-allowed",
            Self::CriticalHeader => "token-critical-header",
            Self::TypeNotJwt => "token-type",
            Self::KeyIdNotText => "token-key-id-type",
            Self::IssuerNotConfigured { .. } => "token-issuer",
            Self::KeyUnknown { .. } => "token-key-unknown",
            Self::AlgorithmNotOfKey { .. } => "token-algorithm-not-of-key",
            Self::Signature { .. } => "token-signature",
            Self::IssuerUnreachable { .. } => "issuer-unreachable",
            Self::IssuerMisbehaves { .. } => "issuer-misbehaves",
            Self::ClaimMissing { .. } => "claim-missing",
            Self::ClaimType { .. } => "claim-type",
            Self::Audience { .. } => "token-audience",
            Self::AudienceAmbiguous { .. } => "token-audience-ambiguous",
            Self::Expired { .. } => "token-expired",
            Self::NotYetValid { .. } => "token-not-yet-valid",
            Self::IssuedInFuture { .. } => "token-issued-in-future",
            Self::Lifetime { .. } => "token-lifetime",
            Self::ClaimEmpty { .. } => "claim-empty",
            Self::ClaimControlCharacter { .. } => "claim-control-character",
            Self::EmailNotVerified => "email-not-verified",
            Self::Email { .. } => "email-grammar",
            Self::IssuerClaim { .. } => "issuer-claim",
            Self::ClaimValue { .. } => "claim-value",
            Self::Username { .. } => "username",
            Self::SubjectDomain { .. } => "subject-domain",
            Self::SpiffeId { .. } => "spiffe-id",
            Self::ServiceAccount { .. } => "service-account",
            Self::Subject { .. } => "subject",
        }
    }

    /// True when the caller did nothing wrong and may try again later (a 503, not a 400).
    #[must_use]
    pub fn is_our_side(&self) -> bool {
        matches!(self, Self::IssuerUnreachable { .. })
    }
}

/// One of the three parts of a compact JWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment {
    /// The first.
    Header,
    /// The second.
    Claims,
    /// The third.
    Signature,
}

impl std::fmt::Display for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Header => "the header",
            Self::Claims => "the claims part",
            Self::Signature => "the signature",
        })
    }
}

/// What kept a segment from being one strict JSON object. Carries no text of the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JsonFault {
    /// Not UTF-8, or UTF-8 behind a byte order mark.
    #[error("not plain UTF-8")]
    NotUtf8,
    /// Two equal member names, at any depth, after unescaping.
    #[error("two members of one object have the same name")]
    DuplicateMember,
    /// Nested too deep.
    #[error("nested too deep")]
    TooDeep,
    /// Not JSON, or more than one value.
    #[error("not JSON")]
    Syntax,
    /// JSON of another kind than an object.
    #[error("not an object")]
    NotObject,
}
