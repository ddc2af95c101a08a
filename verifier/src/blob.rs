//! `verify-blob`: one file, one bundle, one verdict.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use fetch::artifact::{self, ArtifactError};
use fetch::progress::Progress;
use fetch::shown::shown;
use formats::bundle::Bundle;
use formats::digest::{Digest, HashAlgorithm};
use formats::key::PublicKey;
use formats::limits::MAX_BUNDLE_BYTES;
use verify::error::{PolicyFault, Refusal};
use verify::policy::{IdentityMatch, Matcher, Policy, WholePattern};
use verify::verify::{Artifact, Verified, Verifier, required_digests};

use crate::cli::{PREDICATE_TYPES, VerifyBlob};
use crate::error::{Failure, Found, UsageFault};
use crate::root::{RootSource, RootUsed};

/// A verdict in the artifact's favour.
#[derive(Debug)]
pub struct Accepted {
    /// What was verified.
    pub verified: Verified,
    /// The artifact's digests, at least one.
    pub digests: Vec<Digest>,
    /// The bundle that was read.
    pub bundle: PathBuf,
    /// The SHA-256 of the key (DER SubjectPublicKeyInfo) that was demanded, without an identity.
    pub key_id: Option<Digest>,
    /// The trust root that it was verified with.
    pub root: RootUsed,
}

/// Verifies what the flags ask for.
///
/// The question is checked first, so that a forgotten flag is said before a large file is read;
/// then artifact and bundle must be there; the artifact is streamed through the digests that the
/// bundle needs; `verify` decides.
///
/// # Errors
/// [`Failure`], the one reason.
pub fn verify_blob(flags: &VerifyBlob) -> Result<Accepted, Failure> {
    let signer = SignerFlags::of(flags)?;
    let predicate_type = flags.predicate_type.as_deref().map(predicate_type).transpose()?;
    let subject = Subject::of(flags);
    let bundle_path = subject.bundle_path(flags)?;
    let source = RootSource::of(flags)?;

    let (policy, key) = signer.policy(predicate_type)?;
    let (trusted_root, root) = source.load(flags.offline, now())?;
    let verifier = Verifier::new(&trusted_root)?;
    let input = subject.open()?;
    let bundle = Bundle::from_json(&read_bundle(&bundle_path)?)?;
    let digests = input.digests(&required_digests(&bundle, key.as_ref()))?;
    let verified = verifier.verify(&bundle, &Artifact::Digests(&digests), &policy, now()).map_err(
        |fault| {
            let found = found(&fault, &bundle);
            Failure::Refused { fault, found, root: Box::new(root.clone()) }
        },
    )?;
    let key_id = key.map(|key| Digest::sha256(key.id()));
    Ok(Accepted { verified, digests, bundle: bundle_path, key_id, root })
}

/// Who must have signed, as the flags say it.
enum SignerFlags<'a> {
    Identity { subject: Wanted<'a>, issuer: Wanted<'a> },
    Key(&'a Path),
}

/// One text that must match.
enum Wanted<'a> {
    Exact(&'a str),
    Regexp { flag: &'static str, pattern: &'a str },
}

impl<'a> SignerFlags<'a> {
    fn of(flags: &'a VerifyBlob) -> Result<Self, UsageFault> {
        let subject = Wanted::of(
            flags.certificate_identity.as_deref(),
            flags.certificate_identity_regexp.as_deref(),
            IDENTITY_REGEXP,
        );
        let issuer = Wanted::of(
            flags.certificate_oidc_issuer.as_deref(),
            flags.certificate_oidc_issuer_regexp.as_deref(),
            ISSUER_REGEXP,
        );
        match (subject, issuer, flags.key.as_deref()) {
            (Some(subject), Some(issuer), None) => Ok(Self::Identity { subject, issuer }),
            (None, None, Some(key)) => Ok(Self::Key(key)),
            (None, None, None) => Err(UsageFault::NoSigner),
            (None, Some(_), None) => Err(UsageFault::NoIdentity),
            (Some(_), None, None) => Err(UsageFault::NoIssuer),
            (Some(wanted), _, Some(_)) => {
                Err(UsageFault::KeyAndIdentity { flag: wanted.flag("--certificate-identity") })
            }
            (None, Some(wanted), Some(_)) => {
                Err(UsageFault::KeyAndIdentity { flag: wanted.flag("--certificate-oidc-issuer") })
            }
        }
    }

