//! The least of DER that the tests need: reading elements, writing elements, and the parts of a
//! certificate.

/// One element: its tag, its content, and all of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// The identifier octet.
    pub tag: u8,
    /// The content octets.
    pub content: &'a [u8],
    /// Header and content.
    pub whole: &'a [u8],
}

/// Reads the first element of some bytes, and what follows it.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn element(bytes: &[u8]) -> (Element<'_>, &[u8]) {
    let (length, header) = match bytes[1] {
        short @ 0..=0x7f => (usize::from(short), 2),
        long => {
            let octets = usize::from(long & 0x7f);
            assert!((1..=3).contains(&octets), "an element too long for a test");
            let length = bytes[2..2 + octets].iter().fold(0, |sum, b| sum << 8 | usize::from(*b));
            (length, 2 + octets)
        }
    };
    let end = header + length;
    let element = Element { tag: bytes[0], content: &bytes[header..end], whole: &bytes[..end] };
    (element, &bytes[end..])
}

/// All elements of a constructed one's content.
#[must_use]
pub fn children(mut content: &[u8]) -> Vec<Element<'_>> {
    let mut found = Vec::new();
    while !content.is_empty() {
        let (next, rest) = element(content);
        found.push(next);
        content = rest;
    }
    found
}

/// Writes an element.
#[must_use]
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..=0x7f => out.push(short as u8),
        long @ 0x80..=0xff => out.extend([0x81, long as u8]),
        long @ 0x100..=0xffff => out.extend([0x82, (long >> 8) as u8, long as u8]),
        long => out.extend([0x83, (long >> 16) as u8, (long >> 8) as u8, long as u8]),
    }
    out.extend_from_slice(content);
    out
}

/// Writes a SEQUENCE of elements that are written already.
#[must_use]
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// The parts of a certificate, borrowed from its DER (RFC 5280 section 4.1).
pub struct Certificate<'a> {
    /// TBSCertificate, whole.
    pub tbs: &'a [u8],
    /// The serial number's content octets.
    pub serial: &'a [u8],
    /// SubjectPublicKeyInfo, whole.
    pub spki: &'a [u8],
    /// The extensions in order.
    pub extensions: Vec<Extension<'a>>,
}

/// One extension.
pub struct Extension<'a> {
    /// The object identifier, dotted.
    pub oid: String,
    /// Whether it is marked critical.
    pub critical: bool,
    /// The content of the OCTET STRING.
    pub value: &'a [u8],
    /// The whole Extension element.
    pub whole: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads a certificate.
    ///
    /// # Panics
    /// When it is none of version 3.
    #[must_use]
    pub fn read(der: &'a [u8]) -> Self {
        let (outer, rest) = element(der);
        assert!(rest.is_empty(), "bytes after the certificate");
        let tbs = element(outer.content).0;
        let parts = children(tbs.content);
        // version, serial, signature, issuer, validity, subject, SPKI, extensions [3]
        assert_eq!(parts[0].whole, [0xa0, 3, 2, 1, 2], "version 3");
        let last = parts.last().expect("a TBSCertificate has parts");
        assert_eq!(last.tag, 0xa3, "extensions come last");
        let extensions = children(element(last.content).0.content);
        Self {
            tbs: tbs.whole,
            serial: parts[1].content,
            spki: parts[6].whole,
            extensions: extensions.into_iter().map(Extension::read).collect(),
        }
    }

    /// The value of an extension.
    ///
    /// # Panics
    /// When it is absent.
    #[must_use]
    pub fn extension(&self, oid: &str) -> &Extension<'a> {
        let found = self.extensions.iter().find(|extension| extension.oid == oid);
        found.unwrap_or_else(|| panic!("no extension {oid}"))
    }

    /// TBSCertificate without one extension: what an SCT signs, if that extension is the SCT list
    /// or the poison (RFC 6962 section 3.2).
    ///
    /// # Panics
    /// When the extension is absent.
    #[must_use]
    pub fn tbs_without(&self, oid: &str) -> Vec<u8> {
        let removed = self.extension(oid).whole;
        let tbs = element(self.tbs).0;
        let parts = children(tbs.content);
        let (last, before) = parts.split_last().expect("a TBSCertificate has parts");
        let kept: Vec<u8> = children(element(last.content).0.content)
            .into_iter()
            .filter(|extension| extension.whole != removed)
            .flat_map(|extension| extension.whole.to_vec())
            .collect();
        let mut content: Vec<u8> = before.iter().flat_map(|part| part.whole.to_vec()).collect();
        content.extend(tlv(0xa3, &tlv(0x30, &kept)));
        tlv(0x30, &content)
    }
}

impl<'a> Extension<'a> {
    fn read(whole: Element<'a>) -> Self {
        let parts = children(whole.content);
        let value = parts.last().expect("an extension has a value");
        assert_eq!(value.tag, 0x04, "an extension's value is an OCTET STRING");
        Self {
            oid: dotted(parts[0].content),
            critical: parts.len() == 3,
            value: value.content,
            whole: whole.whole,
        }
    }
}

/// The dotted form of an object identifier's content octets.
#[must_use]
pub fn dotted(content: &[u8]) -> String {
    let mut arcs = Vec::new();
    let mut value = 0_u64;
    for byte in content {
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            arcs.push(value);
            value = 0;
        }
    }
    let first = (arcs[0] / 40).min(2);
    let rest: String = arcs[1..].iter().map(|arc| format!(".{arc}")).collect();
    format!("{first}.{}{rest}", arcs[0] - first * 40)
}

/// Decodes one PEM block, or the first of several.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn unpem(text: &str) -> Vec<u8> {
    all_pem(text).into_iter().next().unwrap_or_else(|| panic!("no PEM block in {text:?}"))
}

/// Decodes all PEM blocks of a text.
#[must_use]
pub fn all_pem(text: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        if line.starts_with("-----BEGIN ") {
            block = Some(String::new());
        } else if line.starts_with("-----END ") {
            found.extend(block.take().map(|text| crate::unb64(&text)));
        } else if let Some(block) = &mut block {
            block.push_str(line.trim());
        }
    }
    found
}

/// Writes a PEM block.
#[must_use]
pub fn pem(label: &str, der: &[u8]) -> String {
    let text = crate::b64(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|l| std::str::from_utf8(l).expect("base64")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
