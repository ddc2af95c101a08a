//! Chain in, [`VerifiedSct`] out: the certificate was shown to a CT log before it was used.

use std::num::NonZeroU32;

use formats::certificate::Certificate;
use formats::key::PublicKey;
use formats::sct::{self, LogEntryKind, Sct, SctError};

use crate::chain::VerifiedChain;
use crate::crypto;
use crate::error::{AuthorityFault, PolicyFault, Refusal};
use crate::root::{Anchors, CtLog};
use crate::time::{SigningTimes, VerifiedTime};

/// A verified chain whose leaf carries enough signed certificate timestamps.
#[derive(Debug)]
pub(crate) struct VerifiedSct<'a>(VerifiedChain<'a>);

impl<'a> VerifiedSct<'a> {
    pub(crate) fn key(&self) -> &PublicKey {
        self.0.key()
    }

    pub(crate) fn leaf(&self) -> &'a Certificate {
        self.0.leaf()
    }

    pub(crate) fn times(&self) -> &[VerifiedTime] {
        self.0.times()
    }

    pub(crate) fn into_times(self) -> SigningTimes {
        self.0.into_times()
    }
}

/// Checks the embedded SCTs (RFC 6962 3.3) of the chain's leaf.
///
/// One from a log that the trust root does not list counts for nothing and harms nothing; one that
/// names a listed log and does not verify is a refusal.
///
/// # Errors
/// [`AuthorityFault`], and [`PolicyFault::TooFewScts`] when fewer distinct logs than `threshold`
/// have signed.
pub(crate) fn verify<'a>(
    chain: VerifiedChain<'a>,
    threshold: NonZeroU32,
    anchors: &Anchors,
) -> Result<VerifiedSct<'a>, Refusal> {
    let leaf = chain.leaf();
    let scts = sct::embedded_scts(leaf).map_err(|error| match error {
        SctError::NoSctList => AuthorityFault::NoSct,
        other => AuthorityFault::SctMalformed(other),
    })?;
    let tbs = sct::precert_tbs(leaf).map_err(AuthorityFault::SctMalformed)?;
    // RFC 6962 3.2: the hash of the key that issued the final certificate.
    let issuer_key_hash = chain.issuer_key().id();
    let entry = LogEntryKind::Precert { issuer_key_hash, tbs: &tbs };

    let mut signed_by: Vec<[u8; 32]> = Vec::new();
    for sct in &scts {
        let mut logs = anchors.ct_logs(sct.log_id).peekable();
        let Some(log) = logs.peek().copied() else { continue };
        check(sct, &entry, log)?;
        if !logs.any(|log| in_window(sct, log)) {
            return Err(AuthorityFault::SctWindow(sct.timestamp_ms).into());
        }
        if !signed_by.contains(&sct.log_id) {
            signed_by.push(sct.log_id);
        }
    }
    if signed_by.is_empty() {
        return Err(AuthorityFault::SctLogUnknown.into());
    }
    let (have, need) = (signed_by.len(), threshold.get());
    if have < usize::try_from(need).unwrap_or(usize::MAX) {
        return Err(PolicyFault::TooFewScts { have, need }.into());
    }
    Ok(VerifiedSct(chain))
}

fn check(sct: &Sct, entry: &LogEntryKind<'_>, log: &CtLog) -> Result<(), AuthorityFault> {
    // The bytes only repeat what the log's key implies; they choose nothing.
    if sct.hash != sct::HASH_SHA256 || sct.signature_algorithm != log.signature_algorithm() {
        return Err(AuthorityFault::SctAlgorithm);
    }
    let signed = sct::sct_signed_data(sct.timestamp_ms, entry, &sct.extensions)
        .map_err(AuthorityFault::SctMalformed)?;
    crypto::verify_message(&log.key, log.scheme(), &signed, &sct.signature)
        .map_err(|_| AuthorityFault::SctSignature)
}

fn in_window(sct: &Sct, log: &CtLog) -> bool {
    i64::try_from(sct.timestamp_ms / 1000).is_ok_and(|seconds| log.window.contains(seconds))
}