    fn policy(
        self,
        predicate_type: Option<String>,
    ) -> Result<(Policy, Option<PublicKey>), Failure> {
        let (policy, key) = match self {
            Self::Identity { subject, issuer } => {
                let wanted = IdentityMatch::new(subject.matcher()?, issuer.matcher()?);
                (Policy::identity(wanted), None)
            }
            Self::Key(path) => {
                let key = read_key(path)?;
                (Policy::key(key.clone()), Some(key))
            }
        };
        Ok((predicate_type.into_iter().fold(policy, Policy::predicate_type), key))
    }
}

impl<'a> Wanted<'a> {
    /// Both at once is ruled out by the command line's own rules.
    fn of(exact: Option<&'a str>, regexp: Option<&'a str>, flag: &'static str) -> Option<Self> {
        exact.map(Self::Exact).or(regexp.map(|pattern| Self::Regexp { flag, pattern }))
    }

    fn flag(&self, exact: &'static str) -> &'static str {
        match self {
            Self::Exact(_) => exact,
            Self::Regexp { flag, .. } => flag,
        }
    }

    fn matcher(&self) -> Result<Matcher, UsageFault> {
        match self {
            Self::Exact(text) => Ok(Matcher::exact(*text)),
            Self::Regexp { flag, pattern } => WholePattern::new(pattern)
                .map(Matcher::Regexp)
                .map_err(|fault| UsageFault::Pattern { flag, fault }),
        }
    }
}

/// What is verified.
enum Subject {
    File(PathBuf),
    StandardInput,
    Digest(Digest),
}

impl Subject {
    /// A digest is `sha256:` with 64 lower-case hex digits that no file is called.
    fn of(flags: &VerifyBlob) -> Self {
        if flags.artifact == "-" {
            return Self::StandardInput;
        }
        let path = Path::new(&flags.artifact);
        let digest = flags
            .artifact
            .to_str()
            .and_then(|text| text.strip_prefix("sha256:"))
            .and_then(|hex| Digest::from_hex(HashAlgorithm::Sha256, hex).ok())
            .filter(|_| !path.exists());
        digest.map_or_else(|| Self::File(path.into()), Self::Digest)
    }

    fn bundle_path(&self, flags: &VerifyBlob) -> Result<PathBuf, UsageFault> {
        match (self, &flags.bundle) {
            (_, Some(bundle)) => Ok(bundle.clone()),
            (Self::File(path), None) => {
                let mut name = path.clone().into_os_string();
                name.push(BUNDLE_SUFFIX);
                Ok(name.into())
            }
            (Self::StandardInput, None) => Err(UsageFault::NoBundleName { what: "standard input" }),
            (Self::Digest(_), None) => Err(UsageFault::NoBundleName { what: "a digest" }),
        }
    }

