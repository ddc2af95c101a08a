//! Entry bundles of C2SP tlog-tiles: per entry a 16-bit big-endian length and its bytes.

use thiserror::Error;

/// The longest entry a bundle can carry, in bytes: what a 16-bit length can say.
pub const MAX_ENTRY: usize = u16::MAX as usize;

/// The most entries of one bundle: the width of a full tile.
pub const MAX_ENTRIES: usize = 256;

/// Encodes `entries`, 1 to 256 of them, as one bundle.
///
/// # Errors
/// [`EntriesError::Empty`], [`EntriesError::TooMany`], [`EntriesError::EntryTooLong`].
pub fn encode<T: AsRef<[u8]>>(entries: &[T]) -> Result<Vec<u8>, EntriesError> {
    if entries.is_empty() {
        return Err(EntriesError::Empty);
    }
    if entries.len() > MAX_ENTRIES {
        return Err(EntriesError::TooMany);
    }
    let mut bundle = Vec::with_capacity(entries.iter().map(|e| 2 + e.as_ref().len()).sum());
    for entry in entries {
        append(&mut bundle, entry.as_ref())?;
    }
    Ok(bundle)
}

/// Appends one entry to a bundle under construction, which is left as it was on error.
///
/// # Errors
/// [`EntriesError::EntryTooLong`].
pub fn append(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), EntriesError> {
    let len =
        u16::try_from(entry.len()).map_err(|_| EntriesError::EntryTooLong { len: entry.len() })?;
    bundle.extend_from_slice(&len.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// Splits a bundle into its 1 to 256 entries; every byte belongs to one of them.
///
/// # Errors
/// [`EntriesError::Empty`], [`EntriesError::TooMany`], [`EntriesError::Truncated`].
pub fn decode(bundle: &[u8]) -> Result<Vec<&[u8]>, EntriesError> {
    if bundle.is_empty() {
        return Err(EntriesError::Empty);
    }
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        if entries.len() == MAX_ENTRIES {
            return Err(EntriesError::TooMany);
        }
        let truncated = EntriesError::Truncated { entry: entries.len() };
        let (len, after) = rest.split_first_chunk::<2>().ok_or(truncated)?;
        let (entry, after) =
            after.split_at_checked(usize::from(u16::from_be_bytes(*len))).ok_or(truncated)?;
        entries.push(entry);
        rest = after;
    }
    Ok(entries)
}

/// Why a bundle was not made or not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EntriesError {
    /// A bundle without entries; the format has none, an absent bundle is not a file.
    #[error("the entry bundle is empty")]
    Empty,
    /// More entries than a full tile has.
    #[error("the entry bundle has more than {MAX_ENTRIES} entries")]
    TooMany,
    /// An entry whose length does not fit 16 bits.
    #[error("an entry of {len} bytes is longer than {MAX_ENTRY}")]
    EntryTooLong {
        /// The length of the entry, in bytes.
        len: usize,
    },
    /// The bundle ends within an entry.
    #[error("the entry bundle ends within entry {entry}")]
    Truncated {
        /// The position of that entry in the bundle, counted from 0.
        entry: usize,
    },
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_are_big_endian_and_exact() {
        let bundle = encode(&[b"ab".as_slice(), b"", &[7; 258]]).unwrap();
        let expected = [b"\x00\x02ab\x00\x00\x01\x02".as_slice(), &[7; 258]].concat();
        assert_eq!(bundle, expected);
        assert_eq!(decode(&bundle).unwrap(), [b"ab".as_slice(), b"", &[7; 258]]);

        assert_eq!(decode(b"\x00"), Err(EntriesError::Truncated { entry: 0 }));
        assert_eq!(decode(b"\x00\x02a"), Err(EntriesError::Truncated { entry: 0 }));
        assert_eq!(decode(b"\x00\x01a\x00"), Err(EntriesError::Truncated { entry: 1 }));
        assert_eq!(decode(b"\x00\x01ab\xff\xff"), Err(EntriesError::Truncated { entry: 1 }));
    }

    #[test]
    fn bundles_have_1_to_256_entries() {
        assert_eq!(encode::<&[u8]>(&[]), Err(EntriesError::Empty));
        assert_eq!(decode(b""), Err(EntriesError::Empty));
        let full = vec![b"".as_slice(); MAX_ENTRIES];
        assert_eq!(decode(&encode(&full).unwrap()).unwrap(), full);
        assert_eq!(encode(&vec![b""; MAX_ENTRIES + 1]), Err(EntriesError::TooMany));
        assert_eq!(decode(&[0; 2 * (MAX_ENTRIES + 1)]), Err(EntriesError::TooMany));
    }

    #[test]
    fn entries_have_at_most_65535_bytes() {
        let longest = vec![1; MAX_ENTRY];
        assert_eq!(decode(&encode(&[&longest]).unwrap()).unwrap(), [&longest]);
        let len = MAX_ENTRY + 1;
        assert_eq!(encode(&[vec![1; len]]), Err(EntriesError::EntryTooLong { len }));
        let mut bundle = vec![0, 0];
        assert_eq!(append(&mut bundle, &vec![1; len]), Err(EntriesError::EntryTooLong { len }));
        assert_eq!(bundle, [0, 0]);
    }

    proptest! {
        #[test]
        fn round_trip(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..256)) {
            let bundle = encode(&entries).unwrap();
            prop_assert_eq!(decode(&bundle).unwrap(), entries);
        }

        #[test]
        fn what_is_decoded_is_encoded(bundle in prop::collection::vec(0..4_u8, 0..60)) {
            if let Ok(entries) = decode(&bundle) {
                prop_assert_eq!(encode(&entries).unwrap(), bundle);
            }
        }
    }
}
