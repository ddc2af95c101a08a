//! What to do next, for every way in which a verification can end without a yes. The library
//! `verify` says what was wrong and whose fault it is; only the command line knows the flags that
//! put it right.

use fetch::artifact::ArtifactError;
use fetch::trust::{PUBLIC_SIGSTORE_DATE, TrustError};
use verify::error::{
    ArtifactFault, AuthorityFault, BundleFault, EntryFault, MatchFault, PathFault, PatternError,
    PolicyFault, Refusal, SignerFault,
};

use crate::cli::VerifyBlob;
use crate::error::{Failure, UsageFault};

/// One or two sentences that tell the person at the terminal what to do.
pub(crate) fn advice(failure: &Failure, flags: &VerifyBlob) -> String {
    let text = match failure {
        Failure::Usage(fault) => usage(fault),
        Failure::Trust(TrustError::Named(fault)) => return fault.advice("verifier"),
        Failure::Trust(fault) => trust(fault),
        Failure::Root(_) => "Get the trust root from its instance again; this one is damaged.",
        Failure::Unreadable { .. } => "Check the path and its permissions.",
        Failure::Key { .. } => {
            "Give the signer's public key as PEM, with BEGIN PUBLIC KEY; a certificate is not one."
        }
        Failure::Runtime(_) => "Give the instance's folder or files, which need no network.",
        Failure::NoBundle { .. } => {
            "Ask the publisher for the bundle, or name it with --bundle. Without one, nothing says \
             who signed the file."
        }
        Failure::Artifact(fault) => artifact_error(fault),
        Failure::BundleTooLarge { .. } | Failure::Bundle(_) => {
            "Get the bundle from the publisher again; if it stays so, it was made wrongly."
        }
        Failure::Refused { fault, .. } => return refusal(fault, flags),
    };
    text.to_owned()
}

fn refusal(fault: &Refusal, flags: &VerifyBlob) -> String {
    let text = match fault {
        Refusal::Bundle(fault) => bundle(fault),
        Refusal::Signer(fault) => signer(fault),
        Refusal::Authority(fault) => return authority(fault, flags),
        Refusal::Policy(fault) => policy(fault),
        Refusal::Artifact(fault) => artifact(fault),
    };
    text.to_owned()
}

fn usage(fault: &UsageFault) -> &'static str {
    match fault {
        UsageFault::NoSigner | UsageFault::NoIdentity | UsageFault::NoIssuer => {
            "Say who must have signed, and who vouches for them; an identity means nothing without \
             its issuer."
        }
        UsageFault::KeyAndIdentity { .. } => {
            "Use --key for a bundle made with a key pair, the identity flags for a certificate."
        }
        UsageFault::Pattern { fault, .. } => match fault {
            PatternError::MatchesEmpty | PatternError::MatchesAnything => {
                "Name the identity exactly, or write a pattern that not everyone passes."
            }
            PatternError::TooLong(_) | PatternError::Syntax(_) | PatternError::TooLarge => {
                "Name the identity exactly, or simplify the pattern."
            }
        },
        UsageFault::NoBundleName { .. } => "Name the bundle with --bundle.",
        UsageFault::OfflineInstance { .. } => "Drop --offline, or name files.",
        UsageFault::PredicateType { .. } => "Give the predicate type's whole URI.",
    }
}

fn trust(fault: &TrustError) -> &'static str {
    match fault {
        TrustError::Unreadable { .. } => "Check the path, and that it is an instance's file.",
        TrustError::TooLarge { .. }
        | TrustError::TrustedRoot { .. }
        | TrustError::SigningConfig { .. }
        | TrustError::Description { .. } => {
            "Get the file from its instance again; --trusted-root takes a trusted_root.json, \
             --instance a folder of ca or a client_trust_config.json."
        }
        TrustError::RemoteInstance { .. } => {
            "Trust it once: verifier trust URL --fingerprint F, with the fingerprint that its \
             operator gave you."
        }
        TrustError::Named(_) => "See verifier trust list.",
        TrustError::Endpoint(_) => "Give the instance's URL, such as http://localhost:8700.",
        TrustError::Http(_) => {
            "Check that the instance runs, or give its folder, which needs no network."
        }
    }
}

