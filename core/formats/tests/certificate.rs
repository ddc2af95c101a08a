//! Certificates: a passing twin, and what each rule refuses.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod forge;

use forge::{
    EKU, Forge, ISSUER_V1, ISSUER_V2, KEY_USAGE, SAN, email, extension, oid, san, tlv, uri,
};
use formats::certificate::{
    BasicConstraints, Certificate, CertificateError, DerError, GeneralName, IdentityError,
    SignatureAlgorithm, SubjectName, oid as ids,
};
use formats::key::KeyAlgorithm;
use proptest::prelude::*;

const STAGING_LEAF: &str = include_str!("data/certificates/fulcio-staging-leaf.pem");
const STAGING_CHAIN: &str = include_str!("data/certificates/fulcio-staging-chain.pem");

fn parse(forge: &Forge) -> Result<Certificate, CertificateError> {
    Certificate::from_der(&forge.der())
}

fn identity(forge: &Forge) -> Result<SubjectName, IdentityError> {
    parse(forge).unwrap().identity().map(|identity| identity.subject)
}

/// Expected values as `openssl x509 -text` prints them for the same file.
#[test]
fn reads_a_leaf_of_the_public_staging_instance() {
    let leaf = Certificate::from_pem(STAGING_LEAF).unwrap();
    assert_eq!(leaf.serial(), hex("57EDC91A0E280993B4221997BD9D3B08E70A7CD7"));
    assert_eq!(leaf.not_before(), 1_753_473_184);
    assert_eq!(leaf.not_after(), 1_753_473_784);
    assert_eq!(leaf.signature_algorithm(), SignatureAlgorithm::EcdsaSha384);
    assert_eq!(leaf.subject_dn(), [0x30, 0]);
    assert_eq!(leaf.basic_constraints(), None);
    assert!(leaf.key_usage().unwrap().digital_signature());
    assert!(!leaf.key_usage().unwrap().key_cert_sign());
    assert_eq!(leaf.extended_key_usages().unwrap(), [ids::EKU_CODE_SIGNING]);
    assert!(!leaf.extension(ids::EXTENDED_KEY_USAGE).unwrap().critical);
    assert!(leaf.extension(ids::SUBJECT_ALT_NAME).unwrap().critical);
    assert_eq!(leaf.subject_key_id().unwrap(), hex("852D22E4E1F0EB824B6F32855C63F17923C6E58A"));
    assert_eq!(leaf.public_key().unwrap().algorithm(), KeyAlgorithm::EcdsaP256);
    assert_eq!(leaf.to_pem(), STAGING_LEAF);

    let identity = leaf.identity().unwrap();
    let workflow = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
    assert_eq!(identity.subject, SubjectName::Uri(workflow.into()));
    assert_eq!(identity.issuer, "https://token.actions.githubusercontent.com");
    let claims = identity.extensions;
    assert_eq!(claims.github_workflow_trigger.as_deref(), Some("workflow_dispatch"));
    assert_eq!(claims.github_workflow_name.as_deref(), Some("Extremely dangerous OIDC beacon"));
    assert_eq!(claims.build_signer_uri.as_deref(), Some(workflow));
    assert_eq!(claims.runner_environment.as_deref(), Some("github-hosted"));
    assert_eq!(claims.source_repository_identifier.as_deref(), Some("632596897"));
    assert_eq!(claims.source_repository_owner_identifier.as_deref(), Some("131804563"));
    assert_eq!(claims.source_repository_visibility_at_signing.as_deref(), Some("public"));
    assert_eq!(claims.deployment_environment, None);
    assert_eq!(claims.token_subject, None);
    assert_eq!(claims.present().count(), 19);
}

#[test]
fn reads_authorities_and_their_key_identifiers() {
    let chain = Certificate::chain_from_pem(STAGING_CHAIN).unwrap();
    let [intermediate, root] = chain.as_slice() else { panic!("two certificates") };
    assert_eq!(root.basic_constraints(), Some(BasicConstraints { ca: true, path_len: None }));
    assert_eq!(
        intermediate.basic_constraints(),
        Some(BasicConstraints { ca: true, path_len: Some(0) })
    );
    assert_eq!(root.subject_text(), "O=sigstore.dev, CN=sigstore");
    assert_eq!(intermediate.issuer_text(), root.subject_text());
    assert!(root.is_self_issued() && !intermediate.is_self_issued());
    assert!(root.key_usage().unwrap().key_cert_sign() && root.key_usage().unwrap().crl_sign());
    assert_eq!(intermediate.issuer_dn(), root.subject_dn());
    assert_eq!(intermediate.authority_key_id(), root.subject_key_id());
    let leaf = Certificate::from_pem(STAGING_LEAF).unwrap();
    assert_eq!(leaf.authority_key_id(), intermediate.subject_key_id());
    assert_eq!(leaf.issuer_dn(), intermediate.subject_dn());
    assert_eq!(
        intermediate.identity(),
        Err(IdentityError::NoSubjectAltName),
        "an authority has no identity"
    );
}

