//! The identity in a signing certificate: one subject alternative name and Fulcio's extensions
//! (fulcio docs/oid-info.md).

use thiserror::Error;

use super::extension::GeneralName;
use super::{Certificate, DerError, oid, tlv};

/// The one subject alternative name of a signing certificate. The kind is part of the identity: an
/// e-mail address never equals a URI of the same letters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SubjectName {
    /// An e-mail address; printable ASCII.
    Email(String),
    /// A URI; printable ASCII.
    Uri(String),
    /// A user name in the otherName of Fulcio; UTF-8 without control characters.
    OtherName(String),
}

impl SubjectName {
    /// The name without its kind.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Email(name) | Self::Uri(name) | Self::OtherName(name) => name,
        }
    }
}

/// What a signing certificate says about its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafIdentity {
    /// Who.
    pub subject: SubjectName,
    /// Who said so: the OIDC issuer.
    pub issuer: String,
    /// What else the issuer said.
    pub extensions: FulcioExtensions,
}

/// Why a certificate has no identity we take.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// No subject alternative name. The subject's common name is never read instead.
    #[error("certificate has no subject alternative name")]
    NoSubjectAltName,
    /// A subject alternative name that is not a list of names.
    #[error("certificate subject alternative name is malformed: {0}")]
    MalformedSubjectAltName(DerError),
    /// More than one name: a reader that takes the first and one that takes the last would differ.
    #[error("certificate has {count} subject alternative names, not one")]
    SeveralSubjectAltNames {
        /// How many names.
        count: usize,
    },
    /// A name that is not an e-mail address, a URI or Fulcio's user name.
    #[error("certificate subject alternative name is of an unsupported kind")]
    UnsupportedNameKind,
    /// An empty name, or one with control characters, white space or (in an e-mail address or
    /// URI) bytes beyond ASCII.
    #[error("certificate subject alternative name is not printable")]
    UnprintableName,
    /// Neither of the issuer extensions.
    #[error("certificate has no OIDC issuer extension")]
    NoIssuer,
    /// The two issuer extensions differ.
    #[error("certificate has two OIDC issuers: {v1:?} and {v2:?}")]
    IssuersDiffer {
        /// From the raw extension.
        v1: String,
        /// From the DER extension.
        v2: String,
    },
    /// An extension of Fulcio's that is not the string its type says, or an issuer that is not
    /// printable.
    #[error("certificate extension {oid} is malformed")]
    MalformedExtension {
        /// Its object identifier in dotted decimals.
        oid: String,
    },
}

impl LeafIdentity {
    pub(super) fn of(certificate: &Certificate) -> Result<Self, IdentityError> {
        let subject = subject(certificate)?;
        let mut extensions = FulcioExtensions::default();
        let mut issuers = [None, None];
        for extension in certificate.extensions() {
            let Some(number) = extension.oid.strip_prefix(oid::FULCIO_ARC) else { continue };
            let malformed = || IdentityError::MalformedExtension { oid: extension.oid.clone() };
            let slot = match number {
                "1" => issuers.first_mut(),
                "8" => issuers.last_mut(),
                _ => extensions.slot(number),
            };
            let Some(slot) = slot else { continue };
            let text = if is_raw(number) {
                std::str::from_utf8(&extension.value).ok()
            } else {
                utf8_string(&extension.value).ok()
            };
            *slot = Some(text.ok_or_else(malformed)?.to_owned());
        }
        let issuer = issuer(issuers)?;
        Ok(Self { subject, issuer, extensions })
    }
}

fn subject(certificate: &Certificate) -> Result<SubjectName, IdentityError> {
    let extension =
        certificate.extension(oid::SUBJECT_ALT_NAME).ok_or(IdentityError::NoSubjectAltName)?;
    let mut names = super::extension::general_names(&extension.value)
        .map_err(IdentityError::MalformedSubjectAltName)?;
    let count = names.len();
    let (Some(name), 1) = (names.pop(), count) else {
        return Err(IdentityError::SeveralSubjectAltNames { count });
    };
    match name {
        GeneralName::Email(name) if is_visible_ascii(&name) => Ok(SubjectName::Email(name)),
        GeneralName::Uri(name) if is_visible_ascii(&name) => Ok(SubjectName::Uri(name)),
        GeneralName::Email(_) | GeneralName::Uri(_) => Err(IdentityError::UnprintableName),
        GeneralName::OtherName { oid, value } if oid == oid::FULCIO_OTHER_NAME => {
            let name = utf8_string(&value).map_err(IdentityError::MalformedSubjectAltName)?;
            if name.is_empty() || name.chars().any(char::is_control) {
                return Err(IdentityError::UnprintableName);
            }
            Ok(SubjectName::OtherName(name.to_owned()))
        }
        _ => Err(IdentityError::UnsupportedNameKind),
    }
}

