//! The artifact's bytes, streamed into their digests in constant memory.
//!
//! Reading and hashing run side by side: one thread fills a buffer while the other hashes the one
//! before. A file that fits one buffer is hashed at once, without a thread.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use formats::digest::{Digest, HashAlgorithm, Hasher};
use thiserror::Error;

use crate::shown::shown;

/// Why an artifact cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArtifactError {
    /// There is no such file.
    #[error("there is no file {}", shown(path))]
    Missing {
        /// Its path.
        path: String,
    },
    /// A folder, which has no bytes to sign.
    #[error("{} is a folder, not a file", shown(path))]
    Folder {
        /// Its path.
        path: String,
    },
    /// The system refused.
    #[error("cannot read {}: {kind}", shown(path))]
    Unreadable {
        /// Its path.
        path: String,
        /// What the system said.
        kind: io::ErrorKind,
    },
}

impl ArtifactError {
    /// The error for what the system said about `path`.
    #[must_use]
    pub fn of(path: &Path, error: &io::Error) -> Self {
        let kind = error.kind();
        let path = path.to_string_lossy().into_owned();
        match kind {
            io::ErrorKind::NotFound => Self::Missing { path },
            io::ErrorKind::IsADirectory => Self::Folder { path },
            _ => Self::Unreadable { path, kind },
        }
    }
}

/// Opens an artifact and says how many bytes it has, where the system knows.
///
/// # Errors
/// [`ArtifactError`].
pub fn open(path: &Path) -> Result<(File, Option<u64>), ArtifactError> {
    let explain = |error: io::Error| ArtifactError::of(path, &error);
    let file = File::open(path).map_err(explain)?;
    let facts = file.metadata().map_err(explain)?;
    if facts.is_dir() {
        return Err(explain(io::ErrorKind::IsADirectory.into()));
    }
    Ok((file, facts.is_file().then_some(facts.len())))
}

/// Reads to the end and returns one digest for each algorithm, in their order. `progress` is told
/// the number of bytes hashed so far, once for every buffer.
///
/// # Errors
/// What the reader returns; interrupted reads are repeated.
pub fn digests(
    mut reader: impl Read + Send,
    algorithms: &[HashAlgorithm],
    progress: &mut dyn FnMut(u64),
) -> io::Result<Vec<Digest>> {
    let mut hashers: Vec<_> = algorithms.iter().copied().map(Hasher::new).collect();
    let mut first = vec![0; BUFFER];
    let filled = fill(&mut reader, &mut first)?;
    if filled < BUFFER {
        update(&mut hashers, first.get(..filled).unwrap_or(&first));
        progress(filled as u64);
        return Ok(finish(hashers));
    }
    let (full, to_hash) = sync_channel(BUFFERS);
    let (empty, to_fill) = sync_channel(BUFFERS);
    // The channels hold as many buffers as there are, so no send here ever waits.
    _ = full.send(Ok((first, filled)));
    for _ in 1..BUFFERS {
        _ = empty.send(vec![0; BUFFER]);
    }
    thread::scope(|scope| {
        scope.spawn(move || read_side(reader, &to_fill, &full));
        hash_side(&mut hashers, &to_hash, &empty, progress)
    })?;
    Ok(finish(hashers))
}

/// A buffer and how many of its bytes are the artifact's.
type Filled = (Vec<u8>, usize);

fn read_side(
    mut reader: impl Read,
    to_fill: &Receiver<Vec<u8>>,
    full: &SyncSender<io::Result<Filled>>,
) {
    // Either side's end closes its channels, which ends the other.
    while let Ok(mut buffer) = to_fill.recv() {
        let outcome = fill(&mut reader, &mut buffer).map(|filled| (buffer, filled));
        let more = matches!(outcome, Ok((_, filled)) if filled == BUFFER);
        if full.send(outcome).is_err() || !more {
            return;
        }
    }
}

fn hash_side(
    hashers: &mut [Hasher],
    to_hash: &Receiver<io::Result<Filled>>,
    empty: &SyncSender<Vec<u8>>,
    progress: &mut dyn FnMut(u64),
) -> io::Result<()> {
    let mut total: u64 = 0;
    loop {
        // The reader ends with a short buffer or an error. An end without either is a reader that
        // panicked, and must not pass for a shorter artifact.
        let (buffer, filled) = to_hash.recv().map_err(|_| io::ErrorKind::BrokenPipe)??;
        update(hashers, buffer.get(..filled).unwrap_or(&buffer));
        total = total.saturating_add(filled as u64);
        progress(total);
        if filled < BUFFER {
            return Ok(());
        }
        _ = empty.send(buffer);
    }
}

/// Fills the buffer unless the reader ends before.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(read) => filled = filled.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn update(hashers: &mut [Hasher], bytes: &[u8]) {
    for hasher in hashers {
        hasher.update(bytes);
    }
}

fn finish(hashers: Vec<Hasher>) -> Vec<Digest> {
    hashers.into_iter().map(Hasher::finish).collect()
}

/// Large enough that the hand-over costs nothing, small enough for the second-level cache.
const BUFFER: usize = 256 * 1024;
const BUFFERS: usize = 3;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use HashAlgorithm::{Sha256, Sha512};

    #[test]
    fn equals_the_digest_of_the_whole_at_every_size_that_matters() {
        for size in [0, 1, BUFFER - 1, BUFFER, BUFFER + 1, 2 * BUFFER, 7 * BUFFER + 13] {
            let bytes: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            let mut seen = 0;
            let found = digests(&bytes[..], &[Sha256, Sha512], &mut |total| seen = total).unwrap();
            assert_eq!(found, [Sha256.digest(&bytes), Sha512.digest(&bytes)], "{size}");
            assert_eq!(seen, size as u64);
        }
    }

    #[test]
    fn short_reads_and_interruptions_are_normal() {
        struct Reluctant<'a>(usize, &'a mut usize);
        impl Read for Reluctant<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                if self.0.is_multiple_of(3) {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                if self.0 > 30_000 {
                    return Ok(0);
                }
                let given = buffer.len().min(17);
                buffer[..given].fill(7);
                *self.1 += given;
                Ok(given)
            }
        }
        let mut given = 0;
        let found = digests(Reluctant(0, &mut given), &[Sha256], &mut |_| ()).unwrap();
        assert!(given > BUFFER);
        assert_eq!(found, [Sha256.digest(&vec![7; given])]);
    }

    #[test]
    fn a_failure_in_the_middle_is_no_shorter_artifact() {
        struct Fails(usize);
        impl Read for Fails {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                if self.0 > 5 { Err(io::ErrorKind::TimedOut.into()) } else { Ok(buffer.len()) }
            }
        }
        let error = digests(Fails(0), &[Sha256], &mut |_| ()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        assert!(matches!(open(&path), Err(ArtifactError::Missing { .. })));
        assert!(matches!(open(folder.path()), Err(ArtifactError::Folder { .. })));
        std::fs::write(&path, b"abc").unwrap();
        assert_eq!(open(&path).unwrap().1, Some(3));
    }
}
