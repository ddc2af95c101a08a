use formats::certificate::IdentityError;
use formats::key::KeyError;

use crate::crypto::SignatureError;

/// The signer's certificate or signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignerFault {
    /// The signature over the artifact or envelope does not verify.
    #[error("{0}")]
    Signature(SignatureError),
    /// The certificate's key is of no kind we verify with.
    #[error("certificate key: {0}")]
    Key(KeyError),
    /// The certificate is itself an authority (CA:TRUE).
    #[error("the certificate is an authority's, not a signer's")]
    IsAuthority,
    /// `keyUsage` lacks digitalSignature.
    #[error("the certificate's key usage lacks digitalSignature")]
    KeyUsage,
    /// `extKeyUsage` lacks codeSigning.
    #[error("the certificate is not for code signing")]
    NotForCodeSigning,
    /// `extKeyUsage` has anyExtendedKeyUsage, which a signer's certificate must not have.
    #[error("the certificate is for any use")]
    AnyPurpose,
    /// The certificate carries name constraints, which we refuse rather than apply.
    #[error("the certificate carries name constraints")]
    NameConstraints,
    /// A critical extension that we do not know, a precertificate's poison for one.
    #[error("the certificate has an unknown critical extension {0}")]
    CriticalExtension(String),
    /// The certificate was not valid at a verified time.
    #[error("the certificate is valid {not_before}..={not_after}, and was used at {time}")]
    NotValidAt {
        /// The verified time, unix seconds.
        time: i64,
        /// Unix seconds, inclusive.
        not_before: i64,
        /// Unix seconds, inclusive.
        not_after: i64,
    },
    /// The subject alternative name is not exactly one well-formed identity, or an issuer
    /// extension is missing or malformed.
    #[error("{0}")]
    Identity(IdentityError),
    /// The subject alternative name's type and text disagree: an email address in a URI, say.
    #[error("the certificate's subject does not look like its type")]
    SubjectShape,
}

impl SignerFault {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Signature(_) => "signature",
            Self::Key(_) => "certificate-key",
            Self::IsAuthority => "certificate-is-authority",
            Self::KeyUsage => "certificate-key-usage",
            Self::NotForCodeSigning => "certificate-not-for-code-signing",
            Self::AnyPurpose => "certificate-any-purpose",
            Self::NameConstraints => "certificate-name-constraints",
            Self::CriticalExtension(_) => "certificate-critical-extension",
            Self::NotValidAt { .. } => "certificate-not-valid-at",
            Self::Identity(_) => "certificate-identity",
            Self::SubjectShape => "certificate-subject-shape",
        }
    }
}
