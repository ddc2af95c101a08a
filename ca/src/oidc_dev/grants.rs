//! Sign-ins in progress: requests waiting for an address, and codes waiting to be redeemed.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a client asked for, checked. A code stays bound to all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    /// SHA-256 of the verifier in base64url (RFC 7636 4.2).
    pub(super) challenge: String,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
}

/// A request that someone has answered with an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) request: Request,
    pub(super) email: String,
}

#[derive(Default)]
pub(super) struct Grants {
    waiting: Shelf<Request>,
    codes: Shelf<Grant>,
}

impl Grants {
    /// Keeps a request while its page is open, and gives the page's session.
    pub(super) fn wait(&mut self, request: Request, now: i64) -> Option<String> {
        self.waiting.put(request, now.saturating_add(PAGE_SECONDS), now)
    }

    pub(super) fn waiting(&self, session: &str, now: i64) -> Option<&Request> {
        self.waiting.get(session, now)
    }

    /// Ends a page's session and gives a code for the address.
    pub(super) fn grant(
        &mut self,
        session: &str,
        email: &str,
        now: i64,
    ) -> Option<(String, Request)> {
        let request = self.waiting.take(session, now)?;
        let grant = Grant { request: request.clone(), email: email.to_owned() };
        let code = self.codes.put(grant, now.saturating_add(CODE_SECONDS), now)?;
        Some((code, request))
    }

    /// Takes what a code stands for. It is spent now, whatever is found wrong next.
    pub(super) fn redeem(&mut self, code: &str, now: i64) -> Option<Grant> {
        self.codes.take(code, now)
    }
}

/// A few short-lived things behind unguessable names. When full, the oldest makes room.
struct Shelf<T>(Vec<Item<T>>);

struct Item<T> {
    name: String,
    expires_at: i64,
    thing: T,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Shelf<T> {
    fn put(&mut self, thing: T, expires_at: i64, now: i64) -> Option<String> {
        let mut random = [0; 32];
        rand::fill(&mut random).ok()?;
        let name = URL_SAFE_NO_PAD.encode(random);
        self.0.retain(|item| now < item.expires_at);
        if self.0.len() >= MOST_IN_PROGRESS {
            self.0.remove(0);
        }
        self.0.push(Item { name: name.clone(), expires_at, thing });
        Some(name)
    }

    fn get(&self, name: &str, now: i64) -> Option<&T> {
        let item = self.0.iter().find(|item| item.name == name)?;
        (now < item.expires_at).then_some(&item.thing)
    }

    fn take(&mut self, name: &str, now: i64) -> Option<T> {
        let at = self.0.iter().position(|item| item.name == name)?;
        let item = self.0.remove(at);
        (now < item.expires_at).then_some(item.thing)
    }
}

const CODE_SECONDS: i64 = 5 * 60;
const PAGE_SECONDS: i64 = 15 * 60;
const MOST_IN_PROGRESS: usize = 256;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            client_id: "sigstore".to_owned(),
            redirect_uri: "http://localhost:1/cb".to_owned(),
            challenge: "c".to_owned(),
            state: None,
            nonce: None,
        }
    }

    #[test]
    fn a_code_is_spent_once_and_lives_five_minutes() {
        let mut grants = Grants::default();
        let session = grants.wait(request(), 1000).unwrap();
        let (code, _) = grants.grant(&session, "a@b.c", 1000).unwrap();
        assert_eq!(grants.grant(&session, "a@b.c", 1000), None, "the session is spent too");
        assert_eq!(grants.redeem("other", 1000), None);
        assert_eq!(grants.redeem(&code, 1299).unwrap().email, "a@b.c");
        assert_eq!(grants.redeem(&code, 1299), None);

        let session = grants.wait(request(), 1000).unwrap();
        let (code, _) = grants.grant(&session, "a@b.c", 1000).unwrap();
        assert_eq!(grants.redeem(&code, 1300), None);
    }

    #[test]
    fn a_page_is_open_for_fifteen_minutes() {
        let mut grants = Grants::default();
        let session = grants.wait(request(), 1000).unwrap();
        assert!(grants.waiting(&session, 1899).is_some());
        assert!(grants.waiting(&session, 1900).is_none());
        assert_eq!(grants.grant(&session, "a@b.c", 1900), None);
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut grants = Grants::default();
        let first = grants.wait(request(), 1000).unwrap();
        let second = grants.wait(request(), 1000).unwrap();
        for _ in 0..MOST_IN_PROGRESS - 1 {
            grants.wait(request(), 1000).unwrap();
        }
        assert!(grants.waiting(&first, 1000).is_none());
        assert!(grants.waiting(&second, 1000).is_some());
    }
}
