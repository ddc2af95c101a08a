//! CMS SignedData (RFC 5652) as RFC 3161 section 2.4.2 narrows it: one signer, its signed
//! attributes, and the TSTInfo they cover.

use super::token::{EssCertId, SignerId, TimestampToken, TokenError};
use super::{
    CONTENT_TYPE, MESSAGE_DIGEST, SIGNED_DATA, SIGNING_CERTIFICATE_V2, TST_INFO, hash_algorithm,
    tst_info,
};
use crate::certificate::tlv::{self, Elements};
use crate::certificate::{Certificate, DerError, SignatureAlgorithm};
use crate::digest::{Digest, HashAlgorithm};
use crate::limits::MAX_CHAIN_CERTIFICATES;

/// ContentInfo and SignedData (RFC 5652 sections 3 and 5.1).
pub(super) fn parse(token: &[u8]) -> Result<TimestampToken, TokenError> {
    let mut info = Elements::new(tlv::exactly(token, tlv::SEQUENCE)?.value);
    content_type(&mut info, SIGNED_DATA)?;
    let wrapped = info.expect(tlv::context_constructed(0))?.value;
    info.finish()?;

    let mut fields = Elements::new(tlv::exactly(wrapped, tlv::SEQUENCE)?.value);
    let version = fields.small()?;
    if !(1..=5).contains(&version) {
        return Err(TokenError::UnknownVersion { structure: "SignedData", version });
    }
    // The set of digest algorithms helps one-pass readers; what counts is in the SignerInfo.
    fields.expect(tlv::SET)?;
    let tst_info_der = encapsulated(fields.sequence()?)?;
    let certificates = match fields.optional(tlv::context_constructed(0))? {
        Some(bag) => certificates(bag.value)?,
        None => Vec::new(),
    };
    fields.optional(tlv::context_constructed(1))?;
    let mut signers = Elements::new(fields.expect(tlv::SET)?.value);
    fields.finish()?;

    let signer = one_signer(&mut signers)?;
    let tst_info = tst_info::parse(tst_info_der)?;
    if signer.message_digest != signer.digest_algorithm.digest(tst_info_der) {
        return Err(TokenError::MessageDigestMismatch);
    }
    Ok(TimestampToken {
        gen_time: tst_info.gen_time_ms.div_euclid(1000),
        gen_time_ms: tst_info.gen_time_ms,
        accuracy: tst_info.accuracy,
        imprint: tst_info.imprint,
        policy: tst_info.policy,
        serial: tst_info.serial,
        nonce: tst_info.nonce,
        signed_attributes_der: signer.signed_attributes_der,
        tst_info_der: tst_info_der.to_vec(),
        message_digest: signer.message_digest,
        digest_algorithm: signer.digest_algorithm,
        signature_algorithm: signer.signature_algorithm,
        signature: signer.signature,
        signer: signer.id,
        certificates,
        ess_cert_ids: signer.ess_cert_ids,
    })
}

fn content_type(fields: &mut Elements<'_>, expected: &'static str) -> Result<(), TokenError> {
    let oid = fields.oid()?;
    if oid == expected { Ok(()) } else { Err(TokenError::WrongContentType { oid, expected }) }
}

fn encapsulated(mut fields: Elements<'_>) -> Result<&[u8], TokenError> {
    content_type(&mut fields, TST_INFO)?;
    let wrapped = fields.expect(tlv::context_constructed(0))?.value;
    fields.finish()?;
    Ok(tlv::exactly(wrapped, tlv::OCTET_STRING)?.value)
}

fn certificates(bag: &[u8]) -> Result<Vec<Certificate>, TokenError> {
    let mut elements = Elements::new(bag);
    let mut found = Vec::new();
    while !elements.is_empty() {
        if found.len() == MAX_CHAIN_CERTIFICATES {
            return Err(TokenError::TooManyCertificates);
        }
        // Only X.509: attribute certificates and other formats have context tags.
        found.push(Certificate::from_der(elements.expect(tlv::SEQUENCE)?.raw)?);
    }
    Ok(found)
}

struct Signer {
    id: SignerId,
    digest_algorithm: HashAlgorithm,
    signed_attributes_der: Vec<u8>,
    message_digest: Digest,
    ess_cert_ids: Vec<EssCertId>,
    signature_algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
}

/// The SignerInfo (RFC 5652 section 5.3), of which there is one.
fn one_signer(signers: &mut Elements<'_>) -> Result<Signer, TokenError> {
    if signers.is_empty() {
        return Err(TokenError::SignerCount { count: 0 });
    }
    let mut fields = signers.sequence()?;
    if !signers.is_empty() {
        let mut count = 1;
        while !signers.is_empty() {
            signers.next()?;
            count += 1;
        }
        return Err(TokenError::SignerCount { count });
    }
    let version = fields.small()?;
    if fields.peek() != Some(tlv::SEQUENCE) {
        return Err(TokenError::SignerNotByIssuer);
    }
    if version != 1 {
        return Err(TokenError::UnknownVersion { structure: "SignerInfo", version });
    }
    let mut id = fields.sequence()?;
    let issuer_dn = id.expect(tlv::SEQUENCE)?.raw.to_vec();
    let serial = id.unsigned()?.to_vec();
    id.finish()?;
    let digest_algorithm = hash_algorithm(fields.expect(tlv::SEQUENCE)?.value)?;
    let attributes =
        fields.optional(tlv::context_constructed(0))?.ok_or(TokenError::NoSignedAttributes)?;
    let signature_algorithm =
        signature_algorithm(fields.expect(tlv::SEQUENCE)?.value, digest_algorithm)?;
    let signature = fields.expect(tlv::OCTET_STRING)?.value.to_vec();
    fields.optional(tlv::context_constructed(1))?;
    fields.finish()?;

    let found = signed_attributes(attributes.value)?;
    let message_digest = found.message_digest.ok_or(missing(MESSAGE_DIGEST))?;
    Ok(Signer {
        id: SignerId { issuer_dn, serial },
        digest_algorithm,
        signed_attributes_der: tlv::write(tlv::SET, &[attributes.value]),
        message_digest: Digest::new(digest_algorithm, message_digest)
            .map_err(TokenError::DigestLength)?,
        ess_cert_ids: found.ess_cert_ids,
        signature_algorithm,
        signature,
    })
}

