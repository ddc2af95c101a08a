use formats::timestamp::TimestampToken;

use super::{TimeSource, VerifiedTime};
use crate::crypto::{self, Scheme};
use crate::error::{AuthorityFault, BundleFault, Refusal};
use crate::path::Path;
use crate::root::Anchors;

/// The time of one RFC 3161 response over `signature`; `None` when the trust root does not have the
/// authority that made it.
pub(super) fn verify(
    index: usize,
    response: &[u8],
    signature: &[u8],
    anchors: &Anchors,
) -> Result<Option<VerifiedTime>, Refusal> {
    let token = TimestampToken::from_response_der(response)
        .map_err(|error| BundleFault::TimestampMalformed { index, error })?;
    let mut first_fault = None;
    // The certificate that the SignerInfo names is the one judged, whatever lies in the bag.
    for path in anchors.timestampers(&token.signer.issuer_dn, &token.signer.serial) {
        if token.imprint != token.imprint.algorithm().digest(signature) {
            return Err(BundleFault::TimestampImprint { index }.into());
        }
        match check(&token, path) {
            Ok(()) => {
                return Ok(Some(VerifiedTime {
                    seconds: token.gen_time,
                    source: TimeSource::TimestampAuthority { uri: path.uri().to_owned() },
                    witness: path.key().id(),
                }));
            }
            Err(fault) => {
                first_fault.get_or_insert(fault);
            }
        }
    }
    match first_fault {
        Some(fault) => Err(fault.into()),
        None => Ok(None),
    }
}

fn check(token: &TimestampToken, path: &Path) -> Result<(), AuthorityFault> {
    check_certificate(token, path)?;
    check_signature(token, path)?;
    path.holds_at(token.gen_time).map_err(AuthorityFault::TimestampAuthority)
}

/// A certificate in the bag under the signer's name must be the trust root's own; the rest of the
/// bag is not looked at. The signing certificate attribute (RFC 3161 2.4.1, RFC 5816) names the
/// signer first and its chain after, which keeps another certificate for the same key from
/// standing in.
fn check_certificate(token: &TimestampToken, path: &Path) -> Result<(), AuthorityFault> {
    let mut named = token.certificates.iter().filter(|other| token.signer.names(other));
    if named.any(|certificate| certificate != path.head()) {
        return Err(AuthorityFault::TimestampCertificate);
    }
    let (signer, further) =
        token.ess_cert_ids.split_first().ok_or(AuthorityFault::TimestampNoSigningCertificate)?;
    if !signer.names(path.head()) {
        return Err(AuthorityFault::TimestampSigningCertificate);
    }
    if !further.iter().all(|id| path.certificates().any(|certificate| id.names(certificate))) {
        return Err(AuthorityFault::TimestampSigningCertificate);
    }
    Ok(())
}

/// RFC 5652 5.4: the signature is over the DER SET OF attributes. One of them is the digest of the
/// content, which the parser has compared.
fn check_signature(token: &TimestampToken, path: &Path) -> Result<(), AuthorityFault> {
    let scheme = Scheme::from(token.signature_algorithm);
    crypto::verify_message(path.key(), scheme, &token.signed_attributes_der, &token.signature)
        .map_err(|_| AuthorityFault::TimestampSignature)
}
