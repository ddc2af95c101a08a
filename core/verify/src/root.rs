//! A trust root prepared for use: chains linked and checked, logs indexed by id. Prepared once,
//! used for any number of bundles; nothing in it comes from a bundle.

use formats::certificate::Certificate;
use formats::key::{KeyAlgorithm, PublicKey};
use formats::sct;
use formats::trusted_root::{TransparencyLog, TrustedRoot, Window};
use merkle::note;

use crate::crypto::Scheme;
use crate::error::RootFault;
use crate::path::{Path, Role};

/// What the checks need of a trust root.
#[derive(Debug)]
pub(crate) struct Anchors {
    issuers: Vec<Path>,
    timestampers: Vec<Path>,
    logs: Vec<Log>,
    ct_logs: Vec<CtLog>,
}

/// A transparency log that the trust root lists.
#[derive(Debug)]
pub(crate) struct Log {
    /// The log's name where it has one: the host of its URL, without scheme, port or path.
    pub(crate) host: String,
    pub(crate) key: PublicKey,
    pub(crate) id: [u8; 32],
    pub(crate) window: Window,
    /// The full note key id under that host name, of which a tile log's id is the copy.
    pub(crate) note_id: [u8; 32],
}

/// A certificate transparency log that the trust root lists.
#[derive(Debug)]
pub(crate) struct CtLog {
    pub(crate) key: PublicKey,
    pub(crate) id: [u8; 32],
    pub(crate) window: Window,
}

impl Anchors {
    /// Prepares a trust root.
    ///
    /// # Errors
    /// [`RootFault`] for a chain that is broken or reversed, and for one log id with two keys.
    pub(crate) fn prepare(root: &TrustedRoot) -> Result<Self, RootFault> {
        let paths = |list: &[_], role| -> Result<Vec<Path>, RootFault> {
            let mut paths = Vec::with_capacity(list.len());
            for (index, authority) in list.iter().enumerate() {
                paths.extend(Path::prepare(authority, role, index)?);
            }
            Ok(paths)
        };
        one_key_an_id(&root.logs, "tlogs")?;
        one_key_an_id(&root.ct_logs, "ctlogs")?;
        Ok(Self {
            issuers: paths(&root.authorities, Role::Issuing)?,
            timestampers: paths(&root.timestamp_authorities, Role::Timestamping)?,
            logs: root.logs.iter().map(Log::prepare).collect(),
            ct_logs: root.ct_logs.iter().filter_map(CtLog::prepare).collect(),
        })
    }

    /// The authorities that may have issued `leaf`: same name, and same key id where both state
    /// one. The name alone does not tell two authorities of one operator apart.
    pub(crate) fn issuers_of<'a>(
        &'a self,
        leaf: &'a Certificate,
    ) -> impl Iterator<Item = &'a Path> + 'a {
        self.issuers.iter().filter(|path| {
            let ids = (leaf.authority_key_id(), path.head().subject_key_id());
            path.head().subject_dn() == leaf.issuer_dn()
                && match ids {
                    (Some(wanted), Some(id)) => wanted == id,
                    (Some(_) | None, Some(_) | None) => true,
                }
        })
    }

    /// The timestamp authorities whose signing certificate has this issuer and serial number, as a
    /// CMS SignerInfo names it (RFC 5652 10.2.4).
    pub(crate) fn timestampers<'a>(
        &'a self,
        issuer_dn: &'a [u8],
        serial: &'a [u8],
    ) -> impl Iterator<Item = &'a Path> + 'a {
        self.timestampers.iter().filter(move |path| {
            path.head().issuer_dn() == issuer_dn && path.head().serial() == serial
        })
    }

    /// Whether the trust root has this certificate anywhere in an issuing chain as its anchor.
    pub(crate) fn is_anchor(&self, certificate: &Certificate) -> bool {
        self.issuers.iter().any(|path| path.certificates().last() == Some(certificate))
    }

    /// The logs of this id; more than one when a log is listed with several windows.
    pub(crate) fn logs(&self, id: [u8; 32]) -> impl Iterator<Item = &Log> {
        self.logs.iter().filter(move |log| log.id == id)
    }

    /// The CT logs of this id.
    pub(crate) fn ct_logs(&self, id: [u8; 32]) -> impl Iterator<Item = &CtLog> {
        self.ct_logs.iter().filter(move |log| log.id == id)
    }
}

