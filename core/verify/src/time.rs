//! Timestamps and promises in, `VerifiedTimes` out: when the signature was made, according to
//! someone the trust root trusts to say so.
//!
//! A time is read only after what carries it is authenticated. An inclusion proof gives no time; an
//! `integratedTime` without the log's promise over it is a number anyone can write.

mod promise;
mod token;

use std::num::NonZeroU32;

use formats::bundle::Bundle;

use crate::error::{AuthorityFault, BundleFault, PolicyFault, Refusal};
use crate::inclusion::ReadEntry;
use crate::root::Anchors;

/// A time at which a trusted party saw the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedTime {
    seconds: i64,
    source: TimeSource,
    /// The SHA-256 of the key that vouches: what tells two witnesses apart, whatever they are
    /// called.
    witness: [u8; 32],
}

/// Who vouches for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeSource {
    /// An RFC 3161 timestamp authority.
    TimestampAuthority {
        /// Its address in the trust root.
        uri: String,
    },
    /// A Rekor v1 log's signed entry timestamp.
    SignedEntryTimestamp {
        /// The log's id, 32 bytes.
        log_id: [u8; 32],
    },
}

impl VerifiedTime {
    /// Unix seconds, fractions cut off.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        self.seconds
    }

    /// Who vouches for it.
    #[must_use]
    pub fn source(&self) -> &TimeSource {
        &self.source
    }

    fn same_witness(&self, other: &Self) -> bool {
        let same_uri = match (&self.source, &other.source) {
            (
                TimeSource::TimestampAuthority { uri },
                TimeSource::TimestampAuthority { uri: other },
            ) => !uri.is_empty() && uri == other,
            (
                TimeSource::TimestampAuthority { .. } | TimeSource::SignedEntryTimestamp { .. },
                TimeSource::TimestampAuthority { .. } | TimeSource::SignedEntryTimestamp { .. },
            ) => false,
        };
        same_uri || self.witness == other.witness
    }
}

/// Every time that verified; perhaps none.
#[derive(Debug)]
pub(crate) struct VerifiedTimes {
    times: Vec<VerifiedTime>,
    /// Timestamps of authorities that the trust root does not have.
    strangers: usize,
}

/// At least one verified time.
#[derive(Debug)]
pub(crate) struct SigningTimes(Vec<VerifiedTime>);

/// Verifies every timestamp and every promise of the bundle.
///
/// A timestamp of an unknown authority is counted and passed over; whatever else does not verify
/// refuses the bundle. `now` (unix seconds) bounds a log's own clock and nothing else.
pub(crate) fn establish(
    bundle: &Bundle,
    entries: &[ReadEntry<'_>],
    anchors: &Anchors,
    now: i64,
) -> Result<VerifiedTimes, Refusal> {
    let mut found = VerifiedTimes { times: Vec::new(), strangers: 0 };
    for (index, response) in bundle.timestamps.iter().enumerate() {
        if bundle.timestamps.iter().take(index).any(|earlier| earlier == response) {
            continue;
        }
        match token::verify(index, response, bundle.signature(), anchors)? {
            Some(time) => found.times.push(time),
            None => found.strangers += 1,
        }
    }
    for entry in entries {
        found.times.extend(promise::verify(entry, now)?);
    }
    Ok(found)
}

impl VerifiedTimes {
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self { times: Vec::new(), strangers: 0 }
    }

    /// The times, if at least `threshold` distinct witnesses vouch for them.
    pub(crate) fn at_least(self, threshold: NonZeroU32) -> Result<SigningTimes, Refusal> {
        let (have, need) = (self.witnesses(), threshold.get());
        if have == 0 {
            return Err(self.nothing());
        }
        if have < usize::try_from(need).unwrap_or(usize::MAX) {
            return Err(PolicyFault::TooFewTimes { have, need }.into());
        }
        Ok(SigningTimes(self.times))
    }

    /// The times, of which a bare key needs none; but what claims to be one must be one.
    pub(crate) fn if_any(self) -> Result<Vec<VerifiedTime>, Refusal> {
        if self.times.is_empty() && self.strangers > 0 {
            return Err(self.nothing());
        }
        Ok(self.times)
    }

    fn nothing(&self) -> Refusal {
        if self.strangers > 0 {
            AuthorityFault::TimestampAuthorityUnknown.into()
        } else {
            BundleFault::NoVerifiedTime.into()
        }
    }

    /// Distinct witnesses: an authority counts once, under whichever of its keys or names.
    fn witnesses(&self) -> usize {
        let is_first = |(index, time): &(usize, &VerifiedTime)| {
            !self.times.iter().take(*index).any(|earlier| earlier.same_witness(time))
        };
        self.times.iter().enumerate().filter(is_first).count()
    }
}

impl SigningTimes {
    pub(crate) fn as_slice(&self) -> &[VerifiedTime] {
        &self.0
    }

    pub(crate) fn into_vec(self) -> Vec<VerifiedTime> {
        self.0
    }
}
