//! Every reason has a name of its own, and someone to blame.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashSet;

use formats::certificate::IdentityError;
use formats::digest::HashAlgorithm;
use formats::entry::EntryError;
use formats::key::KeyError;
use formats::sct::SctError;
use formats::statement::{StatementError, SubjectMismatch};
use formats::timestamp::TokenError;
use merkle::checkpoint::OpenError;
use merkle::merkle::ProofError;
use merkle::note::NoteError;
use verify::crypto::SignatureError;
use verify::error::{
    ArtifactFault as Art, AuthorityFault as Auth, BundleFault as Bun, EntryFault as Ent,
    MatchFault, PathFault, PolicyFault as Pol, Refusal, RootFault, SignerFault as Sig,
};
use verify::policy::Claim;

fn all() -> Vec<Refusal> {
    let text = String::new;
    let entries = [
        Ent::Body(EntryError::NoVerifier),
        Ent::KindDoesNotFitContent,
        Ent::DigestDiffers,
        Ent::SignatureDiffers,
        Ent::KeyDiffers,
        Ent::PayloadTypeDiffers,
        Ent::SignatureCount(0),
        Ent::KeyDetails,
        Ent::NotCanonical,
        Ent::LogIndexDiffers,
        Ent::PromiseFromTileLog,
        Ent::PromiseWithoutTime,
        Ent::PromiseSignature,
        Ent::IntegratedTimeInFuture(0),
        Ent::NoInclusionProof,
        Ent::CheckpointNote(NoteError::NoSignatures),
        Ent::Checkpoint(OpenError::NotSigned),
        Ent::CheckpointOrigin,
        Ent::RootDiffers,
        Ent::SizeDiffers,
        Ent::Inclusion(ProofError::RootMismatch),
    ]
    .map(|fault| Refusal::Bundle(Bun::Entry { index: 0, fault }));
    let bundle = [
        Bun::NoLogEntry,
        Bun::NoVerifiedTime,
        Bun::TimestampMalformed { index: 0, error: TokenError::NoToken },
        Bun::TimestampImprint { index: 0 },
        Bun::RootInChain { position: 1 },
        Bun::EmptyChain,
        Bun::Statement(StatementError::PayloadType { found: text() }),
        Bun::Statement(StatementError::NoSubjects),
    ]
    .map(Refusal::Bundle);
    let signer = [
        Sig::Signature(SignatureError::Invalid),
        Sig::Key(KeyError::BadPoint),
        Sig::IsAuthority,
        Sig::KeyUsage,
        Sig::NotForCodeSigning,
        Sig::AnyPurpose,
        Sig::NameConstraints,
        Sig::CriticalExtension(text()),
        Sig::NotValidAt { time: 0, not_before: 0, not_after: 0 },
        Sig::Identity(IdentityError::NoIssuer),
        Sig::SubjectShape,
    ]
    .map(Refusal::Signer);
    let authority = [
        Auth::TrustRoot(RootFault::NoTimestampAnchor { index: 0 }),
        Auth::IssuerUnknown,
        Auth::TooManyIssuers(8),
        Auth::CertificateSignature,
        Auth::Issuer(PathFault::Window(0)),
        Auth::NoSct,
        Auth::SctMalformed(SctError::EmptyList),
        Auth::SctLogUnknown,
        Auth::SctAlgorithm,
        Auth::SctSignature,
        Auth::SctWindow(0),
        Auth::LogUnknown,
        Auth::LogId,
        Auth::LogWindow(0),
        Auth::TimestampAuthorityUnknown,
        Auth::TimestampCertificate,
        Auth::TimestampSignature,
        Auth::TimestampNoSigningCertificate,
        Auth::TimestampSigningCertificate,
        Auth::TimestampAuthority(PathFault::Window(0)),
    ]
    .map(Refusal::Authority);
    let policy = [
        Pol::KeyBundle,
        Pol::CertificateBundle,
        Pol::Subject { found: text(), fault: MatchFault::Differs },
        Pol::Subject { found: text(), fault: MatchFault::InPart },
        Pol::Issuer { found: text(), fault: MatchFault::Differs },
        Pol::Issuer { found: text(), fault: MatchFault::InPart },
        Pol::Claim { claim: Claim::BuildTrigger, found: text(), fault: MatchFault::Differs },
        Pol::Claim { claim: Claim::BuildTrigger, found: text(), fault: MatchFault::InPart },
        Pol::ClaimAbsent(Claim::BuildTrigger),
        Pol::TooFewLogs { have: 1, need: 2 },
        Pol::TooFewTimes { have: 1, need: 2 },
        Pol::TooFewScts { have: 1, need: 2 },
        Pol::KeyWindow(0),
        Pol::NotAnAttestation,
        Pol::PredicateType { found: text() },
    ]
    .map(Refusal::Policy);
    let artifact = [
        Art::DigestMissing(HashAlgorithm::Sha256),
        Art::DigestsContradict(HashAlgorithm::Sha256),
        Art::DigestDiffers { stated: text(), actual: text() },
        Art::DigestAlgorithm { stated: HashAlgorithm::Sha256, wanted: HashAlgorithm::Sha512 },
        Art::NotASubject(SubjectMismatch::Differs),
    ]
    .map(Refusal::Artifact);
    [&entries[..], &bundle, &signer, &authority, &policy, &artifact].concat()
}

#[test]
fn codes_are_stable_names_and_differ() {
    let refusals = all();
    let codes: HashSet<&str> = refusals.iter().map(Refusal::code).collect();
    assert_eq!(codes.len(), refusals.len());
    for code in codes {
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{code}");
    }
}

#[test]
fn blame_is_the_first_word_of_the_message() {
    for refusal in all() {
        let message = refusal.to_string();
        assert_eq!(message.split(": ").next(), Some(refusal.blame()), "{message}");
        assert!(!message.ends_with('.') && !message.contains('\n'), "{message}");
    }
}