impl Log {
    /// The scheme of checkpoints and promises: SHA-256 whatever the curve, which is what Rekor
    /// signs with (rekor-tiles `pkg/note`), or pure Ed25519.
    pub(crate) fn scheme(&self) -> Scheme {
        match self.key.algorithm() {
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521 => {
                Scheme::EcdsaSha256
            }
            KeyAlgorithm::Rsa { .. } => Scheme::RsaPkcs1Sha256,
            KeyAlgorithm::Ed25519 => Scheme::Ed25519,
        }
    }

    fn prepare(log: &TransparencyLog) -> Self {
        let host = host(&log.base_url).to_owned();
        let note_id = match log.key.algorithm() {
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521 => {
                note::key_id_ecdsa(log.key.spki_der())
            }
            KeyAlgorithm::Rsa { .. } => note::key_id_rsa(&host, log.key.spki_der()),
            // A key of another length does not parse; zeros match no hash.
            KeyAlgorithm::Ed25519 => log
                .key
                .raw()
                .try_into()
                .map_or([0; 32], |raw: &[u8; 32]| note::key_id_ed25519(&host, raw)),
        };
        Self { host, key: log.key.clone(), id: log.log_id, window: log.window, note_id }
    }
}

impl CtLog {
    /// The one scheme of RFC 6962 2.1.4 for the key. CT has no other.
    pub(crate) fn scheme(&self) -> Scheme {
        match self.key.algorithm() {
            KeyAlgorithm::Rsa { .. } => Scheme::RsaPkcs1Sha256,
            KeyAlgorithm::EcdsaP256
            | KeyAlgorithm::EcdsaP384
            | KeyAlgorithm::EcdsaP521
            | KeyAlgorithm::Ed25519 => Scheme::EcdsaSha256,
        }
    }

    /// The `SignatureAlgorithm` of RFC 5246 7.4.1.4.1 that goes with the scheme.
    pub(crate) fn signature_algorithm(&self) -> u8 {
        match self.key.algorithm() {
            KeyAlgorithm::Rsa { .. } => sct::SIGNATURE_RSA,
            KeyAlgorithm::EcdsaP256
            | KeyAlgorithm::EcdsaP384
            | KeyAlgorithm::EcdsaP521
            | KeyAlgorithm::Ed25519 => sct::SIGNATURE_ECDSA,
        }
    }

    fn prepare(log: &TransparencyLog) -> Option<Self> {
        match log.key.algorithm() {
            // RFC 6962 knows no Ed25519; such a log can have signed nothing we accept.
            KeyAlgorithm::Ed25519 => None,
            KeyAlgorithm::EcdsaP256
            | KeyAlgorithm::EcdsaP384
            | KeyAlgorithm::EcdsaP521
            | KeyAlgorithm::Rsa { .. } => {
                Some(Self { key: log.key.clone(), id: log.log_id, window: log.window })
            }
        }
    }
}

fn one_key_an_id(logs: &[TransparencyLog], list: &'static str) -> Result<(), RootFault> {
    for (position, log) in logs.iter().enumerate() {
        let earlier = logs.iter().take(position);
        if earlier.into_iter().any(|other| other.log_id == log.log_id && other.key != log.key) {
            return Err(RootFault::LogIdClash { list });
        }
    }
    Ok(())
}

/// The host of `scheme://host:port/path`; what stands without a scheme is taken as host and path.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let name = authority.rsplit_once('@').map_or(authority, |(_, name)| name);
    match name.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or(address),
        None => name.split(':').next().unwrap_or(name),
    }
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn host_has_no_scheme_port_or_path() {
        for url in [
            "https://log.example.org",
            "https://log.example.org/",
            "https://log.example.org:8443/a/b?c#d",
            "http://user@log.example.org:80",
            "log.example.org",
            "log.example.org:3003/x",
        ] {
            assert_eq!(host(url), "log.example.org", "{url}");
        }
        assert_eq!(host("http://[::1]:3003/"), "::1");
        assert_eq!(host(""), "");
    }
}
