//! What can go wrong between a client and a service, one variant per cause.

use std::error::Error as _;
use std::fmt;

use reqwest::Response;
use reqwest::header::{LOCATION, RETRY_AFTER};
use serde::Deserialize;
use thiserror::Error;

use super::Request;
use crate::shown::{shown, shown_at_most};

/// The services that are talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Gives a certificate for a token.
    CertificateAuthority,
    /// Says when a signature existed.
    TimestampAuthority,
    /// Records signatures.
    TransparencyLog,
    /// Serves its own trust root and signing configuration.
    Instance,
    /// Signs people in (OpenID Connect).
    IdentityProvider,
    /// Gives a pipeline or a machine its own identity token.
    TokenService,
    /// Serves what a pinned root vouches for.
    TrustRepository,
}

/// Why a service gave no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HttpError {
    /// No connection: refused, no such host, no route, a TLS failure.
    #[error("cannot reach the {service} at {url}: {reason}")]
    Unreachable {
        /// Who was asked.
        service: Service,
        /// Where.
        url: String,
        /// The innermost cause.
        reason: String,
    },
    /// The connection was made and then broke.
    #[error("the {service} at {url} broke off: {reason}")]
    BrokeOff {
        /// Who was asked.
        service: Service,
        /// Where.
        url: String,
        /// The innermost cause.
        reason: String,
    },
    /// No answer within the limit.
    #[error("the {service} at {url} did not answer within {seconds} s")]
    TimedOut {
        /// Who was asked.
        service: Service,
        /// Where.
        url: String,
        /// The limit.
        seconds: u64,
    },
    /// An answer that is neither success nor redirect.
    #[error("the {service} at {url} answered {status}{}", explained(message))]
    Refused {
        /// Who was asked.
        service: Service,
        /// Where.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the service said, raw; shown escaped.
        message: Option<String>,
        /// Seconds of `Retry-After`, when it gave them.
        retry_after: Option<u64>,
    },
    /// A redirect, which is never followed.
    #[error(
        "the {service} at {url} sends elsewhere ({status}{}); redirects are not followed",
        explained(target)
    )]
    Redirected {
        /// Who was asked.
        service: Service,
        /// Where.
        url: String,
        /// The HTTP status.
        status: u16,
        /// Where it points, raw; shown escaped.
        target: Option<String>,
    },
    /// More bytes than such an answer can have.
    #[error("the {service} at {url} answered with more than {cap} bytes")]
    TooLarge {
        /// Who was asked.
        service: Service,
        /// Where.
        url: String,
        /// The cap in bytes.
        cap: usize,
    },
    /// A token would go over the network in clear.
    #[error(
        "the {service} at {url} is neither https nor on this machine, so no token is sent there"
    )]
    SecretInClear {
        /// Who was to be asked.
        service: Service,
        /// Where.
        url: String,
    },
    /// A token with characters that no header can carry.
    #[error("the identity token for the {service} has characters that a token cannot have")]
    TokenNotHeaderText {
        /// Who was to be asked.
        service: Service,
    },
}

impl HttpError {
    /// What an answer of [`super::Http::exchange`] says when its status is not success.
    #[must_use]
    pub fn of_answer(service: Service, url: String, answer: &http::Response<Vec<u8>>) -> Self {
        let status = answer.status().as_u16();
        Self::Refused { service, url, status, message: message(answer.body()), retry_after: None }
    }

    pub(super) fn from_transport(request: &Request<'_>, error: &reqwest::Error) -> Self {
        let service = request.service;
        let url = request.endpoint.to_string();
        // A connection that takes too long is a service that cannot be reached: it saw nothing.
        if error.is_connect() || error.is_builder() {
            return Self::Unreachable { service, url, reason: innermost(error) };
        }
        if error.is_timeout() {
            return Self::TimedOut { service, url, seconds: request.limit.as_secs() };
        }
        Self::BrokeOff { service, url, reason: innermost(error) }
    }

    pub(super) fn redirected(request: &Request<'_>, answer: &Response) -> Self {
        let target = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        Self::Redirected {
            service: request.service,
            url: request.endpoint.to_string(),
            status: answer.status().as_u16(),
            target: target.map(str::to_owned),
        }
    }

    pub(super) async fn refused(request: &Request<'_>, mut answer: Response) -> Self {
        let status = answer.status().as_u16();
        let retry_after = answer
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.trim().parse().ok());
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = answer.chunk().await {
            if body.len() + chunk.len() > MESSAGE_CAP {
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Self::Refused {
            service: request.service,
            url: request.endpoint.to_string(),
            status,
            message: message(&body),
            retry_after,
        }
    }

    /// The service that is to blame.
    #[must_use]
    pub fn service(&self) -> Service {
        match self {
            Self::Unreachable { service, .. }
            | Self::BrokeOff { service, .. }
            | Self::TimedOut { service, .. }
            | Self::Refused { service, .. }
            | Self::Redirected { service, .. }
            | Self::TooLarge { service, .. }
            | Self::SecretInClear { service, .. }
            | Self::TokenNotHeaderText { service } => *service,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CertificateAuthority => "certificate authority",
            Self::TimestampAuthority => "timestamp authority",
            Self::TransparencyLog => "transparency log",
            Self::Instance => "instance",
            Self::IdentityProvider => "identity provider",
            Self::TokenService => "token service",
            Self::TrustRepository => "trust repository",
        })
    }
}

/// The `message` of the JSON body that Fulcio, Rekor, the TSA and our own server answer with, or
/// the first line of a text.
fn message(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Fault {
        message: String,
    }
    if let Ok(fault) = formats::json::from_slice::<Fault>(body) {
        return Some(fault.message);
    }
    let text = std::str::from_utf8(body).ok()?;
    let line = text.lines().next().map(str::trim).filter(|line| !line.is_empty())?;
    // An HTML page of some proxy says nothing in its first line.
    (!line.starts_with(['<', '{'])).then(|| line.to_owned())
}

fn explained(text: &Option<String>) -> String {
    text.as_ref().map_or_else(String::new, |text| format!(": {}", shown_at_most(text, SHOWN_CAP)))
}

/// The innermost source says "Connection refused"; the outer ones only that sending failed.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    let mut text = error.to_string();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    shown(&text)
}

/// Bytes of an error body that are read.
const MESSAGE_CAP: usize = 64 * 1024;
/// Characters of a message that are shown.
const SHOWN_CAP: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_message() {
        for (body, said) in [
            (
                &b"{\"code\":3,\"message\":\"token expired\",\"details\":[]}"[..],
                Some("token expired"),
            ),
            (b"plain words\nmore", Some("plain words")),
            (b"<html>", None),
            (b"{\"code\":3}", None),
            (b"", None),
            (b"\xff", None),
        ] {
            assert_eq!(message(body).as_deref(), said);
        }
    }

    #[test]
    fn shows_a_servers_words_escaped() {
        let error = HttpError::Refused {
            service: Service::CertificateAuthority,
            url: "http://localhost/".into(),
            status: 400,
            message: Some("bad\u{1b}[2J".into()),
            retry_after: None,
        };
        assert_eq!(
            error.to_string(),
            "the certificate authority at http://localhost/ answered 400: bad\\u{1b}[2J"
        );
    }
}
