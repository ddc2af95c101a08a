//! Writes DER by hand, right and wrong, independently of the crate's own writer.

#![allow(dead_code, reason = "each test file uses its part")]

/// One element; content above 255 bytes gets a two-byte length.
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match content.len() {
        short @ 0..=0x7f => out.push(short.try_into().unwrap()),
        middle @ 0x80..=0xff => out.extend([0x81, middle.try_into().unwrap()]),
        long => {
            out.push(0x82);
            out.extend(u16::try_from(long).unwrap().to_be_bytes());
        }
    }
    out.extend(content);
    out
}

/// OBJECT IDENTIFIER of small arcs (below 2^28).
pub fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u32> = dotted.split('.').map(|arc| arc.parse().unwrap()).collect();
    let mut content = Vec::new();
    for arc in std::iter::once(arcs[0] * 40 + arcs[1]).chain(arcs[2..].iter().copied()) {
        for shift in [21, 14, 7] {
            if arc >> shift != 0 {
                content.push(0x80 | u8::try_from((arc >> shift) & 0x7f).unwrap());
            }
        }
        content.push(u8::try_from(arc & 0x7f).unwrap());
    }
    tlv(0x06, &[&content])
}

pub fn extension(id: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let flag: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    tlv(0x30, &[&oid(id), flag, &tlv(0x04, &[value])])
}

/// A subject alternative name extension with these GeneralNames.
pub fn san(names: &[&[u8]]) -> Vec<u8> {
    extension("2.5.29.17", true, &tlv(0x30, names))
}

pub fn email(name: &[u8]) -> Vec<u8> {
    tlv(0x81, &[name])
}

pub fn uri(name: &[u8]) -> Vec<u8> {
    tlv(0x86, &[name])
}

/// otherName with a UTF8String.
pub fn other_name(id: &str, name: &str) -> Vec<u8> {
    tlv(0xa0, &[&oid(id), &tlv(0xa0, &[&tlv(0x0c, &[name.as_bytes()])])])
}

pub fn utf8(text: &str) -> Vec<u8> {
    tlv(0x0c, &[text.as_bytes()])
}

/// The parts of a certificate, each whole DER, so that a test can replace any one.
#[derive(Clone)]
pub struct Forge {
    pub version: Vec<u8>,
    pub serial: Vec<u8>,
    pub inner_algorithm: Vec<u8>,
    pub outer_algorithm: Vec<u8>,
    pub issuer: Vec<u8>,
    pub not_before: Vec<u8>,
    pub not_after: Vec<u8>,
    pub subject: Vec<u8>,
    pub spki: Vec<u8>,
    /// Between the key and the extensions.
    pub unique_ids: Vec<u8>,
    pub extensions: Vec<Vec<u8>>,
    pub signature: Vec<u8>,
}

impl Forge {
    /// A signing certificate in Fulcio's shape for an e-mail address.
    pub fn leaf() -> Self {
        let ecdsa = tlv(0x30, &[&oid("1.2.840.10045.4.3.2")]);
        let point = [&[0x00, 0x04][..], &[7; 64]].concat();
        let name = tlv(0x30, &[&oid("2.5.4.3"), &utf8("Test CA")]);
        Self {
            version: vec![0xa0, 3, 2, 1, 2],
            serial: vec![2, 2, 0x12, 0x34],
            inner_algorithm: ecdsa.clone(),
            outer_algorithm: ecdsa,
            issuer: tlv(0x30, &[&tlv(0x31, &[&name])]),
            not_before: tlv(0x17, &[b"260101000000Z"]),
            not_after: tlv(0x17, &[b"260101001000Z"]),
            subject: vec![0x30, 0],
            spki: tlv(
                0x30,
                &[
                    &tlv(0x30, &[&oid("1.2.840.10045.2.1"), &oid("1.2.840.10045.3.1.7")]),
                    &tlv(0x03, &[&point]),
                ],
            ),
            unique_ids: Vec::new(),
            extensions: vec![
                extension("2.5.29.15", true, &[3, 2, 7, 0x80]),
                extension("2.5.29.37", false, &tlv(0x30, &[&oid("1.3.6.1.5.5.7.3.3")])),
                san(&[&email(b"signer@example.com")]),
                extension("1.3.6.1.4.1.57264.1.1", false, b"https://issuer.example"),
                extension("1.3.6.1.4.1.57264.1.8", false, &utf8("https://issuer.example")),
            ],
            signature: tlv(0x03, &[&[0, 0x30, 6, 2, 1, 1, 2, 1, 1]]),
        }
    }

    /// With the extension at `index` replaced.
    pub fn replace(mut self, index: usize, extension: Vec<u8>) -> Self {
        self.extensions[index] = extension;
        self
    }

    /// With one more extension.
    pub fn with(mut self, extension: Vec<u8>) -> Self {
        self.extensions.push(extension);
        self
    }

    /// Without the extension at `index`.
    pub fn without(mut self, index: usize) -> Self {
        self.extensions.remove(index);
        self
    }

    pub fn tbs(&self) -> Vec<u8> {
        let list: Vec<&[u8]> = self.extensions.iter().map(Vec::as_slice).collect();
        let extensions = if list.is_empty() { Vec::new() } else { tlv(0xa3, &[&tlv(0x30, &list)]) };
        tlv(
            0x30,
            &[
                &self.version,
                &self.serial,
                &self.inner_algorithm,
                &self.issuer,
                &tlv(0x30, &[&self.not_before, &self.not_after]),
                &self.subject,
                &self.spki,
                &self.unique_ids,
                &extensions,
            ],
        )
    }

    pub fn der(&self) -> Vec<u8> {
        tlv(0x30, &[&self.tbs(), &self.outer_algorithm, &self.signature])
    }
}

/// Positions in [`Forge::leaf`]'s extensions.
pub const KEY_USAGE: usize = 0;
pub const EKU: usize = 1;
pub const SAN: usize = 2;
pub const ISSUER_V1: usize = 3;
pub const ISSUER_V2: usize = 4;
