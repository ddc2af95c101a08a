//! Person or pipeline in, identity token out.
//!
//! The order: the token that was given (`--identity-token`, then `SIGSTORE_ID_TOKEN`), the
//! pipeline's own, the one that `signer login` keeps, and at last the person, through a browser or,
//! where there is no display, through a code that is typed elsewhere. Nobody is asked anything
//! without a terminal.

pub mod ambient;
mod ask;
mod browser;
mod buildkite;
mod circleci;
pub mod command;
mod device;
pub mod environment;
mod expected;
mod file;
mod github;
mod gitlab;
mod google;
pub mod keyring;
pub mod loopback;
mod open;
pub mod person;
pub mod provider;
mod source;
#[cfg(unix)]
pub mod spiffe;
mod token;

use std::time::{SystemTime, UNIX_EPOCH};

use fetch::http::Http;
use fetch::shown::shown;
use fetch::trust::Trust;
use thiserror::Error;
use zeroize::Zeroizing;

use self::ambient::{AmbientError, Asked, Files, ambient};
use self::environment::Environment;
pub use self::expected::Expected;
use self::keyring::Place;
use self::person::{Person, Way};
use self::provider::{Provider, ProviderFault};
pub use self::source::Source;
pub use self::token::{Claimed, IdentityToken, TokenError};
use crate::cli::login::{AuthFlow, IdentityFlags};

/// Somebody with a token that may be sent.
#[derive(Debug)]
pub struct SignedIn {
    /// The token.
    pub token: IdentityToken,
    /// Where it came from.
    pub source: Source,
}

/// What a sign-in must know.
pub struct Order<'a> {
    /// The flags.
    pub flags: &'a mut IdentityFlags,
    /// The client.
    pub http: &'a Http,
    /// Who is at the terminal, with the run's variables.
    pub person: &'a Person<'a>,
    /// The instance's client id: the audience of its tokens.
    pub client_id: String,
    /// Where people sign in for the instance; none when nobody says.
    pub issuer: Option<String>,
}

/// Why nobody is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LoginError {
    /// No source has a token, and nobody may be asked for one.
    #[error("there is no identity token, and {0}")]
    NobodyToAsk(NobodyToAsk),
    /// The pipeline's own provider is there, and gives none.
    #[error(transparent)]
    Ambient(#[from] AmbientError),
    /// A token that is not fit to be sent.
    #[error("{}{fault}", from(.via))]
    Token {
        /// Where it came from.
        via: Source,
        /// What is wrong with it.
        fault: TokenError,
    },
    /// Nobody says where to sign in.
    #[error("there is no identity token, and nothing says where to sign in for one")]
    NoIssuer,
    /// The provider that people sign in with.
    #[error("{}: {fault}", shown(issuer))]
    Provider {
        /// Its issuer URL.
        issuer: String,
        /// What went wrong.
        fault: ProviderFault,
    },
    /// Somebody else than `--expect-identity` or `--expect-issuer` says.
    #[error(
        "this would sign as {} (vouched for by {}), not as {}",
        shown(identity),
        shown(issuer),
        shown(expected)
    )]
    SomebodyElse {
        /// Who it is.
        identity: String,
        /// Who vouches for them.
        issuer: String,
        /// Who, or whose, it should be.
        expected: String,
    },
}

/// Why nobody is asked to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NobodyToAsk {
    /// There is no terminal.
    #[error("nobody to ask for one: this is no terminal")]
    NoTerminal,
    /// A CI system says so.
    #[error("nobody to ask for one: CI is set")]
    Ci,
    /// The command does not ask.
    #[error("nobody is signed in")]
    NotSignedIn,
    /// `--fulcio-auth-flow token` says so.
    #[error("--fulcio-auth-flow token asks nobody for one")]
    TokenOnly,
}

/// Gets a token from the first source that has one, looks at it, and compares it with whom the flags
/// expect. Nothing has been sent to the instance yet when this ends.
///
/// # Errors
/// [`LoginError`].
pub async fn sign_in(order: Order<'_>) -> Result<SignedIn, LoginError> {
    let expected = Expected::of(order.flags);
    let signed_in = first_of_all(order).await?;
    expected.check(&signed_in.token)?;
    Ok(signed_in)
}

/// As [`sign_in`], but only with a token that is there: nobody is asked for one.
///
/// # Errors
/// [`LoginError`]; [`LoginError::NobodyToAsk`] where a person would be asked.
pub async fn already(mut order: Order<'_>) -> Result<SignedIn, LoginError> {
    let expected = Expected::of(order.flags);
    let issuer = order.issuer.clone();
    let signed_in = match given(&mut order).await? {
        Some(signed_in) => signed_in,
        None => stored(issuer.as_deref(), &order.client_id, order.person).ok_or_else(|| {
            let nobody = order.person.way(order.flags.fulcio_auth_flow).err();
            LoginError::NobodyToAsk(nobody.unwrap_or(NobodyToAsk::NotSignedIn))
        })?,
    };
    expected.check(&signed_in.token)?;
    Ok(signed_in)
}

async fn first_of_all(mut order: Order<'_>) -> Result<SignedIn, LoginError> {
    if let Some(signed_in) = given(&mut order).await? {
        return Ok(signed_in);
    }
    let flow = order.flags.fulcio_auth_flow;
    if !asks_a_person(order.flags)
        && let Some(signed_in) = stored(order.issuer.as_deref(), &order.client_id, order.person)
    {
        return Ok(signed_in);
    }
    let way = order.person.way(flow).map_err(LoginError::NobodyToAsk)?;
    ask_person(way, order).await
}

