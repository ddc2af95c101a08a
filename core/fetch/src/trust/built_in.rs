//! The trust root of the public Sigstore, built in.
//!
//! It ages: keys that the public instance adds later are not in it. `data/README.md` of this package
//! says how it is refreshed; `--trusted-root` takes a newer one at any time.

use formats::trusted_root::TrustedRoot;

use super::TrustError;

/// When [`public_sigstore`] was taken.
pub const PUBLIC_SIGSTORE_DATE: &str = "2026-11-22";

/// Where [`public_sigstore`] was taken from.
pub const PUBLIC_SIGSTORE_ORIGIN: &str = "the public Sigstore, as of sigstore 4.5.1 for Python";

/// The trust root of the public Sigstore production instance.
///
/// # Errors
/// [`TrustError::TrustedRoot`], which a test rules out for the data that is built in.
pub fn public_sigstore() -> Result<TrustedRoot, TrustError> {
    TrustedRoot::from_json(PUBLIC_SIGSTORE)
        .map_err(|fault| TrustError::TrustedRoot { from: PUBLIC_SIGSTORE_ORIGIN.to_owned(), fault })
}

const PUBLIC_SIGSTORE: &[u8] = include_bytes!("../../data/public-sigstore-trusted-root.json");

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use formats::digest::HashAlgorithm;

    /// Both Rekor logs, both CT logs, both authorities and the one timestamp authority, as a look
    /// at the file with another JSON parser shows.
    #[test]
    fn holds_what_the_public_instance_published() {
        let root = public_sigstore().unwrap();
        let logs: Vec<_> = root.logs.iter().map(|log| log.base_url.as_str()).collect();
        assert_eq!(logs, ["https://rekor.sigstore.dev", "https://log2025-1.rekor.sigstore.dev"]);
        assert_eq!(root.ct_logs.len(), 2);
        assert_eq!(root.authorities.len(), 2);
        assert_eq!(root.timestamp_authorities.len(), 1);
    }

    #[test]
    fn is_the_file_that_its_note_names() {
        let note = include_str!("../../data/README.md");
        assert!(note.contains(&HashAlgorithm::Sha256.digest(PUBLIC_SIGSTORE).to_hex()));
        assert!(note.contains(PUBLIC_SIGSTORE_DATE));
        assert!(note.contains("4.5.1") && PUBLIC_SIGSTORE_ORIGIN.contains("4.5.1"));
    }
}