fn artifact_error(fault: &ArtifactError) -> &'static str {
    match fault {
        ArtifactError::Missing { .. } => {
            "Check the name. A digest is sha256: with 64 lower-case hexadecimal digits."
        }
        ArtifactError::Folder { .. } => "Name a file; a folder has no signature of its own.",
        ArtifactError::Unreadable { .. } => "Check the file's permissions and the disk.",
    }
}

fn bundle(fault: &BundleFault) -> &'static str {
    match fault {
        BundleFault::NoLogEntry => {
            "Ask the signer to log the signature; without a log entry nobody can watch for misuse."
        }
        BundleFault::NoVerifiedTime => {
            "Ask the signer for a bundle with a timestamp; the certificate has expired, and only a \
             timestamp shows that it was valid."
        }
        BundleFault::Entry { fault, .. } => entry(fault),
        BundleFault::TimestampMalformed { .. } | BundleFault::TimestampImprint { .. } => {
            "Do not use the artifact on this bundle's word: its timestamp belongs elsewhere or was \
             damaged. Get the bundle from the publisher again."
        }
        BundleFault::RootInChain { .. } | BundleFault::EmptyChain => {
            "Ask the signer for a bundle with the signing certificate alone."
        }
        BundleFault::Statement(_) => "Ask the signer for an in-toto statement.",
    }
}

fn entry(fault: &EntryFault) -> &'static str {
    match fault {
        EntryFault::KindDoesNotFitContent
        | EntryFault::DigestDiffers
        | EntryFault::SignatureDiffers
        | EntryFault::KeyDiffers
        | EntryFault::PayloadTypeDiffers
        | EntryFault::SignatureCount(_)
        | EntryFault::KeyDetails => {
            "Do not use the artifact: the log entry is of another signature, so this one was never \
             logged. Ask the publisher."
        }
        EntryFault::Body(_)
        | EntryFault::NotCanonical
        | EntryFault::LogIndexDiffers
        | EntryFault::PromiseFromTileLog
        | EntryFault::PromiseWithoutTime
        | EntryFault::NoInclusionProof => {
            "Get the bundle from the publisher again; if it stays so, it was made wrongly."
        }
        EntryFault::PromiseSignature
        | EntryFault::IntegratedTimeInFuture(_)
        | EntryFault::CheckpointNote(_)
        | EntryFault::Checkpoint(_)
        | EntryFault::CheckpointOrigin
        | EntryFault::RootDiffers
        | EntryFault::SizeDiffers
        | EntryFault::Inclusion(_) => {
            "Do not use the artifact: the log does not vouch for this entry. Get the bundle from the \
             publisher again, and tell the log's operator if it stays so. (A clock of this machine \
             that is behind looks the same.)"
        }
    }
}

fn signer(fault: &SignerFault) -> &'static str {
    match fault {
        SignerFault::Signature(_) => {
            "Do not use the artifact: it is not what was signed, or the signature was damaged. Get \
             both from the publisher again."
        }
        SignerFault::NotValidAt { .. } => {
            "Ask the signer to sign again: the certificate was used outside its life."
        }
        SignerFault::Key(_)
        | SignerFault::IsAuthority
        | SignerFault::KeyUsage
        | SignerFault::NotForCodeSigning
        | SignerFault::AnyPurpose
        | SignerFault::NameConstraints
        | SignerFault::CriticalExtension(_)
        | SignerFault::Identity(_)
        | SignerFault::SubjectShape => {
            "Do not use the artifact: this is not a certificate for signing. Ask the publisher."
        }
    }
}

