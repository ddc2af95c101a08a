//! RFC 3161 tokens, with every part that a verifier must check open to change.

use formats::certificate::Certificate;
use formats::digest::HashAlgorithm;
use formats::key::KeyAlgorithm;

use super::der::{octets, oid, sequence, small, tlv};
use super::pki::{Key, sha256};

/// How a token differs from an honest one, which `TokenSpec::at` describes.
#[derive(Clone)]
pub struct TokenSpec {
    pub gen_time: i64,
    /// What was timestamped instead of the bundle's signature.
    pub over: Option<Vec<u8>>,
    /// Certificates in the token's bag.
    pub bag: Vec<Certificate>,
    /// SHA-256 values in the signing certificate attribute instead of the signer's; an empty list
    /// leaves the attribute out.
    pub ess: Option<Vec<[u8; 32]>>,
    /// Which of the scene's timestamp authorities signs.
    pub authority: usize,
    /// Spoils the signature.
    pub forged: bool,
}

impl TokenSpec {
    pub fn at(gen_time: i64) -> Self {
        Self { gen_time, over: None, bag: Vec::new(), ess: None, authority: 0, forged: false }
    }

    pub fn response(&self, signature: &[u8], signer: &Certificate, key: &Key) -> Vec<u8> {
        // P-384 authorities sign with SHA-384 throughout, as GitHub's does.
        let (hash, signature_oid) = match key.public().algorithm() {
            KeyAlgorithm::EcdsaP384 => (HashAlgorithm::Sha384, "1.2.840.10045.4.3.3"),
            _ => (HashAlgorithm::Sha256, "1.2.840.10045.4.3.2"),
        };
        let digest_identifier = sequence(&[&oid(hash.oid())]);
        let imprint = sha256(self.over.as_deref().unwrap_or(signature));
        let time = time::OffsetDateTime::from_unix_timestamp(self.gen_time).unwrap();
        let time = format!(
            "{:04}{:02}{:02}{:02}{:02}{:02}Z",
            time.year(),
            u8::from(time.month()),
            time.day(),
            time.hour(),
            time.minute(),
            time.second()
        );
        let tst_info = sequence(&[
            &small(1),
            &oid("1.3.6.1.4.1.57264.2"),
            &sequence(&[&sha256_identifier(), &octets(&imprint)]),
            &small(7),
            &tlv(0x18, &[time.as_bytes()]),
        ]);
        let ess = self.ess.clone().unwrap_or_else(|| vec![sha256(signer.der())]);
        let mut attributes = vec![
            attribute("1.2.840.113549.1.9.3", &oid(TST_INFO)),
            attribute("1.2.840.113549.1.9.4", &octets(hash.digest(&tst_info).as_bytes())),
        ];
        if !ess.is_empty() {
            let ids: Vec<Vec<u8>> = ess.iter().map(|id| sequence(&[&octets(id)])).collect();
            let list = sequence(&[&sequence(&[&ids.concat()])]);
            attributes.push(attribute("1.2.840.113549.1.9.16.2.47", &list));
        }
        attributes.sort();
        let attributes = attributes.concat();
        let mut signed = key.sign(&tlv(0x31, &[&attributes]));
        if self.forged {
            *signed.last_mut().unwrap() ^= 1;
        }
        let serial = tlv(0x02, &[signer.serial()]);
        let signer_info = sequence(&[
            &small(1),
            &sequence(&[signer.issuer_dn(), &serial]),
            &digest_identifier,
            &tlv(0xa0, &[&attributes]),
            &sequence(&[&oid(signature_oid)]),
            &octets(&signed),
        ]);
        let bag: Vec<&[u8]> = self.bag.iter().map(Certificate::der).collect();
        let bag = if bag.is_empty() { Vec::new() } else { tlv(0xa0, &bag) };
        let content = tlv(0xa0, &[&octets(&tst_info)]);
        let signed_data = sequence(&[
            &small(3),
            &tlv(0x31, &[&digest_identifier]),
            &sequence(&[&oid(TST_INFO), &content]),
            &bag,
            &tlv(0x31, &[&signer_info]),
        ]);
        let token = sequence(&[&oid("1.2.840.113549.1.7.2"), &tlv(0xa0, &[&signed_data])]);
        sequence(&[&sequence(&[&small(0)]), &token])
    }
}

fn attribute(kind: &str, value: &[u8]) -> Vec<u8> {
    sequence(&[&oid(kind), &tlv(0x31, &[value])])
}

fn sha256_identifier() -> Vec<u8> {
    sequence(&[&oid("2.16.840.1.101.3.4.2.1")])
}

const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
