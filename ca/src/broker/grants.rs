//! Sign-ins in progress: what clients asked for, browsers on their way, and codes that wait to be
//! redeemed. All of it is short-lived and lost with the process.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::connector::Person;
use super::device::{Device, Typing};
use super::redirect;
use super::token::Authorised;

/// What a client asked for, checked. A code stays bound to all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    /// SHA-256 of the verifier in base64url (RFC 7636 4.2).
    pub(super) challenge: String,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) login_hint: Option<String>,
}

/// A request that a person has answered.
pub(super) struct Grant {
    pub(super) request: Request,
    pub(super) authorised: Authorised,
}

/// One sign-in, from the first page to the last.
pub(super) struct SignIn {
    pub(super) purpose: Purpose,
    /// Of the cookie that the browser holds.
    pub(super) browser: Key,
    pub(super) step: Step,
}

/// What a sign-in is for.
#[derive(Clone)]
pub(super) enum Purpose {
    /// A client whose browser this is.
    Client(Request),
    /// A terminal whose code was typed in this browser.
    Device {
        device: Key,
        /// Of the typing: a later one takes its place.
        claim: Key,
        client_id: String,
        /// What there is to know of who asks, by name.
        facts: Vec<(&'static str, String)>,
    },
}

impl Purpose {
    /// Who asks.
    pub(super) fn client_id(&self) -> &str {
        match self {
            Self::Client(request) => &request.client_id,
            Self::Device { client_id, .. } => client_id,
        }
    }

    /// The origin that the browser is sent to in the end.
    pub(super) fn leads_to(&self) -> Option<&str> {
        match self {
            Self::Client(request) => redirect::origin(&request.redirect_uri),
            Self::Device { .. } => None,
        }
    }
}

/// How far a sign-in is.
pub(super) enum Step {
    /// Nobody is signed in yet.
    Open,
    /// The provider has said who it is; the person has yet to agree.
    SignedIn {
        /// The connector's id.
        connector: String,
        /// Who.
        person: Person,
    },
}

/// A browser that is away at a provider. It is found by `state`, once.
pub(super) struct Away {
    pub(super) sign_in: Key,
    /// The one provider that may answer.
    pub(super) connector: String,
    pub(super) verifier: Zeroizing<String>,
    pub(super) nonce: String,
}

/// Everything in progress.
#[derive(Default)]
pub(super) struct Grants {
    pub(super) sign_ins: Shelf<SignIn>,
    pub(super) away: Shelf<Away>,
    pub(super) codes: Shelf<Grant>,
    pub(super) devices: Shelf<Device>,
    pub(super) typing: Shelf<Typing>,
}

/// SHA-256 of an unguessable name. Only this is kept: comparing it tells nothing about the name by
/// how long it takes, and a copy of the memory opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) fn of(name: &str) -> Self {
        let mut key = [0; 32];
        key.copy_from_slice(digest(&SHA256, name.as_bytes()).as_ref());
        Self(key)
    }

    /// A short public name, to tell one cookie from another.
    pub(super) fn tag(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.get(..6).unwrap_or_default())
    }
}

/// 256 random bits in base64url; nothing if the provider of randomness fails.
pub(super) fn unguessable() -> Option<String> {
    let mut random = [0; 32];
    rand::fill(&mut random).ok()?;
    Some(URL_SAFE_NO_PAD.encode(random))
}

/// Short-lived things behind unguessable names. When full, the oldest makes room.
pub(super) struct Shelf<T>(Vec<Item<T>>);

struct Item<T> {
    key: Key,
    expires_at: i64,
    thing: T,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Shelf<T> {
    pub(super) fn put(&mut self, thing: T, expires_at: i64, now: i64) -> Option<String> {
        let name = unguessable()?;
        self.0.retain(|item| now < item.expires_at);
        if self.0.len() >= MOST_IN_PROGRESS {
            self.0.remove(0);
        }
        self.0.push(Item { key: Key::of(&name), expires_at, thing });
        Some(name)
    }

    pub(super) fn get_mut(&mut self, key: Key, now: i64) -> Option<&mut T> {
        let item = self.0.iter_mut().find(|item| item.key == key)?;
        (now < item.expires_at).then_some(&mut item.thing)
    }

    /// The first thing of which `is` holds, with its key.
    pub(super) fn find_mut(&mut self, now: i64, is: impl Fn(&T) -> bool) -> Option<(Key, &mut T)> {
        let item = self.0.iter_mut().find(|item| now < item.expires_at && is(&item.thing))?;
        Some((item.key, &mut item.thing))
    }

    pub(super) fn take(&mut self, key: Key, now: i64) -> Option<T> {
        let at = self.0.iter().position(|item| item.key == key)?;
        let item = self.0.remove(at);
        (now < item.expires_at).then_some(item.thing)
    }

    /// Gives a thing another unguessable name; its life goes on as it was.
    pub(super) fn rename(&mut self, key: Key, now: i64) -> Option<(String, &mut T)> {
        let item = self.0.iter_mut().find(|item| item.key == key && now < item.expires_at)?;
        let name = unguessable()?;
        item.key = Key::of(&name);
        Some((name, &mut item.thing))
    }
}

/// How long a code may wait to be redeemed.
pub(super) const CODE_SECONDS: i64 = 5 * 60;

/// How long a sign-in may take, from the first page to the last.
pub(super) const SIGN_IN_SECONDS: i64 = 15 * 60;

const MOST_IN_PROGRESS: usize = 2048;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_taken_once_and_in_time() {
        let mut shelf = Shelf::default();
        let name = shelf.put("thing", 1300, 1000).unwrap();
        assert_eq!(shelf.take(Key::of("guess"), 1000), None);
        assert_eq!(shelf.get_mut(Key::of(&name), 1299).copied(), Some("thing"));
        assert_eq!(shelf.get_mut(Key::of(&name), 1300), None);
        assert_eq!(shelf.take(Key::of(&name), 1299), Some("thing"));
        assert_eq!(shelf.take(Key::of(&name), 1299), None);
        let late = shelf.put("late", 1300, 1000).unwrap();
        assert_eq!(shelf.take(Key::of(&late), 1300), None);
    }

    #[test]
    fn a_new_name_ends_the_old_one_and_lengthens_nothing() {
        let mut shelf = Shelf::default();
        let old = shelf.put("thing", 1300, 1000).unwrap();
        let (new, _) = shelf.rename(Key::of(&old), 1100).unwrap();
        assert_eq!(shelf.get_mut(Key::of(&old), 1100), None);
        assert!(shelf.get_mut(Key::of(&new), 1299).is_some());
        assert!(shelf.get_mut(Key::of(&new), 1300).is_none());
        assert!(shelf.rename(Key::of(&new), 1300).is_none());
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut shelf = Shelf::default();
        let names: Vec<String> =
            (0..=MOST_IN_PROGRESS).map(|n| shelf.put(n, 2000, 1000).unwrap()).collect();
        assert!(shelf.get_mut(Key::of(&names[0]), 1000).is_none());
        assert!(shelf.get_mut(Key::of(&names[1]), 1000).is_some());
    }
}
