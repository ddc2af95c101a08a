//! An authority's chain, prepared once: linked, signed and shaped as it must be. There is no
//! search for a path. The trust root states the one chain of each authority, leaf side first and
//! anchor last; the anchor is trusted because it is there and need not be self-signed.

use formats::certificate::{Certificate, oid};
use formats::key::PublicKey;
use formats::trusted_root::{CertificateAuthority, Window};

use crate::crypto;
use crate::error::{PathFault, RootFault};

/// The chain of one authority together with the window in which the trust root trusts it. The two
/// are never taken from different entries.
#[derive(Debug)]
pub(crate) struct Path {
    uri: String,
    head: Link,
    above: Vec<Link>,
    window: Window,
    /// A fault of shape counts when the authority is used: one bad entry beside a good one must
    /// not close the whole trust root.
    shape: Result<(), PathFault>,
}

#[derive(Debug)]
struct Link {
    certificate: Certificate,
    key: PublicKey,
}

/// What an authority is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Issues certificates: every certificate of the chain is an authority's.
    Issuing,
    /// Signs timestamps with the first certificate of the chain.
    Timestamping,
}

impl Path {
    /// Prepares one authority. `None` when a key in the chain is of a kind we do not use: such an
    /// authority is left out, and needing it fails later.
    pub(crate) fn prepare(
        authority: &CertificateAuthority,
        role: Role,
        index: usize,
    ) -> Result<Option<Self>, RootFault> {
        let list = role.list();
        let mut links = Vec::with_capacity(authority.chain.len());
        for certificate in &authority.chain {
            let Ok(key) = certificate.public_key() else { return Ok(None) };
            links.push(Link { certificate: certificate.clone(), key });
        }
        for (position, pair) in links.windows(2).enumerate() {
            if let [below, above] = pair
                && !is_issued_by(&below.certificate, above)
            {
                return Err(RootFault::ChainBroken { list, index, position });
            }
        }
        let mut links = links.into_iter();
        let head = links.next().ok_or(RootFault::EmptyChain { list, index })?;
        let above: Vec<Link> = links.collect();
        if role == Role::Timestamping && above.is_empty() {
            return Err(RootFault::NoTimestampAnchor { index });
        }
        let mut path = Self {
            uri: authority.uri.clone(),
            head,
            above,
            window: authority.window,
            shape: Ok(()),
        };
        path.shape = path.check_shape(role);
        Ok(Some(path))
    }

    /// The certificate at the leaf side: the issuing authority's, or the timestamp signer's.
    pub(crate) fn head(&self) -> &Certificate {
        &self.head.certificate
    }

    /// Its key.
    pub(crate) fn key(&self) -> &PublicKey {
        &self.head.key
    }

    /// Where the authority is; a name for messages and for telling authorities apart.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// All certificates, leaf side first.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.head).chain(&self.above).map(|link| &link.certificate)
    }

    /// Whether the chain is well shaped, and every certificate of it and the authority's own
    /// window cover `time` (unix seconds; both ends inclusive).
    pub(crate) fn holds_at(&self, time: i64) -> Result<(), PathFault> {
        self.shape.clone()?;
        if !self.window.contains(time) {
            return Err(PathFault::Window(time));
        }
        match self.certificates().position(|certificate| !is_valid_at(certificate, time)) {
            Some(position) => Err(PathFault::NotValidAt { position, time }),
            None => Ok(()),
        }
    }

    fn check_shape(&self, role: Role) -> Result<(), PathFault> {
        for (position, certificate) in self.certificates().enumerate() {
            check_extensions(certificate, position)?;
            match (role, position) {
                (Role::Timestamping, 0) => check_timestamp_signer(certificate)?,
                (Role::Timestamping, above) => {
                    check_authority(certificate, role, above, above - 1)?
                }
                (Role::Issuing, above) => check_authority(certificate, role, above, above)?,
            }
        }
        Ok(())
    }
}