fn authority(fault: &AuthorityFault, flags: &VerifyBlob) -> String {
    let text = match fault {
        AuthorityFault::IssuerUnknown
        | AuthorityFault::SctLogUnknown
        | AuthorityFault::LogUnknown
        | AuthorityFault::TimestampAuthorityUnknown => return unknown(flags),
        AuthorityFault::TrustRoot(_) | AuthorityFault::LogId => {
            "Get the trust root from its instance again; this one is damaged."
        }
        AuthorityFault::LogWindow(_) | AuthorityFault::SctWindow(_) => {
            "Get a newer trust root; if it stays so, the log had been retired when it signed."
        }
        AuthorityFault::Issuer(fault) | AuthorityFault::TimestampAuthority(fault) => path(fault),
        AuthorityFault::NoSct => {
            "Do not use the artifact: the certificate was never shown to a CT log."
        }
        AuthorityFault::TimestampNoSigningCertificate => {
            "Ask the signer for a timestamp with a signing certificate attribute (RFC 5816)."
        }
        AuthorityFault::TooManyIssuers(_)
        | AuthorityFault::CertificateSignature
        | AuthorityFault::SctMalformed(_)
        | AuthorityFault::SctAlgorithm
        | AuthorityFault::SctSignature
        | AuthorityFault::TimestampCertificate
        | AuthorityFault::TimestampSignature
        | AuthorityFault::TimestampSigningCertificate => {
            "Do not use the artifact: someone made this look like an authority's work. Tell the \
             publisher."
        }
    };
    text.to_owned()
}

/// By far the most common refusal: a bundle of one instance, verified with another's trust root.
fn unknown(flags: &VerifyBlob) -> String {
    if flags.trusted_root.is_some() || flags.instance.is_some() {
        return "Check that the trust root is that of the instance which the signer used, and not \
                older than the signature."
            .to_owned();
    }
    format!(
        "This was the built-in trust root of the public Sigstore, of {PUBLIC_SIGSTORE_DATE}. For \
         a private instance give --instance or --trusted-root; for a newer trust root, \
         --trusted-root."
    )
}

fn path(fault: &PathFault) -> &'static str {
    match fault {
        PathFault::Window(_) | PathFault::NotValidAt { .. } => {
            "Get a newer trust root; if it stays so, the authority was not trusted at that time."
        }
        PathFault::NotAuthority(_)
        | PathFault::KeyUsage(_)
        | PathFault::PathLength(_)
        | PathFault::Purpose(_)
        | PathFault::NameConstraints(_)
        | PathFault::CriticalExtension { .. }
        | PathFault::LeafIsAuthority
        | PathFault::LeafPurpose
        | PathFault::LeafPurposeNotCritical
        | PathFault::LeafKeyUsage => {
            "Tell the instance's operator: the trust root lists an authority that may not do this."
        }
    }
}

fn policy(fault: &PolicyFault) -> &'static str {
    match fault {
        PolicyFault::Subject { fault: MatchFault::InPart, .. }
        | PolicyFault::Issuer { fault: MatchFault::InPart, .. }
        | PolicyFault::Claim { fault: MatchFault::InPart, .. } => {
            "A pattern must match the whole identity, or https://example.com/org would let in \
             https://example.com/org-evil too. Write it out to both ends, with .* where anything \
             may stand."
        }
        PolicyFault::Subject { fault: MatchFault::Differs, .. }
        | PolicyFault::Issuer { fault: MatchFault::Differs, .. }
        | PolicyFault::Claim { fault: MatchFault::Differs, .. } => {
            "Someone else signed it. Change the flags only if you know that this identity may."
        }
        PolicyFault::KeyBundle => "The bundle was made with a key pair; give the key with --key.",
        PolicyFault::CertificateBundle => {
            "The bundle was made with a certificate; give --certificate-identity and \
             --certificate-oidc-issuer instead of --key."
        }
        PolicyFault::NotAnAttestation => "Drop --type, or give the attestation's own bundle.",
        PolicyFault::PredicateType { .. } => "Give the attestation of the type asked for.",
        PolicyFault::ClaimAbsent(_)
        | PolicyFault::TooFewLogs { .. }
        | PolicyFault::TooFewTimes { .. }
        | PolicyFault::TooFewScts { .. }
        | PolicyFault::KeyWindow(_) => "Ask the signer for a bundle that meets the demand.",
    }
}

fn artifact(fault: &ArtifactFault) -> &'static str {
    match fault {
        ArtifactFault::DigestDiffers { .. } | ArtifactFault::NotASubject(_) => {
            "Do not use the artifact: it was changed, or is another version than the bundle's. Get \
             both from the publisher again."
        }
        ArtifactFault::DigestMissing(_) => {
            "Give the file itself; the bundle cannot be checked with a SHA-256 digest alone."
        }
        ArtifactFault::DigestsContradict(_) | ArtifactFault::DigestAlgorithm { .. } => {
            "Get the bundle from the publisher again; if it stays so, it was made wrongly."
        }
    }
}
