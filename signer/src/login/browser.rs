//! A person signs in with a browser on this machine: authorization code with PKCE S256, state and
//! nonce (RFC 6749, 7636, 8252, 9207; OpenID Connect Core 3.1).

use std::collections::BTreeMap;
use std::time::Duration;

use openidconnect::core::CoreAuthenticationFlow;
use openidconnect::url::form_urlencoded;
use openidconnect::{
    AuthorizationCode, CsrfToken, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
};
use subtle::ConstantTimeEq as _;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::loopback::{Loopback, Page};
use super::open::{self, PageUrl};
use super::person::Person;
use super::provider::{Provider, ProviderFault, refused};

/// Signs a person in, and returns the verified identity token.
///
/// # Errors
/// [`ProviderFault`].
pub(super) async fn sign_in(
    provider: &Provider<'_>,
    person: &Person<'_>,
) -> Result<Zeroizing<String>, ProviderFault> {
    let mut loopback =
        Loopback::open().await.map_err(|error| ProviderFault::Listener(error.kind()))?;
    let redirect = RedirectUrl::new(loopback.redirect()).map_err(|_| ProviderFault::NotUrl)?;
    let client = provider.client().set_redirect_uri(redirect);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = client
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            // 256 bits each, where 128 would do.
            || CsrfToken::new_random_len(32),
            || Nonce::new_random_len(32),
        )
        .add_scope(Scope::new("email".to_owned()))
        .set_pkce_challenge(challenge)
        .url();
    let page = PageUrl::new(&url).ok_or_else(|| ProviderFault::Page(url.to_string()))?;
    let opened = open::open(&page, person.environment);
    person.tell(&told(&page, opened.is_ok()));

    let Ok(answer) = timeout(LIMIT, loopback.answer()).await else {
        return Err(ProviderFault::TooLate { minutes: LIMIT.as_secs() / 60 });
    };
    let outcome = async {
        let code = read(&answer.query, state.secret(), provider)?;
        let token = redeem(provider, client, code, verifier, &nonce).await?;
        Ok(token)
    }
    .await;
    answer.show(if outcome.is_ok() { Page::SignedIn } else { Page::Failed }).await;
    outcome
}

async fn redeem(
    provider: &Provider<'_>,
    client: super::provider::Client,
    code: AuthorizationCode,
    verifier: PkceCodeVerifier,
    nonce: &Nonce,
) -> Result<Zeroizing<String>, ProviderFault> {
    let send = provider.send();
    let answer = client
        .exchange_code(code)
        .map_err(|_| ProviderFault::Discovery("it has no token endpoint".into()))?
        .set_pkce_verifier(verifier)
        .request_async(&send)
        .await
        .map_err(refused)?;
    provider.identity_token(&answer, nonce)
}

/// The code in what the browser brought back. State comes first: what is not ours is not believed,
/// not even as an error.
fn read(
    query: &str,
    state: &str,
    provider: &Provider<'_>,
) -> Result<AuthorizationCode, ProviderFault> {
    let mut fields = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if fields.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(ProviderFault::NotOurs("a parameter is repeated"));
        }
    }
    let found = fields.remove("state").unwrap_or_default();
    if !bool::from(found.as_bytes().ct_eq(state.as_bytes())) {
        return Err(ProviderFault::NotOurs("its state is not the one that was sent"));
    }
    match fields.remove("iss") {
        Some(issuer) if issuer != provider.issuer => {
            return Err(ProviderFault::NotOurs("another issuer answered"));
        }
        None if provider.always_names_itself() => {
            return Err(ProviderFault::NotOurs("the issuer does not name itself"));
        }
        Some(_) | None => {}
    }
    if let Some(error) = fields.remove("error") {
        let why = fields.remove("error_description").map(|text| format!(": {text}"));
        return Err(ProviderFault::Refused(error + &why.unwrap_or_default()));
    }
    let code = fields.remove("code").ok_or(ProviderFault::NotOurs("it brings no code"))?;
    Ok(AuthorizationCode::new(code))
}

fn told(page: &PageUrl, opened: bool) -> String {
    if opened {
        format!("Sign in with the browser that opens now. If none does, go to:\n  {page}\n")
    } else {
        format!("No browser could be opened here. To sign in, go to:\n  {page}\n")
    }
}

const LIMIT: Duration = Duration::from_secs(5 * 60);