#[test]
fn reads_each_signature_algorithm_it_takes() {
    let read = |pem| Certificate::from_pem(pem).map(|c| c.signature_algorithm());
    use SignatureAlgorithm::{EcdsaSha384, Ed25519, RsaPkcs1Sha256};
    assert_eq!(read(include_str!("data/certificates/openssl-rsa.pem")), Ok(RsaPkcs1Sha256));
    assert_eq!(read(include_str!("data/certificates/openssl-ed25519.pem")), Ok(Ed25519));
    let late = Certificate::from_pem(include_str!("data/certificates/openssl-p384.pem")).unwrap();
    assert_eq!(late.signature_algorithm(), EcdsaSha384);
    assert!(late.not_after() > 2_524_608_000, "a GeneralizedTime after 2050");
    assert_eq!(
        read(include_str!("data/certificates/openssl-sha1.pem")),
        Err(CertificateError::UnsupportedSignatureAlgorithm { oid: "1.2.840.113549.1.1.5".into() })
    );
}

#[test]
fn the_forged_twin_passes() {
    let leaf = parse(&Forge::leaf()).unwrap();
    assert_eq!(leaf.tbs(), Forge::leaf().tbs());
    assert_eq!(leaf.signature(), [0x30, 6, 2, 1, 1, 2, 1, 1]);
    assert_eq!(leaf.serial(), [0x12, 0x34]);
    assert_eq!(leaf.spki_der(), Forge::leaf().spki);
    assert_eq!(leaf.issuer_dn(), Forge::leaf().issuer);
    assert_eq!(leaf.extensions().len(), 5);
    assert_eq!(leaf.subject_alt_names(), Ok(vec![GeneralName::Email("signer@example.com".into())]));
    assert_eq!(identity(&Forge::leaf()), Ok(SubjectName::Email("signer@example.com".into())));
}

#[test]
fn only_version_3() {
    let version = |version: &[u8]| parse(&Forge { version: version.into(), ..Forge::leaf() });
    assert_eq!(version(&[]), Err(CertificateError::NotVersion3));
    assert_eq!(version(&[0xa0, 3, 2, 1, 1]), Err(CertificateError::NotVersion3));
    assert_eq!(version(&[0xa0, 3, 2, 1, 3]), Err(CertificateError::NotVersion3));
}

#[test]
fn both_signature_algorithms_are_the_same() {
    let mut other = Forge::leaf();
    other.outer_algorithm = tlv(0x30, &[&oid("1.2.840.10045.4.3.3")]);
    assert_eq!(parse(&other), Err(CertificateError::SignatureAlgorithmMismatch));
    let mut null = Forge::leaf();
    null.outer_algorithm = tlv(0x30, &[&oid("1.2.840.10045.4.3.2"), &[5, 0]]);
    null.inner_algorithm = null.outer_algorithm.clone();
    assert_eq!(parse(&null), Err(CertificateError::SignatureParameters));
}

#[test]
fn unique_identifiers_are_refused() {
    let forge = Forge { unique_ids: vec![0x81, 2, 0, 1], ..Forge::leaf() };
    assert_eq!(parse(&forge), Err(CertificateError::Der(DerError::TrailingBytes)));
}

