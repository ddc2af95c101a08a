//! An identity token, looked at before it is sent anywhere.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use formats::certificate::{LeafIdentity, SubjectName};
use formats::json::{self, JsonError};
use formats::limits::MAX_TOKEN_BYTES;
use serde::Deserialize;
use thiserror::Error;
use zeroize::Zeroizing;

/// An identity token (a JWT, RFC 7519) that looks fit to be sent. Whether it is, only the authority
/// can say; what is checked here spares a token a journey to a service that is not its audience.
///
/// It has no `Display`, its `Debug` shows nothing, and its text is overwritten on drop.
pub struct IdentityToken {
    compact: Zeroizing<String>,
    claims: Claims,
}

/// Who a token says somebody is, as far as it can be told before a certificate says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The verified email address, the workflow of a CI job, or else the subject.
    pub identity: String,
    /// Who vouches for it: the issuer behind a broker where the broker names one.
    pub issuer: String,
    /// When the token ends, in Unix seconds.
    pub expires: i64,
}

/// What a token claims, unverified.
struct Claims {
    /// Issuers that a certificate for this token may name: the token's own, and the one behind it
    /// where the token's is a broker (dex calls that one `connector_id`).
    issuers: Vec<String>,
    /// The verified email address, else the subject: what the authority has the key sign.
    proof: Proof,
    sub: String,
    /// The reusable workflow of a GitHub job, which its certificate names.
    job_workflow_ref: Option<String>,
    /// The pipeline's definition of a GitLab job, which its certificate names.
    ci_config_ref_uri: Option<String>,
    /// Unix seconds.
    expires: i64,
}

enum Proof {
    Email(String),
    Subject(String),
}

/// Why a token is not sent anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Neither the form of a token nor a file that can be read. What was given is not shown: it may
    /// be a token with a typing error.
    #[error(
        "the identity token is neither a token (three parts with dots) nor a readable file: {0}"
    )]
    NeitherTokenNorFile(io::ErrorKind),
    /// More bytes than a token has.
    #[error("the identity token is longer than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    /// Not three parts.
    #[error("the identity token has {0} parts between dots, not three")]
    Parts(usize),
    /// A part that is not base64url without padding (RFC 7515 section 2).
    #[error("part {0} of the identity token is not base64url")]
    NotBase64(usize),
    /// Claims that are not strict JSON, or of the wrong types.
    #[error("the identity token's claims do not parse: {0}")]
    Claims(JsonError),
    /// A claim that every token needs.
    #[error("the identity token has no {0}")]
    ClaimAbsent(&'static str),
    /// Made for another service.
    #[error("the identity token is for {}, not for {wanted:?}", audiences(found))]
    Audience {
        /// Whom it is for.
        found: Vec<String>,
        /// The client id of the instance.
        wanted: String,
    },
    /// Past its end.
    #[error("the identity token expired {seconds} s ago")]
    Expired {
        /// Seconds since then.
        seconds: i64,
    },
}

impl IdentityToken {
    /// Reads the token that `source` is or names: the token itself, `-` for standard input, or a
    /// file. Checks form, `audience` (the instance's client id), and expiry at `now` (Unix seconds).
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn read(source: Zeroizing<String>, audience: &str, now: i64) -> Result<Self, TokenError> {
        let compact = if looks_like_token(&source) {
            source
        } else if *source == "-" {
            read_all(io::stdin().lock())?
        } else {
            let file = File::open(&*source)
                .map_err(|error| TokenError::NeitherTokenNorFile(error.kind()))?;
            read_all(file)?
        };
        Self::parse(compact, audience, now)
    }

