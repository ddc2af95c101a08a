//! Just enough of a DER writer.

pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match content.len() {
        short @ 0..128 => out.push(u8::try_from(short).unwrap()),
        long => {
            let bytes: Vec<u8> =
                long.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            out.push(0x80 | u8::try_from(bytes.len()).unwrap());
            out.extend(bytes);
        }
    }
    out.extend(content);
    out
}

pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, parts)
}

pub fn octets(content: &[u8]) -> Vec<u8> {
    tlv(0x04, &[content])
}

pub fn utf8(text: &str) -> Vec<u8> {
    tlv(0x0c, &[text.as_bytes()])
}

pub fn small(number: u8) -> Vec<u8> {
    tlv(0x02, &[&[number]])
}

pub fn oid(dotted: &str) -> Vec<u8> {
    let arcs = arcs(dotted);
    let mut content = Vec::new();
    for arc in std::iter::once(arcs[0] * 40 + arcs[1]).chain(arcs[2..].iter().copied()) {
        let mut groups = vec![u8::try_from(arc & 0x7f).unwrap()];
        let mut rest = arc >> 7;
        while rest > 0 {
            groups.push(0x80 | u8::try_from(rest & 0x7f).unwrap());
            rest >>= 7;
        }
        content.extend(groups.into_iter().rev());
    }
    tlv(0x06, &[&content])
}

pub fn arcs(dotted: &str) -> Vec<u64> {
    dotted.split('.').map(|arc| arc.parse().unwrap()).collect()
}
