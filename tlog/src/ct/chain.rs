//! The CAs whose certificates the log takes.

use formats::certificate::Certificate;
use formats::key::PublicKey;
use thiserror::Error;
use verify::crypto::verify_certificate_signature;

use super::Rejected;

/// Our issuing CAs, each with its chain up to the root.
#[derive(Debug, Clone)]
pub struct Authorities(Vec<Authority>);

#[derive(Debug, Clone)]
struct Authority {
    /// Issuing CA first, root last.
    chain: Vec<Certificate>,
    key: PublicKey,
}

impl Authorities {
    /// Takes chains, each from an issuing CA up to its root.
    ///
    /// # Errors
    /// [`AuthorityError`], when a chain is empty or its links do not hold.
    pub fn new(chains: Vec<Vec<Certificate>>) -> Result<Self, AuthorityError> {
        chains.into_iter().map(Authority::new).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn chains(&self) -> impl Iterator<Item = &[Certificate]> {
        self.0.iter().map(|authority| authority.chain.as_slice())
    }

    /// Whether one of our CAs signed `leaf`, and `above` is nothing but (the beginning of) its
    /// chain. Answers the whole chain, which is what is logged: RFC 6962 4.1 lets a client leave
    /// the root out.
    ///
    /// Compared are names, bytes and the signature. Dates are not: the log shows what was issued.
    pub(super) fn check(
        &self,
        leaf: &Certificate,
        above: &[Certificate],
    ) -> Result<&[Certificate], Rejected> {
        let mut refused = Rejected::NotOurs;
        for authority in &self.0 {
            let issuing = authority.chain.first().ok_or(Rejected::NotOurs)?;
            if !authority.chain.starts_with(above) || leaf.issuer_dn() != issuing.subject_dn() {
                continue;
            }
            match verify_certificate_signature(&authority.key, leaf) {
                Ok(()) => return Ok(&authority.chain),
                Err(_) => refused = Rejected::BadSignature,
            }
        }
        Err(refused)
    }
}

impl Authorities {
    /// The chain of the CA that a certificate names as its issuer, whoever signed it.
    pub(super) fn named_by(&self, leaf: &Certificate) -> Result<&[Certificate], Rejected> {
        let mut chains = self.chains();
        chains
            .find(|chain| chain.first().is_some_and(|ca| leaf.issuer_dn() == ca.subject_dn()))
            .ok_or(Rejected::NotOurs)
    }
}

impl Authority {
    fn new(chain: Vec<Certificate>) -> Result<Self, AuthorityError> {
        let issuing = chain.first().ok_or(AuthorityError::Empty)?;
        let key = issuing.public_key().map_err(|_| AuthorityError::Key)?;
        for pair in chain.windows(2) {
            let [below, above] = pair else { continue };
            let key = above.public_key().map_err(|_| AuthorityError::Key)?;
            if below.issuer_dn() != above.subject_dn()
                || verify_certificate_signature(&key, below).is_err()
            {
                return Err(AuthorityError::Link);
            }
        }
        Ok(Self { chain, key })
    }
}

/// A configured CA chain is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AuthorityError {
    /// No certificate.
    #[error("a CA chain is empty")]
    Empty,
    /// A certificate is not signed by the one after it.
    #[error("a certificate of a CA chain is not signed by the one after it")]
    Link,
    /// A CA key of a kind that we do not take.
    #[error("a CA certificate's key can't be used")]
    Key,
}
