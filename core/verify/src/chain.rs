//! Certificate and times in, [`VerifiedChain`] out.

use formats::certificate::{Certificate, oid};
use formats::key::PublicKey;

use crate::crypto;
use crate::error::{AuthorityFault, Refusal, SignerFault};
use crate::path::{self, Path};
use crate::root::Anchors;
use crate::time::{SigningTimes, VerifiedTime};

/// A signer's certificate that an authority of the trust root issued, and which was valid, as was
/// everything above it, at each verified time.
#[derive(Debug)]
pub(crate) struct VerifiedChain<'a> {
    leaf: &'a Certificate,
    key: PublicKey,
    issuer_key: &'a PublicKey,
    times: SigningTimes,
}

impl<'a> VerifiedChain<'a> {
    pub(crate) fn leaf(&self) -> &'a Certificate {
        self.leaf
    }

    pub(crate) fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The key that verified the leaf's signature: what a CT log takes `issuer_key_hash` from.
    pub(crate) fn issuer_key(&self) -> &'a PublicKey {
        self.issuer_key
    }

    pub(crate) fn times(&self) -> &[VerifiedTime] {
        self.times.as_slice()
    }

    pub(crate) fn into_times(self) -> SigningTimes {
        self.times
    }
}

/// Checks `leaf` against the authorities of the trust root, at all of `times`: a certificate that
/// was valid at one time and not at another was not valid when it counted.
///
/// # Errors
/// [`SignerFault`] for the certificate's own shape and validity, [`AuthorityFault`] for who
/// issued it.
pub(crate) fn verify<'a>(
    leaf: &'a Certificate,
    times: SigningTimes,
    anchors: &'a Anchors,
) -> Result<VerifiedChain<'a>, Refusal> {
    let path = issuing_path(leaf, &times, anchors)?;
    check_leaf(leaf)?;
    let key = leaf.public_key().map_err(SignerFault::Key)?;
    for time in times.as_slice().iter().map(VerifiedTime::seconds) {
        if !path::is_valid_at(leaf, time) {
            let (not_before, not_after) = (leaf.not_before(), leaf.not_after());
            return Err(SignerFault::NotValidAt { time, not_before, not_after }.into());
        }
    }
    Ok(VerifiedChain { leaf, key, issuer_key: path.key(), times })
}

/// The first authority that signed the leaf and holds at all times. One issuing key may be listed
/// under several roots or windows, so that one entry's fault does not speak for the others.
fn issuing_path<'a>(
    leaf: &'a Certificate,
    times: &SigningTimes,
    anchors: &'a Anchors,
) -> Result<&'a Path, AuthorityFault> {
    let candidates: Vec<&Path> = anchors.issuers_of(leaf).take(MAX_ISSUERS + 1).collect();
    if candidates.len() > MAX_ISSUERS {
        return Err(AuthorityFault::TooManyIssuers(MAX_ISSUERS));
    }
    let mut first_fault = None;
    let mut any = false;
    for path in candidates {
        any = true;
        if crypto::verify_certificate_signature(path.key(), leaf).is_err() {
            continue;
        }
        let held = times.as_slice().iter().try_for_each(|time| path.holds_at(time.seconds()));
        match held {
            Ok(()) => return Ok(path),
            Err(fault) => {
                first_fault.get_or_insert(AuthorityFault::Issuer(fault));
            }
        }
    }
    Err(match first_fault {
        Some(fault) => fault,
        None if any => AuthorityFault::CertificateSignature,
        None => AuthorityFault::IssuerUnknown,
    })
}

fn check_leaf(leaf: &Certificate) -> Result<(), SignerFault> {
    if leaf.basic_constraints().is_some_and(|constraints| constraints.ca) {
        return Err(SignerFault::IsAuthority);
    }
    if leaf.extension(oid::NAME_CONSTRAINTS).is_some() {
        return Err(SignerFault::NameConstraints);
    }
    if let Some(oid) = path::unknown_critical(leaf) {
        return Err(SignerFault::CriticalExtension(oid.to_owned()));
    }
    if !leaf.key_usage().is_some_and(|usage| usage.digital_signature()) {
        return Err(SignerFault::KeyUsage);
    }
    let purposes = leaf.extended_key_usages().unwrap_or_default();
    if purposes.iter().any(|purpose| purpose == oid::EKU_ANY) {
        return Err(SignerFault::AnyPurpose);
    }
    if !purposes.iter().any(|purpose| purpose == oid::EKU_CODE_SIGNING) {
        return Err(SignerFault::NotForCodeSigning);
    }
    Ok(())
}

/// Bounds the signatures that look-alike authorities can make us check.
const MAX_ISSUERS: usize = 8;