    /// As [`Self::read`], of the token itself.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn parse(compact: Zeroizing<String>, audience: &str, now: i64) -> Result<Self, TokenError> {
        if compact.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let compact = Zeroizing::new(compact.trim_ascii().to_owned());
        let parts: Vec<&str> = compact.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err(TokenError::Parts(parts.len()));
        };
        decode(1, header)?;
        decode(3, signature)?;
        let claims = Claims::parse(&decode(2, payload)?, audience)?;
        let token = Self { compact, claims };
        token.check_expiry(now)?;
        Ok(token)
    }

    /// Checks again that the token has not expired, at `now` (Unix seconds).
    ///
    /// # Errors
    /// [`TokenError::Expired`].
    pub fn check_expiry(&self, now: i64) -> Result<(), TokenError> {
        let seconds = now.saturating_sub(self.claims.expires);
        if seconds >= 0 { Err(TokenError::Expired { seconds }) } else { Ok(()) }
    }

    /// The token, for the authority's `Authorization` header and nothing else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.compact
    }

    /// The text that the key signs to prove that it belongs with the token: the verified email
    /// address, else the subject, as Fulcio has it.
    #[must_use]
    pub fn proof_subject(&self) -> &str {
        match &self.claims.proof {
            Proof::Email(text) | Proof::Subject(text) => text,
        }
    }

    /// Who it says somebody is.
    #[must_use]
    pub fn claimed(&self) -> Claimed {
        let Claims { issuers, proof, job_workflow_ref, ci_config_ref_uri, expires, .. } =
            &self.claims;
        let identity = match proof {
            Proof::Email(email) => email,
            Proof::Subject(sub) => {
                job_workflow_ref.as_ref().or(ci_config_ref_uri.as_ref()).unwrap_or(sub)
            }
        };
        Claimed {
            identity: identity.clone(),
            issuer: issuers.last().cloned().unwrap_or_default(),
            expires: *expires,
        }
    }

    /// Whether a certificate for this token can name this identity. What only the authority's
    /// template decides counts as possible; the certificate itself is compared later.
    #[must_use]
    pub fn may_name(&self, identity: &str) -> bool {
        let claims = &self.claims;
        let ends_with = |reference: &String| identity.ends_with(&format!("/{reference}"));
        match &claims.proof {
            Proof::Email(email) => email == identity,
            Proof::Subject(_) => {
                claims.job_workflow_ref.as_ref().is_none_or(ends_with)
                    && claims.ci_config_ref_uri.as_ref().is_none_or(ends_with)
            }
        }
    }

    /// Whether a certificate for this token can name this issuer.
    #[must_use]
    pub fn may_name_issuer(&self, issuer: &str) -> bool {
        self.claims.issuers.iter().any(|possible| possible == issuer)
    }

    /// Whether a certificate with this identity can have been given for this token.
    #[must_use]
    pub fn may_become(&self, identity: &LeafIdentity) -> bool {
        let claims = &self.claims;
        let subject = match (&claims.proof, &identity.subject) {
            (Proof::Email(wanted), SubjectName::Email(found)) => wanted == found,
            (Proof::Email(_), SubjectName::Uri(_) | SubjectName::OtherName(_))
            | (Proof::Subject(_), SubjectName::Email(_)) => false,
            // Of a CI's token the authority makes a URI by its own template.
            (Proof::Subject(_), SubjectName::Uri(uri)) => claims
                .job_workflow_ref
                .as_ref()
                .is_none_or(|workflow| uri.ends_with(&format!("/{workflow}"))),
            (Proof::Subject(_), SubjectName::OtherName(_)) => true,
        };
        let stated = identity.extensions.token_subject.as_ref();
        subject
            && claims.issuers.contains(&identity.issuer)
            && stated.is_none_or(|stated| *stated == claims.sub)
    }
}

impl Claims {
    fn parse(payload: &[u8], wanted: &str) -> Result<Self, TokenError> {
        let wire: WireClaims = json::from_slice(payload).map_err(TokenError::Claims)?;
        let audience = match wire.aud.ok_or(TokenError::ClaimAbsent("aud"))? {
            WireAudience::One(audience) => vec![audience],
            WireAudience::Many(audiences) => audiences,
        };
        if !audience.iter().any(|audience| audience == wanted) {
            return Err(TokenError::Audience { found: audience, wanted: wanted.to_owned() });
        }
        let iss = wire.iss.ok_or(TokenError::ClaimAbsent("iss"))?;
        let sub = wire.sub.ok_or(TokenError::ClaimAbsent("sub"))?;
        let exp = wire.exp.ok_or(TokenError::ClaimAbsent("exp"))?;
        let verified = matches!(&wire.email_verified, Some(WireFlag::Bool(true)))
            || matches!(&wire.email_verified, Some(WireFlag::Text(text)) if text == "true");
        let proof = match wire.email {
            Some(email) if verified => Proof::Email(email),
            Some(_) | None => Proof::Subject(sub.clone()),
        };
        let broker = wire.federated_claims.and_then(|federated| federated.connector_id);
        Ok(Self {
            issuers: [Some(iss), broker].into_iter().flatten().collect(),
            proof,
            sub,
            job_workflow_ref: wire.job_workflow_ref,
            ci_config_ref_uri: wire.ci_config_ref_uri,
            // NumericDate may have a fraction (RFC 7519 section 2).
            expires: exp.floor() as i64,
        })
    }
}

impl fmt::Debug for IdentityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityToken(redacted)")
    }
}

