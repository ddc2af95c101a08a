//! The listener's own TLS: which certificate it shows, and how that one is exchanged while
//! connections are open.
//!
//! The two files are read every [`LOOK`] and compared by content: a watcher on the file itself is
//! blind to a rename over it and to the symlink swap of a Kubernetes Secret, and a server that
//! kept an expired certificate for that reason looks healthy to itself. A pair that is not whole
//! is refused, and the one before stays.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use formats::digest::{Digest, HashAlgorithm};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use serde::Deserialize;
use tokio_rustls::TlsAcceptor;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::keys::{KeyFileError, read_pem};

/// `[listen.tls]`: where the certificate and its key lie, relative to the instance folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// PEM: the certificate, then the intermediates that lead to a root the clients know.
    pub certificate: PathBuf,
    /// PEM: the private key (PKCS#8, PKCS#1 or SEC 1), readable by its owner alone.
    pub key: PathBuf,
}

/// Why a certificate and key are not shown to clients.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file cannot be read.
    #[error("listen.tls.certificate: {path}: cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The key file cannot be read, or can be by others.
    #[error("listen.tls.key: {0}")]
    KeyFile(#[from] KeyFileError),
    /// The certificate file holds no certificate that can be read.
    #[error("listen.tls.certificate: {path}: no readable certificate in PEM")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The key file holds no key.
    #[error("listen.tls.key: {path}: no unencrypted private key in PEM")]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key is of no usable kind, or is not the certificate's.
    #[error("listen.tls: certificate and key do not go together: {0}")]
    Pair(rustls::Error),
    /// The certificate has ended.
    #[error("listen.tls.certificate: {path}: it ended at {not_after} (Unix seconds)")]
    Ended {
        /// The file.
        path: PathBuf,
        /// Its last second.
        not_after: i64,
    },
}

/// The certificate that is shown, and the configuration around it.
pub struct Tls {
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
    files: Mutex<Files>,
}

struct Files {
    at: TlsFiles,
    /// SHA-256 of what was last looked at, whatever came of it: a broken pair is told of once.
    seen: Option<Digest>,
}

/// What came of a look at the files.
#[derive(Debug)]
pub enum Look {
    /// They are what they were.
    Same,
    /// A new certificate is shown from now on.
    Taken,
    /// They changed, and what is there now is not usable. The certificate before stays.
    Refused(TlsError),
}

impl Tls {
    /// Reads the pair; relative paths are below `dir`. A certificate that has ended is shown all
    /// the same, since the other faces of the server can only be asked through it; readiness tells.
    ///
    /// # Errors
    /// When a file is missing or unusable, or the two do not go together.
    pub fn open(dir: &Path, files: &TlsFiles) -> Result<Self, TlsError> {
        let at = below(dir, files);
        let read = Read::of(&at)?;
        let seen = Some(read.digest);
        let (pair, not_after) = read.pair(&at)?;
        let shown = Arc::new(Shown {
            pair: RwLock::new(Arc::new(pair)),
            not_after: AtomicI64::new(not_after),
        });
        let config = Arc::new(config(Arc::clone(&shown))?);
        Ok(Self { shown, config, files: Mutex::new(Files { at, seen }) })
    }

    /// What does the handshakes.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// The last second of the certificate that is shown, in Unix seconds.
    pub fn not_after(&self) -> i64 {
        self.shown.not_after.load(Ordering::Acquire)
    }

    /// Looks at the files again, and shows a pair that has changed, is whole, and has not ended
    /// by `now` (Unix seconds). Blocks on the disk.
    pub fn look(&self, now: i64) -> Look {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let read = match Read::of(&files.at) {
            Ok(read) if files.seen.as_ref() == Some(&read.digest) => return Look::Same,
            Ok(read) => read,
            // Told of once, until there is something to read again.
            Err(_) if files.seen.is_none() => return Look::Same,
            Err(error) => {
                files.seen = None;
                return Look::Refused(error);
            }
        };
        files.seen = Some(read.digest);
        match read.pair(&files.at) {
            Ok((_, not_after)) if not_after < now => {
                Look::Refused(TlsError::Ended { path: files.at.certificate.clone(), not_after })
            }
            Ok((pair, not_after)) => {
                self.shown.show(pair, not_after);
                Look::Taken
            }
            Err(error) => Look::Refused(error),
        }
    }

