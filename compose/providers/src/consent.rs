//! Sign-ins in progress: what was asked, who said yes, and codes that wait to be redeemed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::{now, random_hex};

/// What the application asked for when it sent somebody here.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) challenge: Option<String>,
    pub(crate) nonce: Option<String>,
}

impl Asked {
    pub(crate) fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }
}

/// A request that somebody has agreed to.
#[derive(Debug, Clone)]
pub(crate) struct Granted {
    pub(crate) asked: Asked,
    /// The account's place in the list.
    pub(crate) account: usize,
}

#[derive(Default)]
pub(crate) struct Consents {
    open: Mutex<BTreeMap<String, Asked>>,
    codes: Mutex<BTreeMap<String, (u64, Granted)>>,
}

impl Consents {
    /// Keeps what was asked while the page is open, and gives the page's session.
    pub(crate) fn ask(&self, asked: Asked) -> String {
        let session = random_hex(16);
        lock(&self.open).insert(session.clone(), asked);
        session
    }

    /// Ends a page's session.
    pub(crate) fn answered(&self, session: &str) -> Option<Asked> {
        lock(&self.open).remove(session)
    }

    /// A code for what was agreed to, good once and for ten minutes.
    pub(crate) fn grant(&self, granted: Granted) -> String {
        let code = random_hex(10);
        lock(&self.codes).insert(code.clone(), (now() + CODE_SECONDS, granted));
        code
    }

    /// Takes what a code stands for: it is spent, whatever is found wrong next.
    pub(crate) fn redeem(&self, code: &str) -> Option<Granted> {
        let (expires_at, granted) = lock(&self.codes).remove(code)?;
        (now() < expires_at).then_some(granted)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const CODE_SECONDS: u64 = 600;