    fn open(self) -> Result<Opened, ArtifactError> {
        match self {
            Self::File(path) => {
                let (file, length) = artifact::open(&path)?;
                Ok(Opened::File { path, file, length })
            }
            Self::StandardInput => Ok(Opened::StandardInput),
            Self::Digest(digest) => Ok(Opened::Digest(digest)),
        }
    }
}

/// An artifact that is there.
enum Opened {
    File { path: PathBuf, file: File, length: Option<u64> },
    StandardInput,
    Digest(Digest),
}

impl Opened {
    fn digests(self, wanted: &[HashAlgorithm]) -> Result<Vec<Digest>, ArtifactError> {
        // A bundle that asks for none is refused all the same; a report still names the artifact.
        let algorithms = if wanted.is_empty() { &[HashAlgorithm::Sha256] } else { wanted };
        let (path, length) = match &self {
            Self::File { path, length, .. } => (path.clone(), *length),
            Self::StandardInput | Self::Digest(_) => (PathBuf::from("standard input"), None),
        };
        let mut progress =
            Progress::new(format!("Reading {}", shown(&path.to_string_lossy())), length);
        let mut at = |done| progress.at(done);
        let outcome = match self {
            Self::File { file, .. } => artifact::digests(file, algorithms, &mut at),
            Self::StandardInput => artifact::digests(io::stdin(), algorithms, &mut at),
            Self::Digest(digest) => return Ok(vec![digest]),
        };
        outcome.map_err(|error| ArtifactError::of(&path, &error))
    }
}

fn read_bundle(path: &Path) -> Result<Vec<u8>, Failure> {
    let name = || path.to_string_lossy().into_owned();
    let explain = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Failure::NoBundle { path: name() },
        kind => Failure::Unreadable { path: name(), kind },
    };
    let mut bytes = Vec::new();
    // One byte more than allowed tells a bundle that fits from one that was cut.
    let cap = MAX_BUNDLE_BYTES as u64 + 1;
    File::open(path).map_err(explain)?.take(cap).read_to_end(&mut bytes).map_err(explain)?;
    if bytes.len() > MAX_BUNDLE_BYTES {
        return Err(Failure::BundleTooLarge { cap: MAX_BUNDLE_BYTES });
    }
    Ok(bytes)
}

fn read_key(path: &Path) -> Result<PublicKey, Failure> {
    let name = || path.to_string_lossy().into_owned();
    let explain = |error: io::Error| Failure::Unreadable { path: name(), kind: error.kind() };
    let mut pem = String::new();
    File::open(path)
        .map_err(explain)?
        .take(MAX_KEY_PEM_BYTES)
        .read_to_string(&mut pem)
        .map_err(explain)?;
    PublicKey::from_pem(&pem).map_err(|fault| Failure::Key { path: name(), fault })
}

fn predicate_type(given: &str) -> Result<String, UsageFault> {
    if let Some((_, uri)) = PREDICATE_TYPES.iter().find(|(name, _)| *name == given) {
        return Ok((*uri).to_owned());
    }
    if given.contains(':') {
        return Ok(given.to_owned());
    }
    let names = PREDICATE_TYPES.map(|(name, _)| name).join(", ");
    Err(UsageFault::PredicateType { given: given.to_owned(), names })
}

/// Who did sign, for a mismatch. Identity is the last of the checks, so that what the certificate
/// says has been verified by then; for any other refusal it is a stranger's claim, and not shown.
fn found(fault: &Refusal, bundle: &Bundle) -> Option<Found> {
    match fault {
        Refusal::Policy(
            PolicyFault::Subject { .. } | PolicyFault::Issuer { .. } | PolicyFault::Claim { .. },
        ) => {
            let identity = bundle.leaf()?.identity().ok()?;
            let subject = identity.subject.as_str().to_owned();
            Some(Found { subject, issuer: identity.issuer })
        }
        Refusal::Policy(_)
        | Refusal::Bundle(_)
        | Refusal::Signer(_)
        | Refusal::Authority(_)
        | Refusal::Artifact(_) => None,
    }
}

/// Unix seconds; a clock before 1970 reads as 0, at which nothing in a trust root is valid.
pub(crate) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}

const IDENTITY_REGEXP: &str = "--certificate-identity-regexp";
const ISSUER_REGEXP: &str = "--certificate-oidc-issuer-regexp";
const BUNDLE_SUFFIX: &str = ".sigstore.json";
const MAX_KEY_PEM_BYTES: u64 = 64 * 1024;
