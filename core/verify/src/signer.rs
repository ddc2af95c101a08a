//! Who signed, once everything about their certificate or key has been verified.

use std::num::NonZeroU32;

use formats::entry::EntryVerifier;
use formats::key::PublicKey;

use crate::error::{PolicyFault, Refusal};
use crate::policy::{IdentityMatch, KeyRule};
use crate::sct::VerifiedSct;
use crate::time::{VerifiedTime, VerifiedTimes};

/// A verified certificate with the identity it has to show, or the key that was asked for.
#[derive(Debug)]
pub(crate) enum Signer<'a> {
    Certificate { certificate: VerifiedSct<'a>, wanted: &'a IdentityMatch },
    Key(TimedKey<'a>),
}

/// The policy's key at the bundle's times, if it has any.
#[derive(Debug)]
pub(crate) struct TimedKey<'a> {
    key: &'a PublicKey,
    times: Vec<VerifiedTime>,
}

impl<'a> TimedKey<'a> {
    /// # Errors
    /// A time outside the key's window; no time where the key has a window, or fewer than
    /// demanded.
    pub(crate) fn verify(
        rule: &'a KeyRule,
        times: VerifiedTimes,
        threshold: Option<NonZeroU32>,
    ) -> Result<Self, Refusal> {
        let threshold = threshold.or(rule.window.map(|_| NonZeroU32::MIN));
        let times = match threshold {
            Some(threshold) => times.at_least(threshold)?.into_vec(),
            None => times.if_any()?,
        };
        if let Some(window) = rule.window {
            let outside = |time: &i64| !window.contains(*time);
            if let Some(time) = times.iter().map(VerifiedTime::seconds).find(outside) {
                return Err(PolicyFault::KeyWindow(time).into());
            }
        }
        Ok(Self { key: &rule.key, times })
    }

    pub(crate) fn into_times(self) -> Vec<VerifiedTime> {
        self.times
    }
}

impl Signer<'_> {
    pub(crate) fn key(&self) -> &PublicKey {
        match self {
            Self::Certificate { certificate, .. } => certificate.key(),
            Self::Key(timed) => timed.key,
        }
    }

    /// What a log entry must record as its verifier.
    pub(crate) fn entry_verifier(&self) -> EntryVerifier {
        match self {
            Self::Certificate { certificate, .. } => {
                EntryVerifier::Certificate(certificate.leaf().der().to_vec())
            }
            Self::Key(timed) => EntryVerifier::PublicKey(timed.key.spki_der().to_vec()),
        }
    }

    pub(crate) fn times(&self) -> &[VerifiedTime] {
        match self {
            Self::Certificate { certificate, .. } => certificate.times(),
            Self::Key(timed) => &timed.times,
        }
    }
}
