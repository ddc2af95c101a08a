//! Keys and certificates. Every extension is a list entry of raw bytes, so that a test can drop,
//! spoil or add any one of them.

use formats::certificate::{Certificate, oid};
use formats::key::PublicKey;
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, Issuer, KeyPair, PublicKeyData,
    SerialNumber, SigningKey,
};
use time::OffsetDateTime;

use super::der;

pub struct Key(KeyPair);

impl Key {
    pub fn p256() -> Self {
        Self(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap())
    }

    pub fn p384() -> Self {
        Self(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap())
    }

    pub fn p521() -> Self {
        Self(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap())
    }

    pub fn rsa() -> Self {
        Self(KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap())
    }

    pub fn ed25519() -> Self {
        Self(KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap())
    }

    /// Of a kind that nothing here verifies with.
    pub fn ml_dsa() -> Self {
        Self(KeyPair::generate_for(&rcgen::PKCS_ML_DSA_44).unwrap())
    }

    /// In the key's own scheme, ECDSA as DER.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).unwrap()
    }

    pub fn spki(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }

    pub fn public(&self) -> PublicKey {
        PublicKey::from_spki_der(&self.spki()).unwrap()
    }

    pub fn pkcs8(&self) -> Vec<u8> {
        self.0.serialize_der()
    }

    /// SHA-256 of the SPKI, which serves as key identifier in certificates too.
    pub fn id(&self) -> [u8; 32] {
        sha256(&self.spki())
    }
}

pub fn sha256(message: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(message).into()
}

#[derive(Clone)]
pub struct Ext {
    pub oid: String,
    pub critical: bool,
    pub value: Vec<u8>,
}

#[derive(Clone)]
pub struct CertSpec {
    /// Common name; empty for an empty subject.
    pub name: String,
    pub serial: Vec<u8>,
    pub not_before: i64,
    pub not_after: i64,
    pub extensions: Vec<Ext>,
}

impl CertSpec {
    pub fn new(name: &str, not_before: i64, not_after: i64) -> Self {
        let serial = sha256(name.as_bytes())[..8].iter().map(|byte| byte & 0x7f | 1).collect();
        Self { name: name.to_owned(), serial, not_before, not_after, extensions: Vec::new() }
    }

    /// An authority in the usual shape.
    pub fn authority(name: &str, key: &Key, issuer: &Key, validity: (i64, i64)) -> Self {
        let mut spec = Self::new(name, validity.0, validity.1);
        spec.set(oid::BASIC_CONSTRAINTS, true, basic_constraints(true, None));
        spec.set(oid::KEY_USAGE, true, key_usage(KEY_CERT_SIGN));
        spec.set(oid::SUBJECT_KEY_ID, false, der::octets(&key.id()[..20]));
        spec.set(oid::AUTHORITY_KEY_ID, false, authority_key_id(issuer));
        spec
    }

    /// Adds an extension, or replaces the one of that type in its place.
    pub fn set(&mut self, oid: &str, critical: bool, value: Vec<u8>) {
        let extension = Ext { oid: oid.to_owned(), critical, value };
        match self.extensions.iter_mut().find(|other| other.oid == oid) {
            Some(other) => *other = extension,
            None => self.extensions.push(extension),
        }
    }

    pub fn remove(&mut self, oid: &str) {
        self.extensions.retain(|extension| extension.oid != oid);
    }

    pub fn issue(&self, key: &Key, issuer_name: &str, issuer: &Key) -> Certificate {
        let mut params = CertificateParams::default();
        params.not_before = OffsetDateTime::from_unix_timestamp(self.not_before).unwrap();
        params.not_after = OffsetDateTime::from_unix_timestamp(self.not_after).unwrap();
        params.serial_number = Some(SerialNumber::from_slice(&self.serial));
        params.distinguished_name = name(&self.name);
        params.custom_extensions = self
            .extensions
            .iter()
            .map(|extension| {
                let mut custom = CustomExtension::from_oid_content(
                    &der::arcs(&extension.oid),
                    extension.value.clone(),
                );
                custom.set_criticality(extension.critical);
                custom
            })
            .collect();
        let mut above = CertificateParams::default();
        above.distinguished_name = name(issuer_name);
        let above = Issuer::new(above, &issuer.0);
        let made = params.signed_by(&key.0, &above).unwrap();
        Certificate::from_der(made.der()).unwrap()
    }
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if !common.is_empty() {
        name.push(DnType::CommonName, common);
    }
    name
}

pub fn basic_constraints(ca: bool, path_len: Option<u8>) -> Vec<u8> {
    let flag: &[u8] = if ca { &[0x01, 0x01, 0xff] } else { &[] };
    let length = path_len.map(der::small).unwrap_or_default();
    der::sequence(&[flag, &length])
}

pub const DIGITAL_SIGNATURE: u8 = 0;
pub const KEY_CERT_SIGN: u8 = 5;

/// One bit, in the shortest BIT STRING.
pub fn key_usage(bit: u8) -> Vec<u8> {
    der::tlv(0x03, &[&[7 - bit], &[0x80 >> bit]])
}

pub fn extended_key_usage(purposes: &[&str]) -> Vec<u8> {
    let purposes: Vec<Vec<u8>> = purposes.iter().map(|purpose| der::oid(purpose)).collect();
    der::sequence(&[&purposes.concat()])
}

pub fn authority_key_id(issuer: &Key) -> Vec<u8> {
    der::sequence(&[&der::tlv(0x80, &[&issuer.id()[..20]])])
}

pub fn email(name: &str) -> Vec<u8> {
    der::tlv(0x81, &[name.as_bytes()])
}

pub fn uri(name: &str) -> Vec<u8> {
    der::tlv(0x86, &[name.as_bytes()])
}

pub fn user_name(name: &str) -> Vec<u8> {
    let value = der::tlv(0xa0, &[&der::utf8(name)]);
    der::tlv(0xa0, &[&der::oid(oid::FULCIO_OTHER_NAME), &value])
}

pub fn alt_names(names: &[Vec<u8>]) -> Vec<u8> {
    der::sequence(&[&names.concat()])
}
