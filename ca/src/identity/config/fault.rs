//! Why an instance does not start with the issuers it was given.

use std::path::PathBuf;

use thiserror::Error;

use super::Names;
use crate::admit::RuleFault;

/// Why an instance does not start with the issuers it was given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigFault {
    /// The URL is no absolute URL, or holds what an issuer's never does.
    #[error("issuer url {url:?} is not an https URL without user, query and fragment")]
    Url {
        /// As configured.
        url: String,
    },
    /// Plain http to anything but loopback.
    #[error("issuer url {url:?} is plain http, which is for loopback only")]
    PlainHttp {
        /// As configured.
        url: String,
    },
    /// The same URL and client id twice.
    #[error("issuer url {url:?} is configured twice with the same client_id")]
    Duplicate {
        /// As configured.
        url: String,
    },
    /// The client id is empty or holds blanks or non-ASCII.
    #[error("client_id of issuer {url:?} is empty or not printable ASCII")]
    ClientId {
        /// The issuer.
        url: String,
    },
    /// An empty algorithm list.
    #[error("algorithms of issuer {url:?} is empty")]
    NoAlgorithm {
        /// The issuer.
        url: String,
    },
    /// A lifetime cap of zero or more than a week.
    #[error("max_lifetime_seconds of issuer {url:?} is {seconds}, not 1 to 604800")]
    Lifetime {
        /// The issuer.
        url: String,
        /// As configured.
        seconds: u64,
    },
    /// `type` is none of the types known here.
    #[error("type {kind:?} of issuer {url:?} is not one of {known}")]
    Type {
        /// The issuer.
        url: String,
        /// As configured.
        kind: String,
        /// Every type.
        known: Names,
    },
    /// A type without the key that it needs.
    #[error("issuer {url:?} of type {kind} has no {key}")]
    Missing {
        /// The issuer.
        url: String,
        /// Its type.
        kind: String,
        /// The key.
        key: &'static str,
    },
    /// A key that the type has no use for.
    #[error("issuer {url:?} has a {key}, which is not for its type")]
    NotForType {
        /// The issuer.
        url: String,
        /// The key.
        key: &'static str,
    },
    /// A subject domain that is not the issuer's own host.
    #[error(
        "subject_domain {domain:?} of issuer {url:?} is not its host: type username takes the bare \
         host name, and type uri https:// and the host"
    )]
    SubjectDomain {
        /// The issuer.
        url: String,
        /// As configured.
        domain: String,
    },
    /// A trust domain of other than lower-case letters, digits, `.`, `-` and `_`.
    #[error("trust_domain {domain:?} of issuer {url:?} is no SPIFFE trust domain")]
    TrustDomain {
        /// The issuer.
        url: String,
        /// As configured.
        domain: String,
    },
    /// Addresses taken unverified from an issuer where anybody may have an account.
    #[error(
        "issuer {url:?} has everybody's accounts: its addresses are only taken with type = \"email\""
    )]
    MultiTenant {
        /// The issuer.
        url: String,
    },
    /// A pattern that anybody's host could match, or that is no https URL.
    #[error(
        "issuer url {url:?} is a pattern, and not https:// and a host whose last two labels are \
         without a *, in lower case, without user, query, fragment and percent sign"
    )]
    Wildcard {
        /// As configured.
        url: String,
    },
    /// A key that is about one issuer, beside a pattern of many.
    #[error("issuer url {url:?} is a pattern of many, and {key} is about one")]
    NotForWildcard {
        /// The pattern.
        url: String,
        /// The key.
        key: &'static str,
    },
    /// Several places for one issuer's keys.
    #[error(
        "issuer {url:?} says more than once where its keys are: jwks_file stands without jwks_url, \
         ca_cert and bearer_file"
    )]
    KeysTwice {
        /// The issuer.
        url: String,
    },
    /// `jwks_url` is no https URL.
    #[error("jwks_url {address:?} of issuer {url:?} is not an https URL, nor http on loopback")]
    JwksUrl {
        /// The issuer.
        url: String,
        /// As configured.
        address: String,
    },
    /// `ca_cert` cannot be read.
    #[error("ca_cert {path:?} of issuer {url:?} cannot be read, or holds no certificate in PEM")]
    CaCert {
        /// The issuer.
        url: String,
        /// The file.
        path: PathBuf,
    },
    /// `issuer_claim` is no path to a claim.
    #[error("issuer_claim {path:?} of issuer {url:?} is not $. and names with dots between")]
    IssuerClaim {
        /// The issuer.
        url: String,
        /// As configured.
        path: String,
    },
    /// `issuer_claim` without the values that it may have.
    #[error(
        "issuer {url:?} takes the certificate's issuer from {path}, and issuer_claim_values does \
         not say which values it may have; whoever the provider lets in could have any issuer's \
         name. With the public Sigstore's provider, https://oauth2.sigstore.dev/auth, they are: \
         issuer_claim_values = [{PUBLIC_CONNECTORS}]"
    )]
    IssuerClaimOpen {
        /// The issuer.
        url: String,
        /// The path.
        path: String,
    },
    /// A value of `issuer_claim_values` that cannot stand in a certificate.
    #[error("issuer_claim_values of issuer {url:?} holds {value:?}, which is not printable ASCII")]
    IssuerClaimValue {
        /// The issuer.
        url: String,
        /// As configured.
        value: String,
    },
    /// `issuer_claim_values` without `issuer_claim`.
    #[error("issuer {url:?} has issuer_claim_values and no issuer_claim")]
    IssuerClaimUnused {
        /// The issuer.
        url: String,
    },
    /// `provider_url` is no https URL, or the provider's templates have no `url`.
    #[error("provider_url {value:?} of issuer {url:?} is no https URL, or its provider takes none")]
    ProviderUrl {
        /// The issuer.
        url: String,
        /// As configured.
        value: String,
    },
    /// A `[[ci_provider]]` table with the name of another or of a shipped one.
    #[error("ci_provider {name:?} stands twice, or has the name of a provider that is shipped")]
    ProviderTwice {
        /// The name.
        name: String,
    },
    /// A provider that is neither shipped nor a `[[ci_provider]]` table.
    #[error("provider {provider:?} of issuer {url:?} is not known; known are {known}")]
    ProviderUnknown {
        /// The issuer.
        url: String,
        /// As configured.
        provider: String,
        /// The shipped ones and the tables.
        known: Names,
    },
    /// The allow rules.
    #[error("issuer {url:?}: {fault}")]
    Allow {
        /// The issuer.
        url: String,
        /// What is wrong with them.
        fault: RuleFault,
    },
    /// Keys were pinned for an issuer that is not configured.
    #[error("keys are pinned for {url:?}, which is not a configured issuer")]
    PinnedUnknown {
        /// As given.
        url: String,
    },
    /// Pinned keys of which none can verify a token.
    #[error("the keys pinned for {url:?} hold no usable signing key")]
    PinnedKeys {
        /// The issuer.
        url: String,
    },
}

/// What the public Sigstore's Dex says in `$.federated_claims.connector_id`.
const PUBLIC_CONNECTORS: &str = "\"https://github.com/login/oauth\", \
     \"https://accounts.google.com\", \"https://login.microsoftonline.com\"";
