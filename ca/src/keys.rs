//! The keys of an instance, behind one signing trait.
//!
//! Whoever signs holds a [`Signer`] and never a private key, so that a PKCS#11 token or a cloud
//! KMS can stand where a file stands today.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use formats::key::{KeyError, PublicKey};
use zeroize::Zeroizing;

/// Signs bytes with a private key that it alone knows.
pub trait Signer: Send + Sync {
    /// The public half.
    fn public_key(&self) -> &PublicKey;

    /// Signs `message`: ECDSA P-256 over SHA-256, as an ASN.1 DER `Ecdsa-Sig-Value` (RFC 3279
    /// section 2.2.3).
    ///
    /// # Errors
    /// [`SignFailed`] when the key cannot be used.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignFailed>;
}

/// The key could not make a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signing key could not be used")]
pub struct SignFailed;

/// What a key of the instance is for. Each role has a key of its own (RFC 3161 section 2.3
/// demands it of a timestamp authority, and a log key signs nothing but heads).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The root of the certificate authority; used by `ca init` alone.
    Root,
    /// Signs precertificates and certificates.
    Issuing,
    /// Signs SCTs and the heads of the certificate transparency log.
    Ct,
    /// Signs the checkpoints of the artifact log.
    Log,
    /// The root of the timestamp authority; used by `ca init` alone.
    TimestampRoot,
    /// Signs timestamps.
    Timestamp,
    /// Signs the root of the TUF repository; may be kept elsewhere between renewals.
    TufRoot,
    /// Signs the targets, snapshots and timestamps of the TUF repository.
    Tuf,
}

impl Role {
    /// All roles, in the order in which `ca init` makes them.
    pub const ALL: [Self; 8] = [
        Self::Root,
        Self::Issuing,
        Self::TimestampRoot,
        Self::Timestamp,
        Self::Ct,
        Self::Log,
        Self::TufRoot,
        Self::Tuf,
    ];

    /// The roles whose key a running server needs; the two roots may be kept elsewhere.
    pub const SERVING: [Self; 4] = [Self::Issuing, Self::Ct, Self::Log, Self::Timestamp];

    /// The name of the key's file below `keys/`, without its ending.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Issuing => "issuing",
            Self::Ct => "ct",
            Self::Log => "log",
            Self::TimestampRoot => "tsa-root",
            Self::Timestamp => "tsa",
            Self::TufRoot => "tuf-root",
            Self::Tuf => "tuf",
        }
    }

    /// Where the key lies in the instance folder `dir`.
    pub fn path(self, dir: &Path) -> PathBuf {
        dir.join("keys").join(format!("{}.pem", self.name()))
    }
}

/// A P-256 key read from a PKCS#8 PEM file.
pub struct FileKey {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read.
    #[error("{path}: the key cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others than the owner may read the file.
    #[error(
        "{path}: the key can be read by others (mode {mode:o}); run: chmod 600 on it, and think \
         of it as seen"
    )]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not a PEM file with one `PRIVATE KEY`.
    #[error("{path}: not an unencrypted PKCS#8 key in PEM (\"PRIVATE KEY\")")]
    NotPem {
        /// The file.
        path: PathBuf,
    },
    /// Not a key of the kind this role needs.
    #[error("{path}: {expected} is needed here")]
    WrongKind {
        /// The file.
        path: PathBuf,
        /// The kind that the role needs.
        expected: &'static str,
    },
    /// The public half did not parse.
    #[error("{path}: the public half is not usable: {source}")]
    Public {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
}

impl FileKey {
    /// Reads the key at `path`.
    ///
    /// # Errors
    /// When the file is missing, readable by others, or not an ECDSA P-256 key in PKCS#8 PEM.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let der = read_private_key(path)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der).map_err(
            |_rejected| KeyFileError::WrongKind {
                path: path.to_owned(),
                expected: "an ECDSA P-256 key",
            },
        )?;
        let public = PublicKey::from_spki_der(&p256_spki(pair.public_key().as_ref()))
            .map_err(|source| KeyFileError::Public { path: path.to_owned(), source })?;
        Ok(Self { pair, public })
    }
}

impl Signer for FileKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignFailed> {
        let signature =
            self.pair.sign(&SystemRandom::new(), message).map_err(|_unspecified| SignFailed)?;
        Ok(signature.as_ref().to_vec())
    }
}

/// Reads a key file as text, once nobody but its owner can: the PEM of the development provider.
///
/// # Errors
/// When the file is missing or readable by others.
pub fn read_pem(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    refuse_open_permissions(path)?;
    fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|source| KeyFileError::Unreadable { path: path.to_owned(), source })
}

fn read_private_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let text = read_pem(path)?;
    let not_pem = || KeyFileError::NotPem { path: path.to_owned() };
    let (label, der) =
        pem_rfc7468::decode_vec(text.trim_ascii().as_bytes()).map_err(|_malformed| not_pem())?;
    let der = Zeroizing::new(der);
    if label == "PRIVATE KEY" { Ok(der) } else { Err(not_pem()) }
}

#[cfg(unix)]
fn refuse_open_permissions(path: &Path) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let unreadable = |source| KeyFileError::Unreadable { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(KeyFileError::OpenToOthers { path: path.to_owned(), mode })
    }
}

#[cfg(not(unix))]
fn refuse_open_permissions(_path: &Path) -> Result<(), KeyFileError> {
    Ok(())
}

/// The SubjectPublicKeyInfo (RFC 5480 section 2) of an uncompressed P-256 point.
pub(crate) fn p256_spki(point: &[u8]) -> Vec<u8> {
    [P256_SPKI_PREFIX, point].concat()
}

/// Lets rcgen sign with a [`Signer`].
#[derive(Clone)]
pub struct RcgenKey(pub Arc<dyn Signer>);

impl rcgen::PublicKeyData for RcgenKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_key().raw()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for RcgenKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message).map_err(|SignFailed| rcgen::Error::RemoteKeyError)
    }
}

/// DER of the SPKI up to the 65 bytes of the point: SEQUENCE, AlgorithmIdentifier of
/// id-ecPublicKey with prime256v1, BIT STRING header.
const P256_SPKI_PREFIX: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
