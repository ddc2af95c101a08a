//! The RSA keys that sign tokens: made at first need, published before use, kept until the last
//! token of theirs has died.
//!
//! A key's file is named by the second from which it signs (`keys/oidc/1767225600.pem`), so the
//! folder alone says which key signs now, and a server that was stopped at any point goes on from
//! there.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pem_rfc7468::LineEnding;
use serde_json::{Value, json};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::keys::{KeyFileError, read_pem};

/// One RSA key and its public half as a JWK (RFC 7517).
pub struct TokenKey {
    pair: KeyPair,
    key_id: String,
    jwk: Value,
}

impl TokenKey {
    /// Reads an RSA key of 2048 bits or more from PKCS#8 PEM.
    ///
    /// # Errors
    /// [`TokenKeyError::Key`] for anything else.
    pub fn from_pem(pem: &str) -> Result<Self, TokenKeyError> {
        let (label, der) = pem_rfc7468::decode_vec(pem.trim_ascii().as_bytes())
            .map_err(|_malformed| TokenKeyError::Key)?;
        let der = Zeroizing::new(der);
        if label != LABEL {
            return Err(TokenKeyError::Key);
        }
        let pair = KeyPair::from_pkcs8(&der).map_err(|_rejected| TokenKeyError::Key)?;
        let (key_id, jwk) = publish(&pair);
        Ok(Self { pair, key_id, jwk })
    }

    /// Makes a new key: RSA-2048 in PKCS#8 PEM. Takes a tenth of a second or so.
    ///
    /// # Errors
    /// [`TokenKeyError::Provider`] if the cryptographic provider fails.
    pub fn generate_pem() -> Result<Zeroizing<String>, TokenKeyError> {
        let key = KeyPair::generate(KeySize::Rsa2048).map_err(|_| TokenKeyError::Provider)?;
        let der = key.as_der().map_err(|_| TokenKeyError::Provider)?;
        pem_rfc7468::encode_string(LABEL, LineEnding::LF, der.as_ref())
            .map(Zeroizing::new)
            .map_err(|_| TokenKeyError::Provider)
    }

    /// Its `kid`: the thumbprint of RFC 7638.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Its public half as a JWK.
    #[must_use]
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// A JWT with these claims, under RS256.
    ///
    /// # Errors
    /// [`TokenKeyError::Provider`] if the cryptographic provider fails.
    pub fn mint(&self, claims: &Value) -> Result<String, TokenKeyError> {
        let header = json!({ "alg": "RS256", "kid": self.key_id, "typ": "JWT" });
        self.sign(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    /// Signs any header and any claims (RS256).
    ///
    /// # Errors
    /// [`TokenKeyError::Provider`] if the cryptographic provider fails.
    pub fn sign(&self, header: &[u8], claims: &[u8]) -> Result<String, TokenKeyError> {
        let mut jwt =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), jwt.as_bytes(), &mut signature)
            .map_err(|_| TokenKeyError::Provider)?;
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(&signature, &mut jwt);
        Ok(jwt)
    }
}

/// Why there is no key to sign tokens with.
#[derive(Debug, Error)]
pub enum TokenKeyError {
    /// Not an RSA private key in PKCS#8 PEM of 2048 bits or more.
    #[error("not an RSA key of 2048 bits or more in PKCS#8 PEM")]
    Key,
    /// The cryptographic provider failed.
    #[error("the cryptographic provider failed")]
    Provider,
    /// A key file is refused.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// A key file of the folder holds no such key.
    #[error("{path}: not an RSA key of 2048 bits or more in PKCS#8 PEM")]
    InFolder {
        /// The file.
        path: PathBuf,
    },
    /// The folder of the keys cannot be read or written.
    #[error("{path}: the keys of the sign-in cannot be kept here: {source}")]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The keys of a folder, of which one signs now. Cloning shares them.
#[derive(Clone)]
pub(super) struct KeyRing(Arc<Ring>);

struct Ring {
    /// Nothing for a key that is given and never rotates.
    folder: Option<PathBuf>,
    keys: RwLock<Vec<Dated>>,
}

#[derive(Clone)]
struct Dated {
    /// From when it signs, in Unix seconds.
    from: i64,
    key: Arc<TokenKey>,
}

impl KeyRing {
    /// One key for good: the development provider's.
    pub(super) fn of(key: Arc<TokenKey>) -> Self {
        Self(Arc::new(Ring { folder: None, keys: RwLock::new(vec![Dated { from: 0, key }]) }))
    }

