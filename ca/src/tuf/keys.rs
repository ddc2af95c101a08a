//! The keys of the roles: which there are, and which of them can sign here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use formats::key::{KeyAlgorithm, PublicKey};
use tough::schema::decoded::{Decoded, Hex};
use tough::schema::key::{EcdsaKey, EcdsaScheme, Key};
use tough::schema::{RoleType, Root};

use crate::keys::{FileKey, Role, Signer, p256_spki};
use crate::tuf::TufError;
use crate::tuf::config::{ROLES, TufConfig};

/// A key of a role.
#[derive(Clone)]
pub(super) struct RoleKey {
    pub(super) public: PublicKey,
    /// Present when the private half is here.
    pub(super) signer: Option<Arc<dyn Signer>>,
}

/// The keys of all roles as ca.toml and the key files have them.
pub(super) struct Keyring(Vec<(RoleType, Vec<RoleKey>)>);

impl Keyring {
    /// Reads the keys of the instance in `dir`. `root` is the newest root that was published: a
    /// root whose keys ca.toml does not list keeps the ones that it has.
    pub(super) fn read(
        dir: &Path,
        config: &TufConfig,
        root: Option<&Root>,
    ) -> Result<Self, TufError> {
        let mut files = HashMap::new();
        let keyring = ROLES
            .into_iter()
            .map(|role| Ok((role, role_keys(dir, config, root, role, &mut files)?)))
            .collect::<Result<Vec<_>, TufError>>()
            .map(Self)?;
        for (role, keys) in &keyring.0 {
            let distinct: BTreeSet<_> = keys.iter().map(|key| key.public.id()).collect();
            if distinct.len() != keys.len() {
                return Err(TufError::KeyTwice { role: *role });
            }
            let here = keys.iter().filter(|key| key.signer.is_some()).count();
            if *role != RoleType::Root && here < usize::from(config.threshold(*role)) {
                return Err(TufError::TooFewKeys { role: *role });
            }
        }
        Ok(keyring)
    }

    pub(super) fn role(&self, role: RoleType) -> &[RoleKey] {
        self.0.iter().find(|(of, _)| *of == role).map_or(&[], |(_, keys)| keys)
    }

    pub(super) fn signers(&self, role: RoleType) -> Vec<Arc<dyn Signer>> {
        self.role(role).iter().filter_map(|key| key.signer.clone()).collect()
    }

    /// Refuses a key that another part of the instance signs with.
    pub(super) fn refuse_shared(&self, others: &[&PublicKey]) -> Result<(), TufError> {
        for (role, keys) in &self.0 {
            if keys.iter().any(|key| others.iter().any(|other| other.id() == key.public.id())) {
                return Err(TufError::SharedKey { role: *role });
            }
        }
        Ok(())
    }
}

/// The private keys below `keys/` that `root` names for a role, whatever their files are called: a
/// key that is being replaced lies there beside the new one.
pub(super) fn signers_named(dir: &Path, root: &Root, role: RoleType) -> Vec<Arc<dyn Signer>> {
    let named: BTreeSet<_> =
        root.keys(role).filter_map(|key| public_key(key).ok()).map(|key| key.id()).collect();
    let files = fs::read_dir(dir.join("keys")).into_iter().flatten().flatten();
    let mut found = BTreeMap::<_, Arc<dyn Signer>>::new();
    for path in files.map(|file| file.path()) {
        if let Ok(key) = FileKey::read(&path)
            && named.contains(&key.public_key().id())
        {
            found.insert(key.public_key().id(), Arc::new(key));
        }
    }
    found.into_values().collect()
}

type KeyFiles = HashMap<PathBuf, RoleKey>;

fn role_keys(
    dir: &Path,
    config: &TufConfig,
    root: Option<&Root>,
    role: RoleType,
    files: &mut KeyFiles,
) -> Result<Vec<RoleKey>, TufError> {
    if let Some(listed) = &config.role(role).keys {
        return listed.iter().map(|path| key_file(&dir.join(path), role, files)).collect();
    }
    let path = if role == RoleType::Root { Role::TufRoot } else { Role::Tuf }.path(dir);
    match root {
        Some(root) if role == RoleType::Root => {
            let here = if path.exists() { Some(key_file(&path, role, files)?) } else { None };
            root.keys(role)
                .map(|key| {
                    let public = public_key(key)?;
                    let here = here.as_ref().filter(|here| here.public.id() == public.id());
                    Ok(RoleKey { signer: here.and_then(|key| key.signer.clone()), public })
                })
                .collect()
        }
        _ => Ok(vec![key_file(&path, role, files)?]),
    }
}

fn key_file(path: &Path, role: RoleType, files: &mut KeyFiles) -> Result<RoleKey, TufError> {
    if let Some(known) = files.get(path) {
        return Ok(known.clone());
    }
    let text = fs::read_to_string(path)
        .map(zeroize::Zeroizing::new)
        .map_err(|source| TufError::File { path: path.to_owned(), source })?;
    let key = if role == RoleType::Root && text.contains("BEGIN PUBLIC KEY") {
        let public = PublicKey::from_pem(&text)
            .map_err(|source| TufError::PublicKey { path: path.to_owned(), source })?;
        if public.algorithm() != KeyAlgorithm::EcdsaP256 {
            return Err(TufError::NotP256 { path: path.to_owned() });
        }
        RoleKey { public, signer: None }
    } else {
        let key = FileKey::read(path)?;
        RoleKey { public: key.public_key().clone(), signer: Some(Arc::new(key)) }
    };
    files.insert(path.to_owned(), key.clone());
    Ok(key)
}

/// The key as TUF writes it: PEM in a `keyval`.
pub(super) fn tuf_key(key: &PublicKey) -> Key {
    let keyval = EcdsaKey { public: key.raw().to_vec().into(), _extra: HashMap::new() };
    Key::Ecdsa { keyval, scheme: EcdsaScheme::EcdsaSha2Nistp256, _extra: HashMap::new() }
}

/// The key's TUF key id: SHA-256 of its canonical form.
pub(super) fn key_id(key: &PublicKey) -> Result<Decoded<Hex>, TufError> {
    Ok(tuf_key(key).key_id()?)
}

fn public_key(key: &Key) -> Result<PublicKey, TufError> {
    let (Key::Ecdsa { keyval, .. } | Key::EcdsaOld { keyval, .. }) = key else {
        return Err(TufError::ForeignKey);
    };
    PublicKey::from_spki_der(&p256_spki(&keyval.public)).map_err(|_unusable| TufError::ForeignKey)
}