#[derive(Deserialize)]
struct WireClaims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<WireAudience>,
    exp: Option<f64>,
    email: Option<String>,
    email_verified: Option<WireFlag>,
    federated_claims: Option<WireFederated>,
    job_workflow_ref: Option<String>,
    ci_config_ref_uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WireAudience {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WireFlag {
    Bool(bool),
    Text(String),
}

#[derive(Deserialize)]
struct WireFederated {
    connector_id: Option<String>,
}

/// Three parts, the first of which decodes to JSON: a path that passes for one is hard to make.
fn looks_like_token(source: &str) -> bool {
    let source = source.trim_ascii();
    let first = source.split('.').next().unwrap_or_default();
    source.split('.').count() == 3
        && BASE64_URL_SAFE_NO_PAD.decode(first).is_ok_and(|header| header.starts_with(b"{"))
}

fn read_all(reader: impl Read) -> Result<Zeroizing<String>, TokenError> {
    // Room for all of it from the start, so that growing leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_TOKEN_BYTES + 2));
    reader
        .take(MAX_TOKEN_BYTES as u64 + 1)
        .read_to_string(&mut text)
        .map_err(|error| TokenError::NeitherTokenNorFile(error.kind()))?;
    Ok(text)
}

fn decode(number: usize, part: &str) -> Result<Zeroizing<Vec<u8>>, TokenError> {
    BASE64_URL_SAFE_NO_PAD
        .decode(part)
        .map(Zeroizing::new)
        .map_err(|_| TokenError::NotBase64(number))
}

fn audiences(found: &[String]) -> String {
    let shown: Vec<_> = found.iter().map(|audience| fetch::shown::shown(audience)).collect();
    if shown.is_empty() { "nobody".to_owned() } else { shown.join(", ") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use formats::certificate::FulcioExtensions;

    const NOW: i64 = 1_800_000_000;

    fn token(claims: &str) -> String {
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", encode("{\"alg\":\"RS256\"}"), encode(claims), encode("signature"))
    }

    fn read(text: &str) -> Result<IdentityToken, TokenError> {
        IdentityToken::read(Zeroizing::new(text.to_owned()), "sigstore", NOW)
    }

    fn claims(extra: &str) -> String {
        format!(
            "{{\"iss\":\"https://issuer.example\",\"sub\":\"u-1\",\"aud\":\"sigstore\",\
             \"exp\":1800000001{extra}}}"
        )
    }

    fn identity(subject: SubjectName, issuer: &str) -> LeafIdentity {
        LeafIdentity { subject, issuer: issuer.into(), extensions: FulcioExtensions::default() }
    }

    #[test]
    fn takes_a_token_or_a_file() {
        let text = token(&claims(""));
        assert_eq!(read(&text).unwrap().reveal(), text);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, format!("{text}\n")).unwrap();
        assert_eq!(read(path.to_str().unwrap()).unwrap().reveal(), text);
        let error = read("nothing-here").unwrap_err();
        assert_eq!(error, TokenError::NeitherTokenNorFile(io::ErrorKind::NotFound));
        assert!(!error.to_string().contains("nothing-here"));
    }

    #[test]
    fn proves_the_verified_address_else_the_subject() {
        for (extra, subject) in [
            ("", "u-1"),
            (",\"email\":\"a@x.io\"", "u-1"),
            (",\"email\":\"a@x.io\",\"email_verified\":false", "u-1"),
            (",\"email\":\"a@x.io\",\"email_verified\":\"yes\"", "u-1"),
            (",\"email\":\"a@x.io\",\"email_verified\":true", "a@x.io"),
            (",\"email\":\"a@x.io\",\"email_verified\":\"true\"", "a@x.io"),
            (",\"email_verified\":true", "u-1"),
        ] {
            assert_eq!(read(&token(&claims(extra))).unwrap().proof_subject(), subject, "{extra}");
        }
    }

    #[test]
    fn refuses_what_no_authority_would_take() {
        let whole = token(&claims(""));
        let (head, _) = whole.rsplit_once('.').unwrap();
        assert_eq!(parse(head), TokenError::Parts(2));
        assert_eq!(parse(&format!("{whole}.x")), TokenError::Parts(4));
        assert_eq!(parse(&format!("{whole}=")), TokenError::NotBase64(3));
        assert_eq!(parse(&format!("{head}.a+b/")), TokenError::NotBase64(3));
        assert_eq!(parse(&"x".repeat(MAX_TOKEN_BYTES + 1)), TokenError::TooLong);
        let twice = claims(",\"sub\":\"u-2\"");
        assert!(matches!(parse(&token(&twice)), TokenError::Claims(_)));
        for absent in ["iss", "sub", "aud", "exp"] {
            let without = claims("").replace(&format!("\"{absent}\""), "\"other\"");
            assert_eq!(parse(&token(&without)), TokenError::ClaimAbsent(absent));
        }
    }

    fn parse(text: &str) -> TokenError {
        IdentityToken::parse(Zeroizing::new(text.to_owned()), "sigstore", NOW).unwrap_err()
    }

    #[test]
    fn token_of_another_audience_is_not_sent() {
        let wanted = "\"aud\":\"sigstore\"";
        for (aud, found) in [
            ("\"aud\":\"other\"", vec!["other"]),
            ("\"aud\":[\"a\",\"b\"]", vec!["a", "b"]),
            ("\"aud\":[]", vec![]),
            ("\"aud\":\"sigstore.example\"", vec!["sigstore.example"]),
        ] {
            let found = found.into_iter().map(str::to_owned).collect();
            assert_eq!(
                parse(&token(&claims("").replace(wanted, aud))),
                TokenError::Audience { found, wanted: "sigstore".into() }
            );
        }
        let many = claims("").replace(wanted, "\"aud\":[\"other\",\"sigstore\"]");
        assert!(read(&token(&many)).is_ok());
    }

    #[test]
    fn expired_is_said_with_how_long() {
        let at = |exp: &str| claims("").replace("1800000001", exp);
        assert_eq!(parse(&token(&at("1800000000"))), TokenError::Expired { seconds: 0 });
        assert_eq!(parse(&token(&at("1799999960"))), TokenError::Expired { seconds: 40 });
        assert!(read(&token(&at("1800000001.5"))).is_ok());
        assert!(matches!(parse(&token(&at("-1e300"))), TokenError::Expired { .. }));
    }

    #[test]
    fn a_certificate_must_be_for_the_tokens_identity() {
        let alice = read(&token(&claims(",\"email\":\"a@x.io\",\"email_verified\":true"))).unwrap();
        let email = |text: &str| SubjectName::Email(text.into());
        let issuer = "https://issuer.example";
        assert!(alice.may_become(&identity(email("a@x.io"), issuer)));
        assert!(!alice.may_become(&identity(email("b@x.io"), issuer)));
        assert!(!alice.may_become(&identity(email("a@x.io"), "https://other.example")));
        assert!(!alice.may_become(&identity(SubjectName::Uri("a@x.io".into()), issuer)));

        let job = read(&token(&claims(",\"job_workflow_ref\":\"o/r/.github/w.yml@refs/heads/m\"")));
        let job = job.unwrap();
        let uri = |text: &str| SubjectName::Uri(text.into());
        let right = uri("https://github.com/o/r/.github/w.yml@refs/heads/m");
        assert!(job.may_become(&identity(right.clone(), issuer)));
        let other = uri("https://github.com/o/x/.github/w.yml@refs/heads/m");
        assert!(!job.may_become(&identity(other, issuer)));
        assert!(!job.may_become(&identity(email("u-1"), issuer)));
        let mut stated = identity(right, issuer);
        stated.extensions.token_subject = Some("u-2".into());
        assert!(!job.may_become(&stated));
    }

    #[test]
    fn a_broker_may_name_the_issuer_behind_it() {
        let extra = ",\"email\":\"a@x.io\",\"email_verified\":true,\
                     \"federated_claims\":{\"connector_id\":\"https://behind.example\"}";
        let token = read(&token(&claims(extra))).unwrap();
        let email = SubjectName::Email("a@x.io".into());
        assert!(token.may_become(&identity(email, "https://behind.example")));
    }

    #[test]
    fn says_who_it_may_become() {
        let alice = read(&token(&claims(",\"email\":\"a@x.io\",\"email_verified\":true"))).unwrap();
        assert_eq!(alice.claimed().identity, "a@x.io");
        assert_eq!(alice.claimed().issuer, "https://issuer.example");
        assert_eq!(alice.claimed().expires, 1_800_000_001);
        assert!(alice.may_name("a@x.io"));
        assert!(!alice.may_name("A@x.io"));
        assert!(alice.may_name_issuer("https://issuer.example"));
        assert!(!alice.may_name_issuer("https://issuer.example/"));

        let job =
            read(&token(&claims(",\"ci_config_ref_uri\":\"gl.io/g/p//.c.yml@refs/heads/m\"")));
        let job = job.unwrap();
        assert_eq!(job.claimed().identity, "gl.io/g/p//.c.yml@refs/heads/m");
        assert!(job.may_name("https://gl.io/g/p//.c.yml@refs/heads/m"));
        assert!(!job.may_name("https://gl.io/g/q//.c.yml@refs/heads/m"));
        // Which URI an authority makes of another subject only the authority knows.
        assert!(read(&token(&claims(""))).unwrap().may_name("https://any.example/x"));
    }

    #[test]
    fn shows_nothing_of_itself() {
        let token = read(&token(&claims(""))).unwrap();
        assert_eq!(format!("{token:?}"), "IdentityToken(redacted)");
    }
}