#[test]
fn integers_and_times_are_canonical() {
    let serial = |der: &[u8]| parse(&Forge { serial: der.into(), ..Forge::leaf() }).err();
    assert_eq!(serial(&[2, 2, 0x00, 0x80]), None);
    assert_eq!(serial(&[2, 2, 0x00, 0x7f]), Some(DerError::BadInteger.into()));
    assert_eq!(serial(&[2, 1, 0x80]), Some(DerError::BadInteger.into()));
    assert_eq!(serial(&[2, 0]), Some(DerError::BadInteger.into()));
    let not_after = |der: Vec<u8>| parse(&Forge { not_after: der, ..Forge::leaf() }).err();
    assert_eq!(not_after(tlv(0x18, &[b"20500101000000Z"])), None);
    assert_eq!(not_after(tlv(0x17, &[b"2601010010Z"])), Some(DerError::BadTime.into()));
    assert_eq!(not_after(tlv(0x17, &[b"260101001000+0000"])), Some(DerError::BadTime.into()));
    assert_eq!(not_after(tlv(0x0c, &[b"260101001000Z"])), Some(DerError::UnexpectedElement.into()));
}

#[test]
fn known_extensions_are_well_formed() {
    let malformed = |id: &str| Some(CertificateError::MalformedExtension { oid: id.into() });
    let usage = |value: &[u8]| {
        parse(&Forge::leaf().replace(KEY_USAGE, extension(ids::KEY_USAGE, true, value))).err()
    };
    assert_eq!(usage(&[3, 2, 7, 0x80]), None);
    assert_eq!(usage(&[3, 2, 0, 0x80]), malformed(ids::KEY_USAGE), "unused bits not said");
    assert_eq!(usage(&[3, 1, 0]), malformed(ids::KEY_USAGE), "no bit at all");
    assert_eq!(usage(&[3, 2, 7, 0x80, 0]), malformed(ids::KEY_USAGE));
    let eku = |value: &[u8]| {
        parse(&Forge::leaf().replace(EKU, extension(ids::EXTENDED_KEY_USAGE, false, value))).err()
    };
    assert_eq!(eku(&tlv(0x30, &[&oid("1.2.3"), &oid("1.2.4")])), None);
    assert_eq!(eku(&[0x30, 0]), malformed(ids::EXTENDED_KEY_USAGE));
    let more =
        |id: &str, value: &[u8]| parse(&Forge::leaf().with(extension(id, false, value))).err();
    assert_eq!(more(ids::BASIC_CONSTRAINTS, &[0x30, 0]), None);
    assert_eq!(
        more(ids::BASIC_CONSTRAINTS, &[0x30, 3, 1, 1, 1]),
        malformed(ids::BASIC_CONSTRAINTS)
    );
    assert_eq!(more(ids::BASIC_CONSTRAINTS, &[0x30, 0, 0]), malformed(ids::BASIC_CONSTRAINTS));
    assert_eq!(more(ids::SUBJECT_KEY_ID, &[4, 1, 9]), None);
    assert_eq!(more(ids::SUBJECT_KEY_ID, &[5, 0]), malformed(ids::SUBJECT_KEY_ID));
    assert_eq!(more(ids::AUTHORITY_KEY_ID, &[0x30, 3, 0x80, 1, 9]), None);
    assert_eq!(more(ids::AUTHORITY_KEY_ID, &[4, 1, 9]), malformed(ids::AUTHORITY_KEY_ID));
}

#[test]
fn constraints_are_exposed_raw() {
    let value = tlv(0x30, &[&tlv(0xa0, &[&tlv(0x30, &[&email(b"example.com")])])]);
    let leaf = parse(&Forge::leaf().with(extension(ids::NAME_CONSTRAINTS, true, &value))).unwrap();
    let found = leaf.extension(ids::NAME_CONSTRAINTS).unwrap();
    assert!(found.critical);
    assert_eq!(found.value, value);
}

