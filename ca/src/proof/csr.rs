//! A PKCS#10 request (RFC 2986), read for its key and self-signature alone.

use formats::key::{KeyError, PublicKey};
use thiserror::Error;
use verify::crypto::Scheme;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;
use x509_parser::x509::{AlgorithmIdentifier, X509Version};

use super::element;

/// Why bytes are no request that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CsrFault {
    /// Larger than any real request.
    #[error("it has {bytes} bytes, more than {MAX_REQUEST_BYTES}")]
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
    },
    /// Not one PEM block with a request's label.
    #[error("it is not a PEM block labelled CERTIFICATE REQUEST")]
    Pem,
    /// Not the DER of a request of version 1 (RFC 2986 section 4), or bytes after it.
    #[error("it is not the DER of a PKCS#10 request")]
    Der,
    /// An attribute or requested extension that is malformed, though ignored.
    #[error("it asks for a malformed extension")]
    Extension,
    /// Its key is none that is known here.
    #[error("its key: {0}")]
    Key(#[from] KeyError),
    /// A signature algorithm outside the list, SHA-1 and PSS among them.
    #[error("unrecognized signature algorithm {oid}")]
    SignatureAlgorithm {
        /// Its object identifier in dotted decimals.
        oid: String,
    },
}

/// The parts of a request that count.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) key: PublicKey,
    pub(super) scheme: Scheme,
    /// The CertificationRequestInfo in DER, as it was signed.
    pub(super) signed: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl Request {
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, CsrFault> {
        if pem.len() > MAX_REQUEST_BYTES {
            return Err(CsrFault::TooLarge { bytes: pem.len() });
        }
        match pem_rfc7468::decode_vec(pem.trim_ascii()) {
            Ok(("CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST", der)) => Self::from_der(&der),
            Ok(_) | Err(_) => Err(CsrFault::Pem),
        }
    }

    fn from_der(der: &[u8]) -> Result<Self, CsrFault> {
        let (_, request) = X509CertificationRequest::from_der(der).map_err(|_| CsrFault::Der)?;
        let info = &request.certification_request_info;
        if info.version != X509Version::V1 {
            return Err(CsrFault::Der);
        }
        check_requested(&request)?;
        let scheme = scheme(&request.signature_algorithm)?;
        let signature = request.signature_value.data.to_vec();
        if !identifiers(scheme).any(|algorithm| written(info.raw, &algorithm, &signature) == der) {
            return Err(CsrFault::Der);
        }
        let key = PublicKey::from_spki_der(info.subject_pki.raw)?;
        Ok(Self { key, scheme, signed: info.raw.to_vec(), signature })
    }
}

/// The request as DER writes it, with nothing after it. The parser tolerates wrong tags and bits in
/// what is not signed; there is one encoding of that, and no reason to take another.
fn written(info: &[u8], algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    let bits = element(0x03, &[&[0], signature].concat());
    element(0x30, &[info, algorithm, &bits].concat())
}

/// Requested extensions go nowhere. One that no parser agrees on is refused all the same, so that
/// nothing behind this door ever meets it.
fn check_requested(request: &X509CertificationRequest<'_>) -> Result<(), CsrFault> {
    for extension in request.requested_extensions().into_iter().flatten() {
        match extension {
            ParsedExtension::ParseError { .. } => return Err(CsrFault::Extension),
            ParsedExtension::ExtendedKeyUsage(usage) => {
                let named = usage.any
                    || usage.server_auth
                    || usage.client_auth
                    || usage.code_signing
                    || usage.email_protection
                    || usage.time_stamping
                    || usage.ocsp_signing
                    || !usage.other.is_empty();
                if !named {
                    return Err(CsrFault::Extension);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn scheme(algorithm: &AlgorithmIdentifier<'_>) -> Result<Scheme, CsrFault> {
    let oid = algorithm.algorithm.as_bytes();
    let known = SCHEMES.into_iter().find(|(_, known)| *known == oid);
    known
        .map(|(scheme, _)| scheme)
        .ok_or_else(|| CsrFault::SignatureAlgorithm { oid: algorithm.algorithm.to_id_string() })
}

/// The AlgorithmIdentifiers of a scheme: without parameters for ECDSA (RFC 5758 3.2) and Ed25519
/// (RFC 8410 section 3), and for RSA with NULL or, as RFC 4055 section 5 wants accepted, without.
fn identifiers(scheme: Scheme) -> impl Iterator<Item = Vec<u8>> {
    let forms: &[&[u8]] = match scheme {
        Scheme::RsaPkcs1Sha256 | Scheme::RsaPkcs1Sha384 | Scheme::RsaPkcs1Sha512 => {
            &[&[0x05, 0x00], &[]]
        }
        Scheme::EcdsaSha256 | Scheme::EcdsaSha384 | Scheme::EcdsaSha512 | Scheme::Ed25519 => &[&[]],
    };
    let oid = SCHEMES.iter().find(|(known, _)| *known == scheme).map(|(_, oid)| element(0x06, oid));
    let oid = oid.unwrap_or_default();
    forms.iter().map(move |parameters| element(0x30, &[&oid, *parameters].concat()))
}

/// Each scheme with the content of its object identifier.
const SCHEMES: [(Scheme, &[u8]); 7] = [
    (Scheme::EcdsaSha256, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]),
    (Scheme::EcdsaSha384, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03]),
    (Scheme::EcdsaSha512, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04]),
    (Scheme::RsaPkcs1Sha256, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b]),
    (Scheme::RsaPkcs1Sha384, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c]),
    (Scheme::RsaPkcs1Sha512, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d]),
    (Scheme::Ed25519, &[0x2b, 0x65, 0x70]),
];

const MAX_REQUEST_BYTES: usize = 64 * 1024;
