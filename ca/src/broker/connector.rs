//! The upstream providers behind one face: where a person is sent, and who comes back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use openidconnect::url::Url;
use thiserror::Error;
use zeroize::Zeroizing;

use super::config::{ConnectorConfig, ConnectorKind, SignIn};
use super::github::GitHub;
use super::oidc::Oidc;
use super::upstream::UpstreamFault;
use crate::admit::{AllowRules, NotAllowed};
use crate::identity::email::EmailFault;
use crate::identity::{Clock, TokenRefusal};
use crate::keys::{KeyFileError, read_pem};
use crate::oidc_dev::{self, DevIssuer};

/// One way to sign in.
pub(super) struct Connector {
    pub(super) id: String,
    pub(super) name: String,
    /// The issuer in the certificates of its people.
    pub(super) issuer: String,
    pub(super) kind: Kind,
    pub(super) allow: AllowRules,
}

pub(super) enum Kind {
    GitHub(Box<GitHub>),
    Oidc(Box<Oidc>),
    /// Believes everyone, on loopback alone.
    Development,
}

/// The ways to sign in, as one configuration names them. A request takes them once and keeps them
/// to its end, so that a reload can put others in their place.
pub(super) struct Connectors(Vec<Connector>);

/// Why the connectors of a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConnectorError {
    /// The secret's file is refused.
    #[error(transparent)]
    Secret(#[from] KeyFileError),
    /// The secret's file holds none.
    #[error("{path}: not one line of printable ASCII, as a client secret is")]
    NoSecret {
        /// The file.
        path: PathBuf,
    },
    /// The root certificates cannot be used.
    #[error("{path}: the root certificates cannot be used: {source}")]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// The issuer's table is refused.
    #[error("connector {id:?}: {source}")]
    Issuer {
        /// The connector.
        id: String,
        /// What is wrong.
        source: crate::identity::config::ConfigFault,
    },
}

/// What the browser takes to the provider and what we keep of it.
pub(super) struct Leg {
    /// Ours, to find the sign-in again (RFC 6749 10.12).
    pub(super) state: String,
    /// PKCE towards the provider (RFC 7636): never leaves but to its token endpoint.
    pub(super) verifier: Zeroizing<String>,
    /// OpenID Connect Core 3.1.2.1.
    pub(super) nonce: String,
    pub(super) login_hint: Option<String>,
}

/// What the browser brought back.
pub(super) struct Returned<'a> {
    pub(super) code: &'a str,
    /// RFC 9207, where the provider sends it.
    pub(super) issuer: Option<&'a str>,
}

/// Who a provider says has signed in. The connectors make it, out of what they have verified.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Person {
    /// Stable and never given to somebody else: a number or `sub`, not a name.
    pub(super) user_id: String,
    /// What the person is called there, to show it.
    pub(super) login: Option<String>,
    /// Verified addresses.
    pub(super) addresses: Vec<String>,
    /// Whether the first address is the one to use unless the person picks another.
    pub(super) has_default: bool,
    /// Google Workspace domain.
    pub(super) hosted_domain: Option<String>,
    /// Which of the required organisations and teams the account is in.
    pub(super) groups: Vec<String>,
}

/// Why nobody is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignInRefusal {
    /// The provider failed us.
    #[error("{0}")]
    Upstream(#[from] UpstreamFault),
    /// The person said no there, or the provider did.
    #[error("the provider did not sign you in")]
    Denied,
    /// Another provider answered than the one that was asked (RFC 9207).
    #[error("another provider answered than the one you chose")]
    MixedUp,
    /// The provider's ID token is refused.
    #[error("the provider's token is refused: {0}")]
    Token(Box<TokenRefusal>),
    /// The ID token is for another sign-in.
    #[error("the provider's token is for another sign-in")]
    Nonce,
    /// The ID token was made for another application as well, or first.
    #[error("the provider's token was made for another application")]
    AuthorizedParty,
    /// The account id is empty, too long or not printable.
    #[error("the provider's account id is not usable")]
    UserId,
    /// No address that the provider has verified.
    #[error("your account has no verified email address")]
    NoVerifiedAddress,
    /// The provider verifies none.
    #[error("this GitHub server does not verify email addresses")]
    ServerVerifiesNone,
    /// Not a member of what is required.
    #[error("your account is not in {required}")]
    NotAMember {
        /// The organisations and teams, with commas between.
        required: String,
    },
    /// Not an account of the Workspace domain.
    #[error("your account is not in the Google Workspace domain {required}")]
    OtherDomain {
        /// The domains, with commas between.
        required: String,
    },
    /// An address that no certificate can carry.
    #[error("your email address is {0}")]
    Address(EmailFault),
    /// The operator's rules.
    #[error("you may not sign here: {0}")]
    NotAllowed(Box<NotAllowed>),
    /// An address that was not offered.
    #[error("that address was not offered")]
    AddressNotOffered,
}

impl SignInRefusal {
    /// True if the provider, or the way to it, failed.
    pub(super) const fn is_upstreams(&self) -> bool {
        matches!(self, Self::Upstream(_) | Self::Token(_) | Self::UserId)
    }