#[test]
fn nesting_and_lengths_bounded() {
    // Levels of SEQUENCE around nothing, written backwards to stay linear.
    let nest = |levels: usize| {
        let mut backwards = Vec::new();
        for _ in 0..levels {
            let length = backwards.len().to_be_bytes();
            let used: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            if backwards.len() < 0x80 {
                backwards.push(length[7]);
            } else {
                backwards.extend(used.iter().rev());
                backwards.push(0x80 | u8::try_from(used.len()).unwrap());
            }
            backwards.push(0x30);
        }
        backwards.reverse();
        backwards
    };
    // An issuer is two levels below the certificate; a SET and a SEQUENCE make it a name.
    let with_issuer = |issuer: Vec<u8>| parse(&Forge { issuer, ..Forge::leaf() });
    assert_eq!(
        with_issuer(nest(22)),
        Err(CertificateError::MalformedName { field: "issuer" }),
        "walked, and refused for what it is"
    );
    assert_eq!(with_issuer(nest(23)), Err(CertificateError::Der(DerError::TooDeep)));
    assert_eq!(Certificate::from_der(&nest(10_000)), Err(CertificateError::Der(DerError::TooDeep)));
    let bytes = nest(100_000).len();
    assert_eq!(Certificate::from_der(&nest(100_000)), Err(CertificateError::TooLarge { bytes }));

    let der = Forge::leaf().der();
    let mut long_form = der.clone();
    assert_eq!(long_form[1], 0x82);
    long_form.splice(1..2, [0x83, 0x00]);
    assert_eq!(Certificate::from_der(&long_form), Err(CertificateError::Der(DerError::BadLength)));
    let mut indefinite = der.clone();
    indefinite.splice(1..4, [0x80]);
    indefinite.extend([0, 0]);
    assert_eq!(Certificate::from_der(&indefinite), Err(CertificateError::Der(DerError::BadLength)));

    let two = [der.clone(), der.clone()].concat();
    assert_eq!(Certificate::from_der(&two), Err(CertificateError::Der(DerError::TrailingBytes)));
    let cut = der.get(..der.len() - 1).unwrap();
    assert_eq!(Certificate::from_der(cut), Err(CertificateError::Der(DerError::Truncated)));
    assert_eq!(Certificate::from_der(&[]), Err(CertificateError::Der(DerError::Truncated)));

    let many = (0..60)
        .fold(Forge::leaf(), |forge, n| forge.with(extension(&format!("1.2.3.{n}"), false, &[])));
    assert_eq!(parse(&many), Err(CertificateError::TooManyExtensions));
}

#[test]
fn san_bytes_printable() {
    let named = |name: &[u8]| Forge::leaf().replace(SAN, san(&[name]));
    assert_eq!(
        identity(&named(&email(b"a@corp.com"))),
        Ok(SubjectName::Email("a@corp.com".into()))
    );
    for bad in [
        &b"a@corp.com\0@evil.com"[..],
        b"a@corp.com\r\n",
        b"a@corp.com\n",
        b"a b@corp.com",
        b"a@corp.com\x7f",
        b"",
    ] {
        assert_eq!(identity(&named(&email(bad))), Err(IdentityError::UnprintableName), "{bad:?}");
        assert_eq!(identity(&named(&uri(bad))), Err(IdentityError::UnprintableName), "{bad:?}");
    }
    assert_eq!(
        identity(&named(&email("a@c\u{f6}rp.com".as_bytes()))),
        Err(IdentityError::MalformedSubjectAltName(DerError::BadString)),
        "not an IA5String"
    );
    let user = |name: &str| named(&forge::other_name(ids::FULCIO_OTHER_NAME, name));
    assert_eq!(identity(&user("z\u{fc}rich")), Ok(SubjectName::OtherName("z\u{fc}rich".into())));
    for bad in ["", "a\0b", "a\nb", "a\u{85}b"] {
        assert_eq!(identity(&user(bad)), Err(IdentityError::UnprintableName), "{bad:?}");
    }
}

#[test]
fn one_san_one_type() {
    let one = email(b"alice@corp.com");
    let forge = |names: &[&[u8]]| Forge::leaf().replace(SAN, san(names));
    assert_eq!(identity(&forge(&[&one])), Ok(SubjectName::Email("alice@corp.com".into())));
    assert_eq!(
        identity(&forge(&[&one, &one])),
        Err(IdentityError::SeveralSubjectAltNames { count: 2 })
    );
    assert_eq!(
        identity(&forge(&[&one, &tlv(0x87, &[&[127, 0, 0, 1]])])),
        Err(IdentityError::SeveralSubjectAltNames { count: 2 }),
        "names of a kind we do not read are counted"
    );
    assert_eq!(
        identity(&forge(&[])),
        Err(IdentityError::MalformedSubjectAltName(DerError::Truncated))
    );
    let dns = tlv(0x82, &[b"corp.com"]);
    assert_eq!(identity(&forge(&[&dns])), Err(IdentityError::UnsupportedNameKind));
    let foreign = forge::other_name("1.3.6.1.4.1.311.20.2.3", "alice@corp.com");
    assert_eq!(identity(&forge(&[&foreign])), Err(IdentityError::UnsupportedNameKind));

    // The same letters as a URI are another subject, not the e-mail address.
    let as_uri = identity(&forge(&[&uri(b"alice@corp.com")])).unwrap();
    assert_eq!(as_uri, SubjectName::Uri("alice@corp.com".into()));
    assert_ne!(as_uri, SubjectName::Email("alice@corp.com".into()));

    // A common name never stands in.
    let mut cn_only = Forge::leaf().without(SAN);
    let name = tlv(0x30, &[&oid("2.5.4.3"), &forge::utf8("alice@corp.com")]);
    cn_only.subject = tlv(0x30, &[&tlv(0x31, &[&name])]);
    assert_eq!(identity(&cn_only), Err(IdentityError::NoSubjectAltName));
}

