//! What `signer login` keeps: the token, in the system's own store for such things, until it expires
//! or `signer logout` takes it out. Linux' kernel keeps it for the login session and in memory alone;
//! macOS and Windows in the person's keychain.

use std::sync::Arc;

use fetch::shown::shown_at_most;
use formats::digest::HashAlgorithm;
use keyring_core::{CredentialStore, Entry, Error};
use thiserror::Error;
use zeroize::Zeroizing;

/// Why a token is not kept, or not found again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyringFault {
    /// This system has no store that is known here.
    #[error("this system has no store for secrets that signer knows")]
    NoStore,
    /// The store would not.
    #[error("the system's store for secrets refuses: {}", shown_at_most(.0, SHOWN))]
    Refused(String),
}

/// The place of one issuer's token for one instance.
pub(crate) struct Place(Entry);

impl Place {
    /// The place for tokens of this issuer for this client id.
    ///
    /// # Errors
    /// [`KeyringFault`].
    pub(crate) fn of(issuer: &str, client_id: &str) -> Result<Self, KeyringFault> {
        // Names in some stores are joined to one text; a digest has no separators to confuse.
        let name = HashAlgorithm::Sha256.digest(format!("{issuer}\0{client_id}").as_bytes());
        let entry = Entry::new_in_store(&store()?, SERVICE, &name.to_string()).map_err(refused)?;
        Ok(Self(entry))
    }

    /// Tries whether the store keeps anything, unless it does already: some containers let a program
    /// look, and not write.
    ///
    /// # Errors
    /// [`KeyringFault::Refused`].
    pub(crate) fn probe(&self) -> Result<(), KeyringFault> {
        if self.find()?.is_none() {
            self.keep("probe")?;
            self.forget()?;
        }
        Ok(())
    }

    /// Keeps a token, in place of the one before.
    ///
    /// # Errors
    /// [`KeyringFault::Refused`].
    pub(crate) fn keep(&self, token: &str) -> Result<(), KeyringFault> {
        self.0.set_secret(token.as_bytes()).map_err(refused)
    }

    /// The token that is kept.
    ///
    /// # Errors
    /// [`KeyringFault::Refused`].
    pub(crate) fn find(&self) -> Result<Option<Zeroizing<String>>, KeyringFault> {
        match self.0.get_secret().map(Zeroizing::new) {
            Ok(bytes) => Ok(String::from_utf8(bytes.to_vec()).ok().map(Zeroizing::new)),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(refused(error)),
        }
    }

    /// Forgets the token; says whether there was one.
    ///
    /// # Errors
    /// [`KeyringFault::Refused`].
    pub(crate) fn forget(&self) -> Result<bool, KeyringFault> {
        match self.0.delete_credential() {
            Ok(()) => Ok(true),
            Err(Error::NoEntry) => Ok(false),
            Err(error) => Err(refused(error)),
        }
    }
}

fn refused(error: Error) -> KeyringFault {
    KeyringFault::Refused(error.to_string())
}

#[cfg(target_os = "linux")]
fn store() -> Result<Arc<CredentialStore>, KeyringFault> {
    Ok(linux_keyutils_keyring_store::Store::new().map_err(refused)?)
}

#[cfg(target_os = "macos")]
fn store() -> Result<Arc<CredentialStore>, KeyringFault> {
    Ok(apple_native_keyring_store::keychain::Store::new().map_err(refused)?)
}

#[cfg(windows)]
fn store() -> Result<Arc<CredentialStore>, KeyringFault> {
    Ok(windows_native_keyring_store::Store::new().map_err(refused)?)
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn store() -> Result<Arc<CredentialStore>, KeyringFault> {
    Err(KeyringFault::NoStore)
}

const SERVICE: &str = "paraph-signer";
const SHOWN: usize = 300;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn place(store: &Arc<CredentialStore>, name: &str) -> Place {
        Place(Entry::new_in_store(store, SERVICE, name).unwrap())
    }

    #[test]
    fn what_is_kept_is_found_until_it_is_forgotten() {
        let store: Arc<CredentialStore> = keyring_core::mock::Store::new().unwrap();
        let (one, other) = (place(&store, "one"), place(&store, "other"));
        assert_eq!(one.find(), Ok(None));
        assert_eq!(one.forget(), Ok(false));
        assert_eq!(one.probe(), Ok(()));
        assert_eq!(one.find(), Ok(None));
        one.keep("token").unwrap();
        one.keep("newer").unwrap();
        assert_eq!(one.probe(), Ok(()));
        assert_eq!(one.find().unwrap().unwrap().as_str(), "newer");
        assert_eq!(other.find(), Ok(None));
        assert_eq!(one.forget(), Ok(true));
        assert_eq!(one.find(), Ok(None));
    }
}
