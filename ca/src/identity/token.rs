//! A token as bytes, and its compact form taken apart before anything in it is believed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use formats::json::{self, JsonError};
use formats::limits::MAX_TOKEN_BYTES;
use serde_json::{Map, Value};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::claims::Claims;
use super::config::Alg;
use super::kind::IssuerKind;
use super::refusal::{JsonFault, Segment, TokenRefusal};

/// An identity token: a bearer secret. It cannot be printed, and is wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Token(Vec<u8>);

impl Token {
    /// Takes the bytes of a token, of which at most 16 KiB are accepted.
    ///
    /// # Errors
    /// [`TokenRefusal::TooLarge`]; the bytes are wiped then too.
    pub fn new(bytes: Vec<u8>) -> Result<Self, TokenRefusal> {
        let token = Self(bytes);
        if token.0.len() > MAX_TOKEN_BYTES {
            return Err(TokenRefusal::TooLarge { bytes: token.0.len(), limit: MAX_TOKEN_BYTES });
        }
        Ok(token)
    }

    /// Copies the bytes of a token. The caller's copy stays the caller's to wipe.
    ///
    /// # Errors
    /// [`TokenRefusal::TooLarge`], before anything is copied.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TokenRefusal> {
        if bytes.len() > MAX_TOKEN_BYTES {
            return Err(TokenRefusal::TooLarge { bytes: bytes.len(), limit: MAX_TOKEN_BYTES });
        }
        Ok(Self(bytes.to_vec()))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token([redacted])")
    }
}

/// A compact JWS (RFC 7515 3.1) whose form is right and whose signature is not checked yet.
pub(super) struct Unverified<'t> {
    /// The first two segments with their dot: the bytes that were signed.
    pub(super) signing_input: &'t [u8],
    /// The third segment, canonical base64url.
    pub(super) signature: Vec<u8>,
    pub(super) header: Header,
    claims: Claims,
}

impl<'t> Unverified<'t> {
    /// Takes a token apart. The number of dots is counted before anything is split, so that a
    /// token of dots costs one pass over at most 16 KiB.
    pub(super) fn parse(token: &'t Token) -> Result<Self, TokenRefusal> {
        let bytes = token.0.as_slice();
        let mut dots = bytes.iter().enumerate().filter(|(_, b)| **b == b'.').map(|(at, _)| at);
        let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
            return Err(TokenRefusal::NotThreeSegments);
        };
        let (Some(header), Some(claims), Some(signature), Some(signing_input)) = (
            bytes.get(..first),
            bytes.get(first + 1..second),
            bytes.get(second + 1..),
            bytes.get(..second),
        ) else {
            return Err(TokenRefusal::NotThreeSegments);
        };
        Ok(Self {
            signing_input,
            signature: decode(Segment::Signature, signature)?,
            header: Header::parse(object(Segment::Header, header)?)?,
            claims: Claims::new(object(Segment::Claims, claims)?),
        })
    }

    /// The claims, for the signature check to hand on, and to choose by `iss` and `aud` whose keys
    /// to try. Nobody else may read them.
    pub(super) fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// What is read of a JOSE header. `jwk`, `jku`, `x5u` and `x5c` are not: a token does not bring
/// its own key.
pub(super) struct Header {
    pub(super) algorithm: Alg,
    pub(super) key_id: Option<String>,
    kind: TokenKind,
}

/// What `typ` says a token is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TokenKind {
    /// JWT, or nothing.
    Jwt,
    /// JOSE, which a JWT-SVID may say.
    Jose,
}

impl Header {
    /// Refuses `typ` JOSE, but for the issuers whose tokens may say it.
    pub(super) fn check_kind(&self, issuer: &IssuerKind) -> Result<(), TokenRefusal> {
        if self.kind == TokenKind::Jwt || issuer.takes_jose() {
            return Ok(());
        }
        Err(TokenRefusal::TypeNotJwt)
    }

    fn parse(members: Map<String, Value>) -> Result<Self, TokenRefusal> {
        if members.contains_key("crit") {
            return Err(TokenRefusal::CriticalHeader);
        }
        let kind = match members.get("typ") {
            None => TokenKind::Jwt,
            Some(Value::String(typ)) if typ == "JWT" || typ == "jwt" => TokenKind::Jwt,
            Some(Value::String(typ)) if typ == "JOSE" => TokenKind::Jose,
            Some(_) => return Err(TokenRefusal::TypeNotJwt),
        };
        let algorithm = members
            .get("alg")
            .and_then(Value::as_str)
            .and_then(Alg::from_name)
            .ok_or(TokenRefusal::AlgorithmUnknown)?;
        let key_id = match members.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(TokenRefusal::KeyIdNotText),
        };
        Ok(Self { algorithm, key_id, kind })
    }
}

fn object(segment: Segment, text: &[u8]) -> Result<Map<String, Value>, TokenRefusal> {
    let bytes = decode(segment, text)?;
    json::from_slice(&bytes)
        .map_err(|error| TokenRefusal::Json { segment, fault: json_fault(&error) })
}

/// The strict alphabet, no padding, and no spare bits set in the last character: one text per
/// byte string, so that what was signed is what is read.
fn decode(segment: Segment, text: &[u8]) -> Result<Vec<u8>, TokenRefusal> {
    match URL_SAFE_NO_PAD.decode(text) {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        Ok(_) | Err(_) => Err(TokenRefusal::Encoding { segment }),
    }
}

fn json_fault(error: &JsonError) -> JsonFault {
    match error {
        JsonError::NotUtf8 | JsonError::ByteOrderMark => JsonFault::NotUtf8,
        JsonError::DuplicateMember { .. } => JsonFault::DuplicateMember,
        JsonError::TooDeep | JsonError::TooLarge { .. } => JsonFault::TooDeep,
        JsonError::Syntax { .. } => JsonFault::Syntax,
        JsonError::Schema { .. } => JsonFault::NotObject,
    }
}
