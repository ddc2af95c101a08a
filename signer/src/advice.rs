//! What to do next, for every way in which signing can fail. The errors say what was wrong; only the
//! command line knows the flags that put it right.

use fetch::http::{HttpError, Service};
use fetch::trust::TrustError;

use crate::authority::CertificateFault;
use crate::error::{Failure, UsageFault};
use crate::login::ambient::AmbientError;
use crate::login::keyring::KeyringFault;
use crate::login::provider::ProviderFault;
use crate::login::{LoginError, NobodyToAsk, TokenError};

/// One or two sentences that tell the person at the terminal what to do.
pub(crate) fn advice(failure: &Failure) -> String {
    match failure {
        Failure::Trust(TrustError::Named(fault)) => fault.advice("signer"),
        failure => fixed(failure).to_owned(),
    }
}

fn fixed(failure: &Failure) -> &'static str {
    match failure {
        Failure::Usage(fault) => usage(fault),
        Failure::Trust(fault) => trust(fault),
        Failure::Root(_) => "Get the trust root from its instance again; this one is damaged.",
        Failure::NotListed { .. } | Failure::NoService { .. } | Failure::ServiceUrl { .. } => {
            "Get a newer signing configuration from the instance, or ask its operator."
        }
        Failure::Login(fault) => login(fault),
        Failure::Artifact(_) => "Check the name and its permissions. Nothing was sent for it.",
        Failure::Http(fault) => http(fault),
        Failure::Certificate { fault, .. } => certificate(fault),
        Failure::Timestamp { .. } => {
            "Try again; if it stays so, tell the instance's operator. No bundle was written."
        }
        Failure::Log { .. } => {
            "Do not use what this log answers; tell the instance's operator. No bundle was written."
        }
        Failure::SelfRead(_) | Failure::SelfCheck(_) => {
            "Check that trust root and services are of one instance, and up to date; if they are, \
             tell its operator. No bundle was written."
        }
        Failure::Keyring(KeyringFault::NoStore | KeyringFault::Refused(_)) => {
            "Sign without signer login: each run of sign-blob signs in by itself."
        }
        Failure::Unwritable { .. } => "Check the folder and its permissions, or give --bundle.",
        Failure::Random | Failure::Key | Failure::Runtime(_) => {
            "Try again; if it stays so, something is wrong with this machine."
        }
        Failure::Interrupted => "Nothing half-written is left behind.",
    }
}

fn usage(fault: &UsageFault) -> &'static str {
    match fault {
        UsageFault::NoInstance => {
            "Trust your instance once: signer trust URL --fingerprint F. For one on this machine: \
             --instance http://localhost:8700, or its folder."
        }
        UsageFault::OneBundle(_) => {
            "Leave --bundle out; each bundle then stands beside its file, as FILE.sigstore.json."
        }
        UsageFault::NoBundleName => "Name the bundle with --bundle.",
        UsageFault::NoticeUnread { .. } => {
            "Read it; --yes agrees to it. Or run once from a terminal, where it is asked once."
        }
        UsageFault::NoticeDeclined => "Nothing was sent.",
        UsageFault::StandardInputTwice => "Give the token as a file, or in SIGSTORE_ID_TOKEN.",
    }
}

fn trust(fault: &TrustError) -> &'static str {
    match fault {
        TrustError::Unreadable { .. } => "Check the path, and that it is an instance's file.",
        TrustError::TooLarge { .. }
        | TrustError::TrustedRoot { .. }
        | TrustError::SigningConfig { .. }
        | TrustError::Description { .. } => "Get the file from its instance again.",
        TrustError::RemoteInstance { .. } => {
            "Trust it once: signer trust URL --fingerprint F, with the fingerprint that its operator \
             gave you."
        }
        TrustError::Named(_) => "See signer trust list.",
        TrustError::Endpoint(_) => "Give the instance's URL, such as http://localhost:8700.",
        TrustError::Http(fault) => http(fault),
    }
}

fn login(fault: &LoginError) -> &'static str {
    match fault {
        LoginError::NobodyToAsk(NobodyToAsk::NotSignedIn) => {
            "sign-blob will have you sign in; signer login does so now, and keeps the token."
        }
        LoginError::NobodyToAsk(_) => {
            "Give --identity-token FILE or set SIGSTORE_ID_TOKEN; run in a pipeline that has tokens of \
             its own (GitHub Actions, GitLab, Buildkite, CircleCI, Google Cloud, Kubernetes, SPIFFE); \
             or sign in from a terminal. For a development instance: ca token DIR --email you@example.com."
        }
        LoginError::Token { fault, .. } => token(fault),
        LoginError::SomebodyElse { .. } => {
            "Sign in as the one you expect, or change --expect-identity and --expect-issuer. Nothing \
             was signed."
        }
        LoginError::Ambient(fault) => ambient(fault),
        LoginError::NoIssuer => {
            "Name the instance with --instance, or its OpenID issuer with --oidc-issuer."
        }
        LoginError::Provider { fault, .. } => provider(fault),
    }
}