#[test]
fn extensions_single_and_well_formed() {
    let issuer = |forge: &Forge| parse(forge).unwrap().identity().map(|identity| identity.issuer);
    let malformed = |id: &str| IdentityError::MalformedExtension { oid: id.into() };
    let v2 = |value: &[u8]| {
        Forge::leaf().replace(ISSUER_V2, extension(ids::FULCIO_ISSUER_V2, false, value))
    };
    assert_eq!(issuer(&Forge::leaf()), Ok("https://issuer.example".into()));

    let again = extension(ids::FULCIO_ISSUER_V2, false, &forge::utf8("https://issuer.example"));
    assert_eq!(
        parse(&Forge::leaf().with(again)),
        Err(CertificateError::DuplicateExtension { oid: ids::FULCIO_ISSUER_V2.into() })
    );
    let trailing = [forge::utf8("https://issuer.example"), vec![0]].concat();
    assert_eq!(issuer(&v2(&trailing)), Err(malformed(ids::FULCIO_ISSUER_V2)));
    assert_eq!(issuer(&v2(b"https://issuer.example")), Err(malformed(ids::FULCIO_ISSUER_V2)));
    assert_eq!(
        issuer(&v2(&tlv(0x13, &[b"https://issuer.example"]))),
        Err(malformed(ids::FULCIO_ISSUER_V2)),
        "a PrintableString is not a UTF8String"
    );
    assert_eq!(
        issuer(&v2(&forge::utf8("https://other.example"))),
        Err(IdentityError::IssuersDiffer {
            v1: "https://issuer.example".into(),
            v2: "https://other.example".into()
        })
    );
    assert_eq!(
        issuer(&Forge::leaf().without(ISSUER_V1)),
        Ok("https://issuer.example".into()),
        "the new one alone"
    );
    assert_eq!(
        issuer(&Forge::leaf().without(ISSUER_V2)),
        Ok("https://issuer.example".into()),
        "the old one alone, as before 2023"
    );
    assert_eq!(
        issuer(&Forge::leaf().without(ISSUER_V2).without(ISSUER_V1)),
        Err(IdentityError::NoIssuer)
    );
    assert_eq!(
        issuer(&v2(&forge::utf8("")).without(ISSUER_V1)),
        Err(malformed(ids::FULCIO_ISSUER_V2))
    );
    // A padded arc (the final 9 with 0x80 before it) would be a second spelling of one extension.
    let mut padded = Forge::leaf();
    let spelled = extension("1.3.6.1.4.1.57264.1.9", false, &forge::utf8("x"));
    let end = 2 + spelled[3] as usize + 1;
    let mut arc = spelled.clone();
    arc.insert(end, 0x80);
    arc[1] += 1;
    arc[3] += 1;
    padded.extensions.push(arc);
    assert_eq!(parse(&padded), Err(CertificateError::Der(DerError::BadOid)));
    assert!(parse(&Forge::leaf().with(spelled)).is_ok());

    let claim = |id: &str, value: &[u8]| {
        let leaf = parse(&Forge::leaf().with(extension(id, false, value))).unwrap();
        leaf.identity().map(|identity| identity.extensions)
    };
    let raw = claim("1.3.6.1.4.1.57264.1.6", "refs/heads/<\u{e9}>".as_bytes()).unwrap();
    assert_eq!(raw.github_workflow_ref.as_deref(), Some("refs/heads/<\u{e9}>"));
    let id = "1.3.6.1.4.1.57264.1.6";
    assert_eq!(claim(id, &[0xff]), Err(malformed(id)));
    let id = "1.3.6.1.4.1.57264.1.24";
    assert_eq!(claim(id, &forge::utf8("sub")).unwrap().token_subject.as_deref(), Some("sub"));
    assert_eq!(claim(id, b"sub"), Err(malformed(id)));
    assert!(claim("1.3.6.1.4.1.57264.1.99", b"anything").is_ok(), "later numbers are passed over");
}