    /// The keys in `folder`, which is made, with a first key, if it is not there.
    pub(super) fn open(folder: &Path, now: i64) -> Result<Self, TokenKeyError> {
        make_folder(folder)?;
        let mut keys = read_folder(folder)?;
        if keys.iter().all(|dated| dated.from > now) {
            keys.insert(0, add(folder, now)?);
        }
        let ring =
            Self(Arc::new(Ring { folder: Some(folder.to_owned()), keys: RwLock::new(keys) }));
        ring.turn(now)?;
        Ok(ring)
    }

    /// The key that signs at `now`.
    pub(super) fn current(&self, now: i64) -> Option<Arc<TokenKey>> {
        let keys = self.0.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().rev().find(|dated| dated.from <= now).map(|dated| Arc::clone(&dated.key))
    }

    /// The JWK set as JSON: the keys that signed, sign and will sign.
    pub(super) fn jwks(&self) -> Vec<u8> {
        let keys = self.0.keys.read().unwrap_or_else(PoisonError::into_inner);
        let keys: Vec<&Value> = keys.iter().map(|dated| dated.key.jwk()).collect();
        json!({ "keys": keys }).to_string().into_bytes()
    }

    /// True when [`Self::turn`] would change something.
    pub(super) fn due(&self, now: i64) -> bool {
        let keys = self.0.keys.read().unwrap_or_else(PoisonError::into_inner);
        self.0.folder.is_some() && (successor(&keys, now).is_some() || outlived(&keys, now) > 0)
    }

    /// Makes the next key when it must soon be published, and drops those whose last token has
    /// died. True if the set has changed. Takes a tenth of a second when a key is made.
    pub(super) fn turn(&self, now: i64) -> Result<bool, TokenKeyError> {
        let Some(folder) = &self.0.folder else { return Ok(false) };
        let mut keys = self.0.keys.write().unwrap_or_else(PoisonError::into_inner);
        let next = successor(&keys, now);
        if let Some(from) = next {
            keys.push(add(folder, from)?);
        }
        let gone = outlived(&keys, now);
        for dated in keys.drain(..gone) {
            let path = file_of(folder, dated.from);
            fs::remove_file(&path).map_err(|source| TokenKeyError::Folder { path, source })?;
        }
        Ok(next.is_some() || gone > 0)
    }
}

/// From when a further key must sign, once it is time to publish it.
fn successor(keys: &[Dated], now: i64) -> Option<i64> {
    let last = keys.last()?.from;
    let due = last.saturating_add(SIGNS_FOR);
    // Whoever holds the key set for a while must hold the new key before it is used, also after
    // the server was off when it fell due.
    (now >= due.saturating_sub(PUBLISHED_AHEAD))
        .then(|| due.max(now.saturating_add(PUBLISHED_AHEAD)))
}

/// How many keys at the front were replaced so long ago that no token of theirs lives.
fn outlived(keys: &[Dated], now: i64) -> usize {
    let replaced_at = keys.iter().skip(1).map(|next| next.from);
    replaced_at.take_while(|&at| now >= at.saturating_add(KEPT_AFTER)).count()
}

fn read_folder(folder: &Path) -> Result<Vec<Dated>, TokenKeyError> {
    let unreadable = |source| TokenKeyError::Folder { path: folder.to_owned(), source };
    let mut keys = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // A file that was being written when the server died ends in `.new`; it never signed.
        let Some(from) = name.strip_suffix(".pem").and_then(|from| from.parse().ok()) else {
            continue;
        };
        let key = TokenKey::from_pem(&read_pem(&path)?)
            .map_err(|_fault| TokenKeyError::InFolder { path: path.clone() })?;
        keys.push(Dated { from, key: Arc::new(key) });
    }
    keys.sort_by_key(|dated| dated.from);
    Ok(keys)
}