    /// What to do now.
    pub(super) const fn advice(&self) -> &'static [&'static str] {
        match self {
            Self::Upstream(_) => {
                &["Try again in a moment. If it stays so, tell whoever runs this \
                                    instance what you read here."]
            }
            Self::Denied => &["Try again, or choose another way to sign in."],
            Self::MixedUp | Self::Nonce => {
                &["Somebody may have tampered with this sign-in. Start again from your program."]
            }
            Self::Token(_) | Self::AuthorizedParty | Self::UserId => {
                &["Tell whoever runs this instance what you read here."]
            }
            Self::NoVerifiedAddress => {
                &["Verify an address in the settings of your account there, then try again."]
            }
            Self::ServerVerifiesNone => &["Whoever runs this instance can answer for its \
                                           addresses; the documentation says how."],
            Self::NotAMember { .. } => &[
                "Choose an account that is in it, or ask for access.",
                "An organisation may hide its members from applications that it has not approved: \
                 then ask its owner to approve this one.",
            ],
            Self::OtherDomain { .. } => &["Choose an account of that domain."],
            Self::NotAllowed(_) => &[
                "Choose another account or address, or ask whoever runs this instance to let you \
                 sign.",
            ],
            Self::Address(_) | Self::AddressNotOffered => &["Choose another address."],
        }
    }
}

impl Connectors {
    /// The connectors of a configuration, with their secrets; `dir` is the instance folder.
    pub(super) fn open(
        dir: &Path,
        sign_in: &SignIn,
        development: Option<&DevIssuer>,
        clock: &Clock,
    ) -> Result<Self, ConnectorError> {
        let mut connectors = Vec::new();
        for config in &sign_in.connectors {
            connectors.push(Connector::open(dir, config, clock)?);
        }
        if let Some(issuer) = development {
            connectors.push(Connector {
                id: oidc_dev::CONNECTOR.to_owned(),
                name: "Anybody (development)".to_owned(),
                issuer: issuer.issuer().to_owned(),
                kind: Kind::Development,
                allow: AllowRules::whoever("the development sign-in"),
            });
        }
        Ok(Self(connectors))
    }

    pub(super) fn all(&self) -> &[Connector] {
        &self.0
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&Connector> {
        self.0.iter().find(|connector| connector.id == id)
    }

    /// What a client's `connector_id` names: our id, or the issuer string that public Sigstore's
    /// connectors go by.
    pub(super) fn named(&self, name: &str) -> Option<&Connector> {
        self.by_id(name).or_else(|| self.0.iter().find(|connector| connector.issuer == name))
    }
}

impl Connector {
    fn open(dir: &Path, config: &ConnectorConfig, clock: &Clock) -> Result<Self, ConnectorError> {
        let secret = match &config.client_secret_file {
            Some(file) => Some(read_secret(&dir.join(file))?),
            None => None,
        };
        let kind = match &config.kind {
            ConnectorKind::GitHub(github) => {
                let github = GitHub::new(config.client_id.clone(), secret, github.clone());
                Kind::GitHub(Box::new(github))
            }
            ConnectorKind::Google { hosted_domains, .. } => Kind::Oidc(Box::new(
                Oidc::new(config, secret, None, clock)?.within(hosted_domains.clone()),
            )),
            ConnectorKind::Oidc { ca_cert, .. } => {
                let ca_cert = ca_cert.as_ref().map(|file| dir.join(file));
                Kind::Oidc(Box::new(Oidc::new(config, secret, ca_cert.as_deref(), clock)?))
            }
        };
        let (id, name) = (config.id.clone(), config.name.clone());
        Ok(Self { id, name, issuer: config.issuer(), kind, allow: config.allow.clone() })
    }

    /// Where the browser goes; nothing for a way that needs no other site.
    pub(super) async fn begin(
        &self,
        leg: &Leg,
        redirect_uri: &str,
    ) -> Result<Option<Url>, SignInRefusal> {
        match &self.kind {
            Kind::GitHub(github) => github.begin(leg, redirect_uri).map(Some),
            Kind::Oidc(oidc) => oidc.begin(leg, redirect_uri).await.map(Some),
            Kind::Development => Ok(None),
        }
    }

    /// Who came back.
    pub(super) async fn complete(
        &self,
        leg: &Leg,
        redirect_uri: &str,
        returned: &Returned<'_>,
    ) -> Result<Person, SignInRefusal> {
        match &self.kind {
            Kind::GitHub(github) => {
                // GitHub sends no `iss`; whoever does is somebody else.
                if returned.issuer.is_some_and(|issuer| issuer != self.issuer) {
                    return Err(SignInRefusal::MixedUp);
                }
                github.complete(leg, redirect_uri, returned.code).await
            }
            Kind::Oidc(oidc) => oidc.complete(leg, redirect_uri, returned).await,
            Kind::Development => Err(SignInRefusal::Denied),
        }
    }
}

/// A person of the development issuer: whoever they say they are.
pub(super) fn anybody(address: &str) -> Person {
    Person {
        user_id: DevIssuer::user_id(address),
        login: None,
        addresses: vec![address.to_owned()],
        has_default: true,
        hosted_domain: None,
        groups: Vec::new(),
    }
}

/// The file holds the secret alone, and a line feed if the editor wrote one.
fn read_secret(path: &Path) -> Result<Arc<Zeroizing<String>>, ConnectorError> {
    let text = read_pem(path)?;
    let secret = text.trim_ascii();
    if secret.is_empty() || secret.len() > 4096 || !secret.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(ConnectorError::NoSecret { path: path.to_owned() });
    }
    Ok(Arc::new(Zeroizing::new(secret.to_owned())))
}

/// A provider's own account id, fit for `sub`.
pub(super) fn user_id(id: &str) -> Result<String, SignInRefusal> {
    let printable = id.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    if id.is_empty() || id.len() > 255 || !printable {
        return Err(SignInRefusal::UserId);
    }
    Ok(id.to_owned())
}
