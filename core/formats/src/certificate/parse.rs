//! From DER to [`Certificate`].

use std::ops::Range;

use super::extension::{self, Extension, SignatureAlgorithm};
use super::tlv::{self, Elements};
use super::{Certificate, CertificateError, DerError, oid, time};
use crate::limits::{MAX_CERTIFICATE_BYTES, MAX_EXTENSIONS};

pub(super) fn certificate(der: &[u8]) -> Result<Certificate, CertificateError> {
    if der.len() > MAX_CERTIFICATE_BYTES {
        return Err(CertificateError::TooLarge { bytes: der.len() });
    }
    let mut outer = Elements::new(tlv::document(der, tlv::SEQUENCE)?.value);
    let tbs = outer.expect(tlv::SEQUENCE)?;
    let algorithm = outer.expect(tlv::SEQUENCE)?;
    let signature = outer.whole_bits()?;
    outer.finish()?;

    let mut fields = Elements::new(tbs.value);
    version_3(&mut fields)?;
    let serial = fields.unsigned()?;
    let inner_algorithm = fields.expect(tlv::SEQUENCE)?;
    let issuer = name(&mut fields, "issuer")?;
    let mut validity = fields.sequence()?;
    let not_before = instant(&mut validity)?;
    let not_after = instant(&mut validity)?;
    validity.finish()?;
    let subject = name(&mut fields, "subject")?;
    let spki = fields.expect(tlv::SEQUENCE)?;
    // The unique identifiers [1] and [2] must not be issued (RFC 5280 section 4.1.2.8).
    let extensions = extensions(&mut fields)?;
    fields.finish()?;

    if inner_algorithm.raw != algorithm.raw {
        return Err(CertificateError::SignatureAlgorithmMismatch);
    }
    let within = |part: &[u8]| range_within(der, part);
    Ok(Certificate {
        tbs: within(tbs.raw),
        serial: within(serial),
        issuer: within(issuer),
        subject: within(subject),
        spki: within(spki.raw),
        signature: within(signature),
        signature_algorithm: signature_algorithm(algorithm.value)?,
        not_before,
        not_after,
        basic_constraints: known(
            &extensions,
            oid::BASIC_CONSTRAINTS,
            extension::basic_constraints,
        )?,
        key_usage: known(&extensions, oid::KEY_USAGE, extension::key_usage)?,
        extended_key_usages: known(
            &extensions,
            oid::EXTENDED_KEY_USAGE,
            extension::extended_key_usages,
        )?,
        subject_key_id: known(&extensions, oid::SUBJECT_KEY_ID, extension::subject_key_id)?,
        authority_key_id: known(&extensions, oid::AUTHORITY_KEY_ID, extension::authority_key_id)?
            .flatten(),
        extensions,
        der: der.into(),
    })
}

fn version_3(fields: &mut Elements<'_>) -> Result<(), CertificateError> {
    match fields.optional(tlv::context_constructed(0))? {
        Some(version) if version.value == INTEGER_2 => Ok(()),
        _ => Err(CertificateError::NotVersion3),
    }
}

fn name<'a>(fields: &mut Elements<'a>, field: &'static str) -> Result<&'a [u8], CertificateError> {
    let name = fields.expect(tlv::SEQUENCE)?;
    check_name(name.value).map_err(|_| CertificateError::MalformedName { field })?;
    Ok(name.raw)
}

/// RDNSequence (RFC 5280 section 4.1.2.4): sets of one or more attributes, each a type and a value.
fn check_name(content: &[u8]) -> Result<(), DerError> {
    let mut sets = Elements::new(content);
    while !sets.is_empty() {
        let mut set = Elements::new(sets.expect(tlv::SET)?.value);
        loop {
            let mut attribute = set.sequence()?;
            attribute.oid()?;
            attribute.next()?;
            attribute.finish()?;
            if set.is_empty() {
                break;
            }
        }
    }
    Ok(())
}

fn instant(validity: &mut Elements<'_>) -> Result<i64, DerError> {
    let element = validity.next()?;
    match element.tag {
        tlv::UTC_TIME => time::utc_time(element.value),
        tlv::GENERALIZED_TIME => time::generalized_time(element.value),
        _ => Err(DerError::UnexpectedElement),
    }
}

fn extensions(fields: &mut Elements<'_>) -> Result<Vec<Extension>, CertificateError> {
    let Some(wrapper) = fields.optional(tlv::context_constructed(3))? else {
        return Ok(Vec::new());
    };
    let mut list = Elements::new(tlv::exactly(wrapper.value, tlv::SEQUENCE)?.value);
    let mut found: Vec<Extension> = Vec::with_capacity(16);
    while !list.is_empty() {
        let mut parts = list.sequence()?;
        let oid = parts.oid()?;
        // An explicit FALSE is not DER, but old authorities wrote it and it hides nothing.
        let critical = match parts.optional(tlv::BOOLEAN)? {
            Some(element) => tlv::boolean(element.value)?,
            None => false,
        };
        let value = parts.expect(tlv::OCTET_STRING)?.value.to_vec();
        parts.finish()?;
        if found.iter().any(|earlier| earlier.oid == oid) {
            return Err(CertificateError::DuplicateExtension { oid });
        }
        if found.len() == MAX_EXTENSIONS {
            return Err(CertificateError::TooManyExtensions);
        }
        found.push(Extension { oid, critical, value });
    }
    if found.is_empty() {
        return Err(DerError::Truncated.into());
    }
    Ok(found)
}

fn signature_algorithm(identifier: &[u8]) -> Result<SignatureAlgorithm, CertificateError> {
    let mut parts = Elements::new(identifier);
    let oid = parts.oid()?;
    let Some(algorithm) = SignatureAlgorithm::from_oid(&oid) else {
        return Err(CertificateError::UnsupportedSignatureAlgorithm { oid });
    };
    let null = parts.optional(tlv::NULL)?;
    let fits = null.map(|null| null.value.is_empty()).unwrap_or(true)
        && null.is_some() == algorithm.has_null_parameters()
        && parts.is_empty();
    if fits { Ok(algorithm) } else { Err(CertificateError::SignatureParameters) }
}

/// Reads an extension if it is there. Malformed is never the same as absent.
fn known<T>(
    extensions: &[Extension],
    oid: &str,
    read: fn(&[u8]) -> Result<T, DerError>,
) -> Result<Option<T>, CertificateError> {
    extensions
        .iter()
        .find(|extension| extension.oid == oid)
        .map(|extension| {
            read(&extension.value)
                .map_err(|_| CertificateError::MalformedExtension { oid: oid.to_owned() })
        })
        .transpose()
}

/// Where a slice of `whole` lies in it.
fn range_within(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

const INTEGER_2: &[u8] = &[0x02, 0x01, 0x02];