fn add(folder: &Path, from: i64) -> Result<Dated, TokenKeyError> {
    let pem = TokenKey::generate_pem()?;
    let key = Arc::new(TokenKey::from_pem(&pem)?);
    let path = file_of(folder, from);
    let new = path.with_extension("pem.new");
    let write = || -> std::io::Result<()> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        file.write_all(pem.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)
    };
    write().map_err(|source| TokenKeyError::Folder { path: path.clone(), source })?;
    Ok(Dated { from, key })
}

fn make_folder(folder: &Path) -> Result<(), TokenKeyError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|source| TokenKeyError::Folder { path: folder.to_owned(), source })
}

fn file_of(folder: &Path, from: i64) -> PathBuf {
    folder.join(format!("{from}.pem"))
}

/// The key id (RFC 7638: SHA-256 over the required members in order) and the JWK.
fn publish(key: &KeyPair) -> (String, Value) {
    let public = key.public_key();
    let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
    let n = encode(public.modulus().big_endian_without_leading_zero());
    let e = encode(public.exponent().big_endian_without_leading_zero());
    let required = format!("{{\"e\":\"{e}\",\"kty\":\"RSA\",\"n\":\"{n}\"}}");
    let key_id = encode(digest(&SHA256, required.as_bytes()).as_ref());
    let jwk = json!({
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": key_id, "n": n, "e": e,
    });
    (key_id, jwk)
}

const LABEL: &str = "PRIVATE KEY";

/// How long one key signs.
const SIGNS_FOR: i64 = 30 * 24 * 60 * 60;

/// How long the next key is seen before it signs: longer than anybody holds a key set.
const PUBLISHED_AHEAD: i64 = 2 * 24 * 60 * 60;

/// How long a key that was replaced is still published: its tokens live five minutes.
const KEPT_AFTER: i64 = 60 * 60;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const START: i64 = 1_800_000_000;

    fn key_ids(ring: &KeyRing) -> Vec<String> {
        let jwks: Value = serde_json::from_slice(&ring.jwks()).unwrap();
        let keys = jwks["keys"].as_array().unwrap();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    fn signing(ring: &KeyRing, now: i64) -> String {
        ring.current(now).unwrap().key_id().to_owned()
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_kept_after() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("oidc");
        let ring = KeyRing::open(&folder, START).unwrap();
        let first = signing(&ring, START);
        assert_eq!(key_ids(&ring), [first.as_str()]);

        let soon = START + SIGNS_FOR - PUBLISHED_AHEAD;
        assert!(!ring.due(soon - 1) && ring.due(soon));
        assert!(ring.turn(soon).unwrap());
        assert!(!ring.turn(soon).unwrap(), "one successor is enough");
        let [_, second] = key_ids(&ring).try_into().unwrap();
        let switch = START + SIGNS_FOR;
        assert_eq!(signing(&ring, switch - 1), first);
        assert_eq!(signing(&ring, switch), second);

        assert!(!ring.turn(switch + KEPT_AFTER - 1).unwrap());
        assert_eq!(key_ids(&ring), [first, second.clone()]);
        assert!(ring.turn(switch + KEPT_AFTER).unwrap());
        assert_eq!(key_ids(&ring), [second.as_str()]);

        let again = KeyRing::open(&folder, switch + KEPT_AFTER).unwrap();
        assert_eq!(key_ids(&again), [second]);
    }

    #[test]
    fn a_server_that_was_off_still_publishes_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = signing(&KeyRing::open(folder.path(), START).unwrap(), START);
        let late = START + 3 * SIGNS_FOR;
        let ring = KeyRing::open(folder.path(), late).unwrap();
        assert_eq!(signing(&ring, late), first);
        assert_eq!(signing(&ring, late + PUBLISHED_AHEAD - 1), first);
        assert_ne!(signing(&ring, late + PUBLISHED_AHEAD), first);
    }

    #[test]
    fn half_a_file_is_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let ring = KeyRing::open(folder.path(), START).unwrap();
        fs::write(folder.path().join("1800000001.pem.new"), "half").unwrap();
        assert_eq!(key_ids(&KeyRing::open(folder.path(), START).unwrap()), key_ids(&ring));
        fs::write(folder.path().join("1800000001.pem"), "half").unwrap();
        assert!(KeyRing::open(folder.path(), START).is_err());
    }
}