fn issuer([v1, v2]: [Option<String>; 2]) -> Result<String, IdentityError> {
    let (issuer, oid) = match (v1, v2) {
        (Some(v1), Some(v2)) if v1 != v2 => return Err(IdentityError::IssuersDiffer { v1, v2 }),
        (_, Some(v2)) => (v2, oid::FULCIO_ISSUER_V2),
        (Some(v1), None) => (v1, oid::FULCIO_ISSUER_V1),
        (None, None) => return Err(IdentityError::NoIssuer),
    };
    if is_visible_ascii(&issuer) {
        Ok(issuer)
    } else {
        Err(IdentityError::MalformedExtension { oid: oid.to_owned() })
    }
}

/// Not empty, and every byte in `!` to `~`: no NUL to end a C string early, no line break to
/// forge a log line, no space, no look-alike letters.
fn is_visible_ascii(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())
}

fn utf8_string(der: &[u8]) -> Result<&str, DerError> {
    let content = tlv::exactly(der, tlv::UTF8_STRING)?.value;
    std::str::from_utf8(content).map_err(|_| DerError::BadString)
}

/// Extensions 1 to 6 hold UTF-8 directly, the later ones a DER UTF8String.
fn is_raw(number: &str) -> bool {
    matches!(number, "1" | "2" | "3" | "4" | "5" | "6")
}

/// Declares the fields together with their numbers in the arc, so that reading and writing
/// cannot disagree.
macro_rules! fulcio_extensions {
    ($($(#[$doc:meta])* $number:literal $field:ident,)*) => {
        /// The claims that Fulcio copies into a certificate, without the issuers (1 and 8), by
        /// their number under 1.3.6.1.4.1.57264.1. Values are the claim's own text, unchecked
        /// beyond being UTF-8.
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct FulcioExtensions {
            $($(#[$doc])* pub $field: Option<String>,)*
        }

        impl FulcioExtensions {
            fn slot(&mut self, number: &str) -> Option<&mut Option<String>> {
                match number {
                    $($number => Some(&mut self.$field),)*
                    _ => None,
                }
            }

            /// The claims that are present, in ascending order: number under the arc, and text.
            pub fn present(&self) -> impl Iterator<Item = (&'static str, &str)> {
                [$(($number, self.$field.as_deref()),)*]
                    .into_iter()
                    .filter_map(|(number, value)| value.map(|value| (number, value)))
            }
        }
    };
}

fulcio_extensions! {
    /// 2: event that started the workflow (raw, deprecated).
    "2" github_workflow_trigger,
    /// 3: commit of the workflow (raw, deprecated).
    "3" github_workflow_sha,
    /// 4: name of the workflow (raw, deprecated).
    "4" github_workflow_name,
    /// 5: repository of the workflow (raw, deprecated).
    "5" github_workflow_repository,
    /// 6: reference of the workflow (raw, deprecated).
    "6" github_workflow_ref,
    /// 9: build instructions that signed.
    "9" build_signer_uri,
    /// 10: their immutable version.
    "10" build_signer_digest,
    /// 11: whether the runner was hosted or self-hosted.
    "11" runner_environment,
    /// 12: source repository.
    "12" source_repository_uri,
    /// 13: its commit.
    "13" source_repository_digest,
    /// 14: its reference.
    "14" source_repository_ref,
    /// 15: its immutable identifier.
    "15" source_repository_identifier,
    /// 16: owner of the source repository.
    "16" source_repository_owner_uri,
    /// 17: the owner's immutable identifier.
    "17" source_repository_owner_identifier,
    /// 18: top-level build instructions.
    "18" build_config_uri,
    /// 19: their immutable version.
    "19" build_config_digest,
    /// 20: event that started the build.
    "20" build_trigger,
    /// 21: this run.
    "21" run_invocation_uri,
    /// 22: visibility of the source repository when signing.
    "22" source_repository_visibility_at_signing,
    /// 23: deployment environment.
    "23" deployment_environment,
    /// 24: the token's `sub`.
    "24" token_subject,
}
