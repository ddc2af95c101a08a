//! Verifies one signed file: no network, no async runtime, no state.
//!
//! ```text
//! verify_file TRUSTED_ROOT BUNDLE FILE IDENTITY ISSUER
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example speaks to a terminal")]
#![allow(clippy::disallowed_methods, reason = "files and clock are the caller's, not the crate's")]

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use formats::bundle::Bundle;
use formats::digest::Hasher;
use formats::trusted_root::TrustedRoot;
use verify::identity::escaped;
use verify::policy::{IdentityMatch, Matcher, Policy};
use verify::verify::{Artifact, Verified, Verifier, required_digests};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [root, bundle, file, identity, issuer] = arguments.as_slice() else {
        eprintln!("usage: verify_file TRUSTED_ROOT BUNDLE FILE IDENTITY ISSUER");
        return ExitCode::from(1);
    };
    match run(root, bundle, file, identity, issuer) {
        Ok(verified) => {
            let subject = verified.subject.as_ref().map_or("a key", |subject| subject.as_str());
            println!("verified: signed by {}", escaped(subject));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("not verified: {error}");
            ExitCode::from(12)
        }
    }
}

fn run(
    root: &str,
    bundle: &str,
    file: &str,
    identity: &str,
    issuer: &str,
) -> Result<Verified, Box<dyn std::error::Error>> {
    let verifier = Verifier::new(&TrustedRoot::from_json(&std::fs::read(root)?)?)?;
    let bundle = Bundle::from_json(&std::fs::read(bundle)?)?;
    let policy =
        Policy::identity(IdentityMatch::new(Matcher::exact(identity), Matcher::exact(issuer)));

    // One pass over the file gives every digest that the verdict asks for.
    let mut hashers: Vec<Hasher> =
        required_digests(&bundle, None).into_iter().map(Hasher::new).collect();
    let mut reader = std::io::BufReader::new(std::fs::File::open(file)?);
    loop {
        let chunk = std::io::BufRead::fill_buf(&mut reader)?;
        if chunk.is_empty() {
            break;
        }
        hashers.iter_mut().for_each(|hasher| hasher.update(chunk));
        let length = chunk.len();
        std::io::BufRead::consume(&mut reader, length);
    }
    let digests: Vec<_> = hashers.into_iter().map(Hasher::finish).collect();

    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    Ok(verifier.verify(&bundle, &Artifact::Digests(&digests), &policy, now)?)
}