#[test]
fn pem_blocks_are_exact() {
    let pem = Certificate::from_der(&Forge::leaf().der()).unwrap().to_pem();
    assert!(Certificate::from_pem(&pem).is_ok());
    assert!(Certificate::from_pem(&format!("\n{pem}\n")).is_ok());
    let two = format!("{pem}{pem}");
    assert_eq!(Certificate::from_pem(&format!("note\n{pem}")), Err(CertificateError::Pem));
    assert_eq!(Certificate::from_pem(&two), Err(CertificateError::Pem));
    assert_eq!(Certificate::chain_from_pem(&two).unwrap().len(), 2);
    assert_eq!(
        Certificate::from_pem(&pem.replace("CERTIFICATE", "PUBLIC KEY")),
        Err(CertificateError::Pem)
    );
    assert_eq!(Certificate::chain_from_pem(&format!("{pem}text{pem}")), Err(CertificateError::Pem));
    assert_eq!(Certificate::chain_from_pem(" \n"), Err(CertificateError::ChainLength { count: 0 }));
    assert_eq!(
        Certificate::chain_from_pem(&pem.repeat(11)),
        Err(CertificateError::ChainLength { count: 11 })
    );
}

/// A second parser, written by others, sees the same certificate.
#[test]
fn agrees_with_x509_parser() {
    for pem in [
        STAGING_LEAF,
        include_str!("data/certificates/openssl-final.pem"),
        include_str!("data/certificates/openssl-root.pem"),
        include_str!("data/certificates/openssl-rsa.pem"),
        include_str!("data/certificates/openssl-p384.pem"),
    ] {
        let ours = Certificate::from_pem(pem).unwrap();
        let (rest, theirs) = x509_parser::parse_x509_certificate(ours.der()).unwrap();
        assert!(rest.is_empty());
        assert_eq!(ours.tbs(), theirs.tbs_certificate.as_ref());
        assert_eq!(ours.serial(), theirs.raw_serial());
        assert_eq!(ours.issuer_dn(), theirs.issuer().as_raw());
        assert_eq!(ours.subject_dn(), theirs.subject().as_raw());
        assert_eq!(ours.spki_der(), theirs.public_key().raw);
        assert_eq!(ours.not_before(), theirs.validity().not_before.timestamp());
        assert_eq!(ours.not_after(), theirs.validity().not_after.timestamp());
        assert_eq!(ours.signature(), theirs.signature_value.data.as_ref());
        assert_eq!(ours.extensions().len(), theirs.extensions().len());
        for (ours, theirs) in ours.extensions().iter().zip(theirs.extensions()) {
            assert_eq!(ours.oid, theirs.oid.to_id_string());
            assert_eq!(ours.critical, theirs.critical);
            assert_eq!(ours.value, theirs.value);
        }
        let usage = theirs.key_usage().unwrap().map(|usage| usage.value.flags);
        assert_eq!(ours.key_usage().map(|usage| usage.bits()), usage);
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = Certificate::from_der(&bytes);
    }

    /// Any one byte of a real certificate changed: refused, or other bytes kept exactly.
    #[test]
    fn one_changed_byte_never_panics(at in 0..2000_usize, to in any::<u8>()) {
        let mut der = Certificate::from_pem(STAGING_LEAF).unwrap().der().to_vec();
        let at = at % der.len();
        der[at] = to;
        if let Ok(changed) = Certificate::from_der(&der) {
            prop_assert_eq!(changed.der(), &der[..]);
            let _ = changed.identity();
            let _ = changed.public_key();
            let _ = changed.subject_alt_names();
            let _ = formats::sct::embedded_scts(&changed);
            let _ = formats::sct::precert_tbs(&changed);
        }
    }

    #[test]
    fn every_name_is_read_back(name in "[!-~]{1,80}") {
        let named = |san| identity(&Forge::leaf().replace(SAN, san)).unwrap();
        prop_assert_eq!(
            named(san(&[&email(name.as_bytes())])),
            SubjectName::Email(name.clone())
        );
        prop_assert_eq!(named(san(&[&uri(name.as_bytes())])), SubjectName::Uri(name.clone()));
    }
}