#[derive(Default)]
struct SignedAttributes<'a> {
    message_digest: Option<&'a [u8]>,
    ess_cert_ids: Vec<EssCertId>,
}

fn signed_attributes(content: &[u8]) -> Result<SignedAttributes<'_>, TokenError> {
    let mut attributes = Elements::new(content);
    let mut seen: Vec<String> = Vec::with_capacity(4);
    let mut found = SignedAttributes::default();
    while !attributes.is_empty() {
        let mut parts = attributes.sequence()?;
        let oid = parts.oid()?;
        let mut values = Elements::new(parts.expect(tlv::SET)?.value);
        parts.finish()?;
        if seen.contains(&oid) {
            return Err(TokenError::RepeatedAttribute { oid });
        }
        match oid.as_str() {
            CONTENT_TYPE => content_type(&mut values, TST_INFO)?,
            MESSAGE_DIGEST => found.message_digest = Some(values.expect(tlv::OCTET_STRING)?.value),
            SIGNING_CERTIFICATE_V2 => found.ess_cert_ids = ess_cert_ids(values.sequence()?)?,
            _ => {
                // The value of an attribute unknown here is not read, but there is one.
                values.next()?;
            }
        }
        let known = matches!(oid.as_str(), CONTENT_TYPE | MESSAGE_DIGEST | SIGNING_CERTIFICATE_V2);
        if known && !values.is_empty() {
            return Err(TokenError::RepeatedAttribute { oid });
        }
        seen.push(oid);
    }
    if !seen.iter().any(|oid| oid == CONTENT_TYPE) {
        return Err(missing(CONTENT_TYPE));
    }
    Ok(found)
}

const fn missing(oid: &'static str) -> TokenError {
    TokenError::MissingAttribute { oid }
}

/// SigningCertificateV2 (RFC 5035 section 3): certificates, then policies that are not read.
fn ess_cert_ids(mut attribute: Elements<'_>) -> Result<Vec<EssCertId>, TokenError> {
    let mut certs = attribute.sequence()?;
    attribute.optional(tlv::SEQUENCE)?;
    attribute.finish()?;
    let mut found = vec![ess_cert_id(certs.sequence()?)?];
    while !certs.is_empty() {
        if found.len() == MAX_CHAIN_CERTIFICATES {
            return Err(TokenError::TooManyCertificates);
        }
        found.push(ess_cert_id(certs.sequence()?)?);
    }
    Ok(found)
}

fn ess_cert_id(mut fields: Elements<'_>) -> Result<EssCertId, TokenError> {
    let algorithm = match fields.optional(tlv::SEQUENCE)? {
        Some(identifier) => hash_algorithm(identifier.value)?,
        None => HashAlgorithm::Sha256,
    };
    let hash = fields.expect(tlv::OCTET_STRING)?.value;
    let serial = match fields.optional(tlv::SEQUENCE)? {
        Some(issuer_serial) => {
            let mut parts = Elements::new(issuer_serial.value);
            parts.expect(tlv::SEQUENCE)?;
            let serial = parts.unsigned()?.to_vec();
            parts.finish()?;
            Some(serial)
        }
        None => None,
    };
    fields.finish()?;
    let hash = Digest::new(algorithm, hash).map_err(TokenError::DigestLength)?;
    Ok(EssCertId { hash, serial })
}

/// The algorithm of the signature. rsaEncryption names no hash and takes the SignerInfo's (RFC
/// 3370 section 3.2); all others must name the same.
fn signature_algorithm(
    identifier: &[u8],
    digest: HashAlgorithm,
) -> Result<SignatureAlgorithm, TokenError> {
    let mut parts = Elements::new(identifier);
    let oid = parts.oid()?;
    let null = parts.optional(tlv::NULL)?;
    parts.finish()?;
    if null.is_some_and(|null| !null.value.is_empty()) {
        return Err(DerError::UnexpectedElement.into());
    }
    let algorithm = match (oid.as_str(), digest) {
        (RSA_ENCRYPTION, HashAlgorithm::Sha256) => SignatureAlgorithm::RsaPkcs1Sha256,
        (RSA_ENCRYPTION, HashAlgorithm::Sha384) => SignatureAlgorithm::RsaPkcs1Sha384,
        (RSA_ENCRYPTION, HashAlgorithm::Sha512) => SignatureAlgorithm::RsaPkcs1Sha512,
        _ => SignatureAlgorithm::from_oid(&oid)
            .ok_or(TokenError::UnsupportedSignatureAlgorithm { oid })?,
    };
    if algorithm.hash() == digest { Ok(algorithm) } else { Err(TokenError::SignatureHashMismatch) }
}

const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";