    /// Reads other files, as a changed ca.toml names them, and answers what shows them.
    ///
    /// # Errors
    /// As [`Self::open`], and when the certificate has ended by `now`; what was shown stays.
    pub fn prepare(
        self: &Arc<Self>,
        dir: &Path,
        files: &TlsFiles,
        now: i64,
    ) -> Result<impl FnOnce() + Send + use<>, TlsError> {
        let at = below(dir, files);
        let read = Read::of(&at)?;
        let (pair, not_after) = read.pair(&at)?;
        if not_after < now {
            return Err(TlsError::Ended { path: at.certificate, not_after });
        }
        let (tls, seen) = (Arc::clone(self), Some(read.digest));
        Ok(move || {
            *tls.files.lock().unwrap_or_else(PoisonError::into_inner) = Files { at, seen };
            tls.shown.show(pair, not_after);
        })
    }
}

/// TLS 1.3 and, for its ECDHE suites with authenticated encryption alone, TLS 1.2: rustls has no
/// others. HTTP/1.1 is all that is spoken inside.
fn config(shown: Arc<Shown>) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError::Pair)?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(shown);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[derive(Debug)]
struct Shown {
    pair: RwLock<Arc<CertifiedKey>>,
    not_after: AtomicI64,
}

impl Shown {
    fn show(&self, pair: CertifiedKey, not_after: i64) {
        *self.pair.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
        self.not_after.store(not_after, Ordering::Release);
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.pair.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn below(dir: &Path, files: &TlsFiles) -> TlsFiles {
    TlsFiles { certificate: dir.join(&files.certificate), key: dir.join(&files.key) }
}

/// Both files, read at one moment.
struct Read {
    certificates: Vec<u8>,
    key: zeroize::Zeroizing<String>,
    digest: Digest,
}

impl Read {
    fn of(at: &TlsFiles) -> Result<Self, TlsError> {
        let certificates = fs::read(&at.certificate)
            .map_err(|source| TlsError::Unreadable { path: at.certificate.clone(), source })?;
        let key = read_pem(&at.key)?;
        let mut both = zeroize::Zeroizing::new(certificates.clone());
        // A NUL is in neither, so that no text can move from one file to the other unseen.
        both.push(0);
        both.extend_from_slice(key.as_bytes());
        let digest = HashAlgorithm::Sha256.digest(&both);
        Ok(Self { certificates, key, digest })
    }

    /// The pair, and the last second of the certificate.
    fn pair(&self, at: &TlsFiles) -> Result<(CertifiedKey, i64), TlsError> {
        let no_certificate = || TlsError::NoCertificate { path: at.certificate.clone() };
        let chain = CertificateDer::pem_slice_iter(&self.certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_malformed| no_certificate())?;
        let first = chain.first().ok_or_else(no_certificate)?;
        let (_, parsed) = X509Certificate::from_der(first).map_err(|_der| no_certificate())?;
        let not_after = parsed.validity().not_after.timestamp();
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())
            .map_err(|_malformed| TlsError::NoKey { path: at.key.clone() })?;
        let pair = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
            .map_err(TlsError::Pair)?;
        Ok((pair, not_after))
    }
}

/// How often the files are looked at.
pub const LOOK: Duration = Duration::from_secs(2);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};
    use time::OffsetDateTime;

    const NOW: i64 = 1_767_225_600;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn files() -> TlsFiles {
            TlsFiles { certificate: "cert.pem".into(), key: "key.pem".into() }
        }

        fn put(&self, name: &str, text: &str) {
            // As tools do it that mean well: a new file, renamed over the old one.
            let new = self.0.path().join("new");
            fs::write(&new, text).unwrap();
            #[cfg(unix)]
            fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            fs::rename(&new, self.0.path().join(name)).unwrap();
        }

        fn with(pair: &(String, String)) -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            folder.put("cert.pem", &pair.0);
            folder.put("key.pem", &pair.1);
            folder
        }

        fn open(&self) -> Result<Tls, TlsError> {
            Tls::open(self.0.path(), &Self::files())
        }
    }

    fn pair(not_after: i64) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = OffsetDateTime::from_unix_timestamp(not_after).unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn a_changed_pair_is_shown() {
        let folder = Folder::with(&pair(NOW + 100));
        let tls = folder.open().unwrap();
        assert_eq!(tls.not_after(), NOW + 100);
        assert!(matches!(tls.look(NOW), Look::Same));
        let (certificate, key) = pair(NOW + 200);
        folder.put("cert.pem", &certificate);
        assert!(matches!(tls.look(NOW), Look::Refused(TlsError::Pair(_))), "half of a change");
        assert_eq!(tls.not_after(), NOW + 100);
        assert!(matches!(tls.look(NOW), Look::Same), "told of once");
        folder.put("key.pem", &key);
        assert!(matches!(tls.look(NOW), Look::Taken));
        assert_eq!(tls.not_after(), NOW + 200);
    }

    #[cfg(unix)]
    #[test]
    fn a_symlink_swap_is_seen() {
        let folder = Folder(tempfile::tempdir().unwrap());
        let root = folder.0.path();
        // Kubernetes: the mounted names lead through ..data, which is renamed over.
        for (version, ends) in [("..1", NOW + 100), ("..2", NOW + 200)] {
            fs::create_dir(root.join(version)).unwrap();
            let (certificate, key) = pair(ends);
            folder.put(&format!("{version}/cert.pem"), &certificate);
            folder.put(&format!("{version}/key.pem"), &key);
        }
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, root.join(name)).unwrap();
        link("..1", "..data");
        link("..data/cert.pem", "cert.pem");
        link("..data/key.pem", "key.pem");
        let tls = folder.open().unwrap();
        link("..2", "..tmp");
        fs::rename(root.join("..tmp"), root.join("..data")).unwrap();
        assert!(matches!(tls.look(NOW), Look::Taken));
        assert_eq!(tls.not_after(), NOW + 200);
    }

    #[test]
    fn what_cannot_be_shown_is_kept_out() {
        let good = pair(NOW + 100);
        let folder = Folder::with(&good);
        let tls = folder.open().unwrap();
        folder.put("cert.pem", "");
        assert!(matches!(tls.look(NOW), Look::Refused(TlsError::NoCertificate { .. })));
        folder.put("cert.pem", &good.0);
        folder.put("key.pem", "nothing");
        assert!(matches!(tls.look(NOW), Look::Refused(TlsError::NoKey { .. })));
        fs::remove_file(folder.0.path().join("key.pem")).unwrap();
        assert!(matches!(tls.look(NOW), Look::Refused(TlsError::KeyFile(_))));
        assert!(matches!(tls.look(NOW), Look::Same), "told of once");
        folder.put("key.pem", &good.1);
        assert!(matches!(tls.look(NOW), Look::Taken));

        let ended = pair(NOW - 1);
        folder.put("cert.pem", &ended.0);
        folder.put("key.pem", &ended.1);
        assert!(matches!(tls.look(NOW), Look::Refused(TlsError::Ended { .. })));
        assert_eq!(tls.not_after(), NOW + 100);
    }

    #[test]
    fn a_broken_pair_stops_the_start() {
        let (certificate, _) = pair(NOW + 100);
        let (_, other_key) = pair(NOW + 100);
        assert!(matches!(Folder::with(&(certificate, other_key)).open(), Err(TlsError::Pair(_))));
        let missing = Folder(tempfile::tempdir().unwrap());
        assert!(matches!(missing.open(), Err(TlsError::Unreadable { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn admin_and_metrics_closed() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = Folder::with(&pair(NOW + 100));
        let key = folder.0.path().join("key.pem");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = folder.open().err().unwrap();
        assert!(matches!(
            refused,
            TlsError::KeyFile(KeyFileError::OpenToOthers { mode: 0o644, .. })
        ));
    }
}
