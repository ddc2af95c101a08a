//! The files of a run: which there are, where their bundles go, and their digests.

use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use fetch::artifact::{self, ArtifactError};
use fetch::progress::Progress;
use fetch::shown::shown;
use formats::digest::{Digest, HashAlgorithm};
use tokio::sync::mpsc;

use crate::bundle_file;
use crate::cli::SignBlob;
use crate::error::{Failure, UsageFault};

/// One file to sign.
#[derive(Debug)]
pub(crate) struct Job {
    /// The file; `-` is standard input.
    pub(crate) file: PathBuf,
    /// Where its bundle goes.
    pub(crate) bundle: PathBuf,
}

/// A file with its digest.
pub(crate) struct Hashed {
    pub(crate) job: Job,
    /// SHA-256.
    pub(crate) digest: Digest,
}

impl Job {
    /// All files of a run. Each can be read and each bundle can be written, as far as can be known
    /// before; a mistyped last name should not cost the others a certificate.
    pub(crate) fn all(flags: &SignBlob, token_on_input: bool) -> Result<Vec<Self>, Failure> {
        let from_input = flags.files.iter().filter(|file| is_input(file)).count();
        if from_input + usize::from(token_on_input) > 1 {
            return Err(UsageFault::StandardInputTwice.into());
        }
        let jobs = match (&flags.bundle, &flags.files[..]) {
            (Some(bundle), [file]) => vec![Self { file: file.clone(), bundle: bundle.clone() }],
            (Some(_), files) => return Err(UsageFault::OneBundle(files.len()).into()),
            (None, files) => {
                files.iter().map(|file| Self::beside(file)).collect::<Result<_, _>>()?
            }
        };
        for job in &jobs {
            if !is_input(&job.file) {
                artifact::open(&job.file)?;
            }
            bundle_file::probe(&job.bundle)?;
        }
        Ok(jobs)
    }

    fn beside(file: &Path) -> Result<Self, UsageFault> {
        if is_input(file) {
            return Err(UsageFault::NoBundleName);
        }
        let mut bundle = file.as_os_str().to_owned();
        bundle.push(BUNDLE_SUFFIX);
        Ok(Self { file: file.to_owned(), bundle: bundle.into() })
    }

    fn hash(self) -> Result<Hashed, ArtifactError> {
        let explain = |error: io::Error| ArtifactError::of(&self.file, &error);
        let what = format!("Reading {}", shown(&self.file.to_string_lossy()));
        let digests = if is_input(&self.file) {
            let mut progress = Progress::new(what, None);
            artifact::digests(io::stdin(), &HASHES, &mut |done| progress.at(done))
        } else {
            let (file, length) = artifact::open(&self.file)?;
            let mut progress = Progress::new(what, length);
            artifact::digests(file, &HASHES, &mut |done| progress.at(done))
        }
        .map_err(explain)?;
        let digest = digests.into_iter().next().ok_or(io::ErrorKind::Other);
        let digest = digest.map_err(|kind| explain(kind.into()))?;
        Ok(Hashed { job: self, digest })
    }
}

/// Hashes the files in their order, one ahead of those that are signed. Ends at the first that cannot
/// be read.
pub(crate) fn hash_in_background(jobs: Vec<Job>) -> mpsc::Receiver<Result<Hashed, ArtifactError>> {
    let (send, receive) = mpsc::channel(1);
    thread::spawn(move || {
        for job in jobs {
            let hashed = job.hash();
            let stop = hashed.is_err();
            if send.blocking_send(hashed).is_err() || stop {
                return;
            }
        }
    });
    receive
}

fn is_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}

const BUNDLE_SUFFIX: &str = ".sigstore.json";
const HASHES: [HashAlgorithm; 1] = [HashAlgorithm::Sha256];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    fn flags(arguments: &[&str]) -> SignBlob {
        let cli = Cli::try_parse_from([&["signer", "sign-blob"], arguments].concat()).unwrap();
        let Command::SignBlob(flags) = cli.command else { unreachable!("it was named") };
        flags
    }

    #[test]
    fn bundles_stand_beside_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("with space.tar.gz");
        std::fs::write(&file, b"").unwrap();
        let jobs = Job::all(&flags(&[file.to_str().unwrap()]), false).unwrap();
        assert_eq!(jobs[0].bundle, folder.path().join("with space.tar.gz.sigstore.json"));
    }

    #[test]
    fn a_bundle_is_for_one_file() {
        let error = Job::all(&flags(&["a", "b", "--bundle", "c"]), false).unwrap_err();
        assert_eq!(error, Failure::Usage(UsageFault::OneBundle(2)));
    }

    #[test]
    fn standard_input_needs_a_name_and_is_read_once() {
        let usage = |arguments: &[&str], token| Job::all(&flags(arguments), token).unwrap_err();
        assert_eq!(usage(&["-"], false), Failure::Usage(UsageFault::NoBundleName));
        let twice = Failure::Usage(UsageFault::StandardInputTwice);
        assert_eq!(usage(&["-", "-"], false), twice);
        assert_eq!(usage(&["-", "--bundle", "c"], true), twice);
    }

    #[test]
    fn a_missing_file_is_noticed_before_anything_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("x");
        let error = Job::all(&flags(&[missing.to_str().unwrap()]), false).unwrap_err();
        assert!(matches!(error, Failure::Artifact(ArtifactError::Missing { .. })));
    }
}
