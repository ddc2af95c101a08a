//! A person signs in with a browser elsewhere, by a code that is shown here (RFC 8628). The request
//! carries a PKCE challenge, as cosign's does, so that a code that was watched is of no use to
//! another program.

use std::time::Duration;

use openidconnect::core::CoreDeviceAuthorizationResponse;
use openidconnect::{Nonce, PkceCodeChallenge, Scope};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::open::PageUrl;
use super::person::Person;
use super::provider::{Provider, ProviderFault, refused};

/// Shows the code, and polls until somebody has typed it or it expires.
///
/// # Errors
/// [`ProviderFault`].
pub(super) async fn sign_in(
    provider: &Provider<'_>,
    person: &Person<'_>,
) -> Result<Zeroizing<String>, ProviderFault> {
    let client = provider.client().set_device_authorization_url(provider.device_endpoint()?);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let send = provider.send();
    let details: CoreDeviceAuthorizationResponse = client
        .exchange_device_code()
        .add_scope(Scope::new("email".to_owned()))
        .add_extra_param("code_challenge", challenge.as_str().to_owned())
        .add_extra_param("code_challenge_method", challenge.method().as_str().to_owned())
        .request_async(&send)
        .await
        .map_err(refused)?;
    let page = details.verification_uri().url();
    let page = PageUrl::new(page).ok_or_else(|| ProviderFault::Page(page.to_string()))?;
    // The link that has the code in it is not shown: whoever is sent one by a stranger should be
    // surprised, and who signs in here has a code to type.
    person.tell(&format!(
        "To sign in, open this page in any browser:\n  {page}\nand type this code:\n  {}\n",
        fetch::shown::shown_at_most(details.user_code().secret(), MAX_CODE)
    ));
    let polls = client
        .exchange_device_access_token(&details)
        .map_err(|_| ProviderFault::Discovery("it has no token endpoint".into()))?
        .add_extra_param("code_verifier", verifier.secret().clone())
        .request_async(&send, tokio::time::sleep, None);
    // The provider says for how long, and how often to ask; not every one should be believed.
    let Ok(answer) = timeout(LIMIT, polls).await else {
        return Err(ProviderFault::TooLate { minutes: LIMIT.as_secs() / 60 });
    };
    let answer = answer.map_err(refused)?;
    // No browser on this machine took part, so that there is no nonce to compare.
    provider.identity_token(&answer, |_: Option<&Nonce>| Ok(()))
}

const LIMIT: Duration = Duration::from_secs(15 * 60);
const MAX_CODE: usize = 64;
