//! The cookie that ties a sign-in to the browser that began it.
//!
//! Each sign-in has a cookie of its own, so that two terminals can sign in at once, and a new one
//! once the provider has said who it is: a cookie that somebody planted before is worth nothing
//! then.

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use super::grants::{Key, SIGN_IN_SECONDS};

/// How cookies are named and guarded here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookies {
    /// Over https: `__Host-`, so that no other host and no plain connection can plant one.
    Secure,
    /// Over plain http on loopback, where no browser takes the above.
    Loopback,
}

impl Cookies {
    /// True if the browser holds the cookie of the sign-in `key`.
    pub(super) fn hold(self, headers: &HeaderMap, key: Key, browser: Key) -> bool {
        let name = self.name(key);
        pairs(headers).any(|(given, value)| given == name && Key::of(value) == browser)
    }

    /// Gives the browser the cookie of the sign-in `key`.
    pub(super) fn give(self, response: &mut Response, key: Key, value: &str) {
        self.set(response, &self.name(key), value, SIGN_IN_SECONDS);
    }

    /// Takes the cookie of the sign-in `key` back.
    pub(super) fn end(self, response: &mut Response, key: Key) {
        self.set(response, &self.name(key), "", 0);
    }

    /// Takes back every cookie of ours when there are too many: a page elsewhere that begins
    /// sign-ins in the background must not make the browser's requests too large to read.
    pub(super) fn end_if_crowded(self, response: &mut Response, headers: &HeaderMap) {
        let ours: Vec<&str> = pairs(headers)
            .map(|(name, _)| name)
            .filter(|name| name.starts_with(self.prefix()))
            .collect();
        if ours.len() >= MOST_COOKIES {
            for name in ours {
                self.set(response, name, "", 0);
            }
        }
    }

    fn set(self, response: &mut Response, name: &str, value: &str, seconds: i64) {
        let secure = match self {
            Self::Secure => "; Secure",
            Self::Loopback => "",
        };
        // Lax, because the provider sends the browser back from another site.
        let cookie =
            format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }

    fn name(self, key: Key) -> String {
        format!("{}{}", self.prefix(), key.tag())
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Secure => "__Host-sign-in-",
            Self::Loopback => "sign-in-",
        }
    }
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(COOKIE)
        .into_iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

const MOST_COOKIES: usize = 8;