impl Role {
    fn list(self) -> &'static str {
        match self {
            Self::Issuing => "certificateAuthorities",
            Self::Timestamping => "timestampAuthorities",
        }
    }

    fn allows(self, purposes: &[String]) -> bool {
        purposes.iter().any(|purpose| match self {
            Self::Issuing => purpose == oid::EKU_CODE_SIGNING,
            Self::Timestamping => purpose == oid::EKU_TIME_STAMPING || purpose == oid::EKU_ANY,
        })
    }
}

/// Whether `time` (unix seconds) is in the certificate's validity, both ends inclusive (RFC 5280
/// 4.1.2.5).
pub(crate) fn is_valid_at(certificate: &Certificate, time: i64) -> bool {
    certificate.not_before() <= time && time <= certificate.not_after()
}

/// The first extension that is critical and that nothing here reads (RFC 5280 4.2), a
/// precertificate's poison for one.
pub(crate) fn unknown_critical(certificate: &Certificate) -> Option<&str> {
    certificate
        .extensions()
        .iter()
        .find(|extension| extension.critical && !KNOWN.contains(&extension.oid.as_str()))
        .map(|extension| extension.oid.as_str())
}

fn is_issued_by(certificate: &Certificate, above: &Link) -> bool {
    certificate.issuer_dn() == above.certificate.subject_dn()
        && crypto::verify_certificate_signature(&above.key, certificate).is_ok()
}

fn check_extensions(certificate: &Certificate, position: usize) -> Result<(), PathFault> {
    // A constraint that is not applied must refuse, critical or not: we apply none.
    if certificate.extension(oid::NAME_CONSTRAINTS).is_some() {
        return Err(PathFault::NameConstraints(position));
    }
    match unknown_critical(certificate) {
        Some(oid) => Err(PathFault::CriticalExtension { position, oid: oid.to_owned() }),
        None => Ok(()),
    }
}

/// RFC 5280 6.1.4 (k) to (n), and purposes nested as every peer nests them. `below` counts the
/// authorities under this one in the chain.
fn check_authority(
    certificate: &Certificate,
    role: Role,
    position: usize,
    below: usize,
) -> Result<(), PathFault> {
    let constraints = certificate
        .basic_constraints()
        .filter(|constraints| constraints.ca)
        .ok_or(PathFault::NotAuthority(position))?;
    if constraints.path_len.is_some_and(|allowed| below > usize::try_from(allowed).unwrap_or(0)) {
        return Err(PathFault::PathLength(position));
    }
    if !certificate.key_usage().is_some_and(|usage| usage.key_cert_sign()) {
        return Err(PathFault::KeyUsage(position));
    }
    match certificate.extended_key_usages() {
        Some(purposes) if !role.allows(purposes) => Err(PathFault::Purpose(position)),
        Some(_) | None => Ok(()),
    }
}

/// RFC 3161 2.3: the key of a timestamp authority does nothing else, and says so critically.
fn check_timestamp_signer(certificate: &Certificate) -> Result<(), PathFault> {
    if certificate.basic_constraints().is_some_and(|constraints| constraints.ca) {
        return Err(PathFault::LeafIsAuthority);
    }
    if certificate.key_usage().is_some_and(|usage| !usage.digital_signature()) {
        return Err(PathFault::LeafKeyUsage);
    }
    match certificate.extended_key_usages() {
        Some([purpose]) if purpose == oid::EKU_TIME_STAMPING => {}
        Some(_) | None => return Err(PathFault::LeafPurpose),
    }
    match certificate.extension(oid::EXTENDED_KEY_USAGE) {
        Some(extension) if extension.critical => Ok(()),
        Some(_) | None => Err(PathFault::LeafPurposeNotCritical),
    }
}

/// The extensions that some check here reads, so that they may be critical.
const KNOWN: [&str; 6] = [
    oid::BASIC_CONSTRAINTS,
    oid::KEY_USAGE,
    oid::EXTENDED_KEY_USAGE,
    oid::SUBJECT_ALT_NAME,
    oid::SUBJECT_KEY_ID,
    oid::AUTHORITY_KEY_ID,
];