/// The token that was given, or that the surroundings have.
async fn given(order: &mut Order<'_>) -> Result<Option<SignedIn>, LoginError> {
    let Order { flags, http, person, client_id, .. } = order;
    let environment = person.environment;
    if let Some(given) = flags.identity_token.take() {
        return look_at(Source::Flag, Zeroizing::new(given), client_id).map(Some);
    }
    if asks_a_person(flags) || flags.oidc_disable_ambient_providers {
        return Ok(None);
    }
    let wanted = flags.oidc_provider.map(Source::from);
    if wanted.is_none_or(|wanted| wanted == Source::Variable)
        && let Some(given) = environment.get(VARIABLE)
    {
        return look_at(Source::Variable, Zeroizing::new(given), client_id).map(Some);
    }
    if wanted == Some(Source::Variable) {
        let not_here = AmbientError::NotHere { via: Source::Variable, missing: VARIABLE };
        return Err(not_here.into());
    }
    let files = Files::of_this_machine();
    let asked = Asked { http, environment, audience: client_id, files };
    match ambient(wanted, &asked).await? {
        None => Ok(None),
        Some((source, given)) => IdentityToken::parse(given, client_id, now())
            .map(|token| Some(SignedIn { token, source }))
            .map_err(|fault| LoginError::Token { via: source, fault }),
    }
}

/// The token that `signer login` keeps. One that has expired is said to have; a store that cannot be
/// asked has none.
fn stored(issuer: Option<&str>, client_id: &str, person: &Person<'_>) -> Option<SignedIn> {
    let kept = Place::of(issuer?, client_id).ok()?.find().ok()??;
    match IdentityToken::parse(kept, client_id, now()) {
        Ok(token) => Some(SignedIn { token, source: Source::Stored }),
        Err(fault) => {
            person.tell(&format!("The token that signer login keeps is passed over: {fault}\n"));
            None
        }
    }
}

/// As [`sign_in`], but a person is asked whatever tokens there are.
///
/// # Errors
/// [`LoginError`].
pub async fn ask_expected(way: Way, order: Order<'_>) -> Result<SignedIn, LoginError> {
    let expected = Expected::of(order.flags);
    let signed_in = ask_person(way, order).await?;
    expected.check(&signed_in.token)?;
    Ok(signed_in)
}

/// A person signs in.
///
/// # Errors
/// [`LoginError::NoIssuer`], [`LoginError::Provider`], [`LoginError::Token`].
async fn ask_person(way: Way, order: Order<'_>) -> Result<SignedIn, LoginError> {
    let Order { http, person, client_id, issuer, .. } = order;
    let issuer = issuer.ok_or(LoginError::NoIssuer)?;
    let signed_in = async {
        let provider = Provider::discover(http, &issuer, &client_id).await?;
        match way {
            Way::Browser => browser::sign_in(&provider, person).await,
            Way::Device => device::sign_in(&provider, person).await,
        }
    };
    let given = signed_in.await.map_err(|fault| LoginError::Provider { issuer, fault })?;
    let source = match way {
        Way::Browser => Source::Browser,
        Way::Device => Source::Device,
    };
    IdentityToken::parse(given, &client_id, now())
        .map(|token| SignedIn { token, source })
        .map_err(|fault| LoginError::Token { via: source, fault })
}

/// Whether a flow was named that asks a person, whatever tokens there are.
fn asks_a_person(flags: &IdentityFlags) -> bool {
    matches!(flags.fulcio_auth_flow, Some(AuthFlow::Normal | AuthFlow::Device))
}

/// Where people sign in: the flag's issuer, or the one that the instance's signing configuration
/// prefers.
#[must_use]
pub fn issuer(flags: &IdentityFlags, trust: Option<&Trust>) -> Option<String> {
    let preferred = trust.and_then(|trust| {
        trust.signing_config.select_oidc(now(), &[OIDC_MAJOR]).ok().map(|service| &service.url)
    });
    flags.oidc_issuer.as_ref().or(preferred).cloned()
}

/// The client id that tokens are made for: the flag's, the instance's own, or the usual one.
#[must_use]
pub fn client_id(flags: &IdentityFlags, trust: Option<&Trust>) -> String {
    let described = trust.and_then(|trust| trust.description.as_ref());
    let described = described.map(|description| &description.client_id);
    flags.oidc_client_id.as_ref().or(described).map_or(CLIENT_ID, |id| id).to_owned()
}

/// Whether the token is to be read from standard input.
pub(crate) fn reads_standard_input(flags: &IdentityFlags, environment: &Environment) -> bool {
    match &flags.identity_token {
        Some(given) => given == "-",
        None => environment.get(VARIABLE).is_some_and(|given| given == "-"),
    }
}

/// A token that may be a file's name.
fn look_at(
    source: Source,
    given: Zeroizing<String>,
    client_id: &str,
) -> Result<SignedIn, LoginError> {
    IdentityToken::read(given, client_id, now())
        .map(|token| SignedIn { token, source })
        .map_err(|fault| LoginError::Token { via: source, fault })
}

/// The flag and the variable need no explanation: the messages of their tokens say enough.
fn from(via: &Source) -> String {
    match via {
        Source::Flag | Source::Variable => String::new(),
        other => format!("{other}: "),
    }
}

/// Unix seconds; a clock before 1970 reads as 0.
pub(crate) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}

/// The audience that Sigstore's authorities expect, where an instance does not name another.
pub const CLIENT_ID: &str = "sigstore";

/// The version of sign-in that a signing configuration calls 1: OpenID Connect.
const OIDC_MAJOR: u32 = 1;
pub(crate) const VARIABLE: &str = "SIGSTORE_ID_TOKEN";