fn provider(fault: &ProviderFault) -> &'static str {
    match fault {
        ProviderFault::NotUrl => "Give --oidc-issuer as the issuer's URL, byte for byte.",
        ProviderFault::Http(fault) => http(fault),
        ProviderFault::Discovery(_) | ProviderFault::Token(_) | ProviderFault::Page(_) => {
            "Check that this is the instance's OpenID issuer; if it is, tell its operator."
        }
        ProviderFault::NoDeviceFlow => "Sign in with a browser on this machine instead.",
        ProviderFault::Refused(_) => "Start again; do what the provider's message says.",
        ProviderFault::NotOurs(_) => {
            "Something else on this machine answered in the browser's place. Start again; if it stays \
             so, find out what it is. Nothing was signed."
        }
        ProviderFault::TooLate { .. } => "Start again.",
        ProviderFault::Listener(_) => "Sign in with --fulcio-auth-flow device instead.",
    }
}

fn ambient(fault: &AmbientError) -> &'static str {
    match fault {
        AmbientError::GitHubPermission => {
            "Add to the job in the workflow: permissions: { id-token: write, contents: read }. Jobs of \
             pull requests from forks are never given it."
        }
        AmbientError::GitLabToken { .. } => {
            "Add to the job in .gitlab-ci.yml: id_tokens: { SIGSTORE_ID_TOKEN: { aud: sigstore } }, \
             with the variable's name and the audience that this instance wants."
        }
        AmbientError::NotHere { .. } | AmbientError::NotOnThisSystem { .. } => {
            "Leave --oidc-provider out to take the first source that is there."
        }
        AmbientError::Url { .. } | AmbientError::Credential { .. } => {
            "Check the variable; the provider itself sets it."
        }
        AmbientError::Http(HttpError::Refused { .. }) => {
            "Do what the service's message says: the job may not be allowed a token."
        }
        AmbientError::Http(fault) => http(fault),
        AmbientError::Answer { .. } => "Check that the variable names the provider's own service.",
        AmbientError::Command { .. } => {
            "Check that the command is the provider's own and works in this job, or set \
             SIGSTORE_ID_TOKEN."
        }
        #[cfg(unix)]
        AmbientError::Spiffe(_) => {
            "Check that the variable names the agent's socket, and that the workload is registered \
             there."
        }
        AmbientError::File { .. } => "Check the file's permissions.",
    }
}

fn token(fault: &TokenError) -> &'static str {
    match fault {
        TokenError::NeitherTokenNorFile(_) => "Check the path of the token's file.",
        TokenError::Audience { .. } => {
            "Ask the issuer for a token with the audience that the instance wants. This one was not sent \
             anywhere."
        }
        TokenError::Expired { .. } => "Get a fresh token, and check this machine's clock.",
        TokenError::TooLong
        | TokenError::Parts(_)
        | TokenError::NotBase64(_)
        | TokenError::Claims(_)
        | TokenError::ClaimAbsent(_) => {
            "Give an OpenID Connect identity token (a JWT), not an access token."
        }
    }
}

fn http(fault: &HttpError) -> &'static str {
    match fault {
        HttpError::Unreachable { .. } => "Check that the instance runs, and the URL.",
        HttpError::BrokeOff { .. } | HttpError::TimedOut { .. } => {
            "Try again; if it stays so, tell the instance's operator."
        }
        HttpError::Refused {
            service: Service::CertificateAuthority, status: 400..=403, ..
        } => {
            "The authority refused this token or key: do what its message says, or get a fresh \
             token."
        }
        HttpError::Refused { status: 429 | 503, .. } => {
            "The service is busy or down; try again later."
        }
        HttpError::Refused { .. } => "Do what the service's message says, or ask its operator.",
        HttpError::Redirected { .. } => "Give the service's own URL in the signing configuration.",
        HttpError::TooLarge { .. } => "Check that the URL is that of the service.",
        HttpError::SecretInClear { .. } => {
            "Have the authority speak https; a token that goes in clear can be used by others."
        }
        HttpError::TokenNotHeaderText { .. } => {
            "Give an OpenID Connect identity token (a JWT), not an access token."
        }
    }
}

fn certificate(fault: &CertificateFault) -> &'static str {
    match fault {
        CertificateFault::Untrusted | CertificateFault::NoSct => {
            "Check that trust root and signing configuration are of one instance. Nothing was \
             signed."
        }
        CertificateFault::AnotherIdentity { .. } => {
            "Nothing was signed. Tell the instance's operator which token this was for."
        }
        CertificateFault::Answer(_)
        | CertificateFault::Absent
        | CertificateFault::Malformed(_)
        | CertificateFault::AnotherKey
        | CertificateFault::Identity(_) => {
            "Check that the URL is that of a certificate authority. Nothing was signed."
        }
    }
}
