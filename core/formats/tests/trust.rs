//! Trust roots and signing configurations: real ones in, every fault out by its own name.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod mutate;

use formats::json::JsonError;
use formats::key::{KeyAlgorithm, KeyDetails};
use formats::signing_config::{
    ClientTrustConfig, SelectError, Selector, Service, SigningConfig, SigningConfigError, select,
};
use formats::trusted_root::{SkipReason, TrustedRoot, TrustedRootError, Window, WindowError};
use merkle::note::key_id_ed25519;
use mutate::{at, objects, values, with, without};
use proptest::prelude::*;
use serde_json::{Value, json};

const PRODUCTION: &str = include_str!("data/sigstore-production-trusted_root.json");
const STAGING: &str = include_str!("data/sigstore-staging-trusted_root.json");
const LOCAL: &str = include_str!("data/trusted-root-rekorv2-tsa.json");
const PRODUCTION_SERVICES: &str = include_str!("data/sigstore-production-signing_config.json");
const LOCAL_SERVICES: &str = include_str!("data/signing-config.json");

fn root(value: &Value) -> Result<TrustedRoot, TrustedRootError> {
    TrustedRoot::from_json(value.to_string().as_bytes())
}

fn services(value: &Value) -> Result<SigningConfig, SigningConfigError> {
    SigningConfig::from_json(value.to_string().as_bytes())
}

#[test]
fn the_public_production_root_reads() {
    let root = TrustedRoot::from_json(PRODUCTION.as_bytes()).unwrap();
    assert_eq!(root.skipped, []);

    let [rekor1, rekor2] = &root.logs[..] else { panic!("two logs") };
    assert_eq!(rekor1.base_url, "https://rekor.sigstore.dev");
    assert_eq!(rekor1.key_details, KeyDetails::EcdsaP256Sha256);
    assert_eq!(rekor1.log_id, rekor1.key.id(), "v1: SHA-256 of the SubjectPublicKeyInfo");
    // 2021-01-12T11:53:27Z
    assert_eq!(rekor1.window, Window { start: 1_610_452_407, end: None });
    assert_eq!(rekor2.key.algorithm(), KeyAlgorithm::Ed25519);
    let raw = <[u8; 32]>::try_from(rekor2.key.raw()).unwrap();
    assert_eq!(
        rekor2.log_id,
        key_id_ed25519("log2025-1.rekor.sigstore.dev", &raw),
        "v2: the note's key ID, whole"
    );

    assert_eq!(root.ct_logs.len(), 2);
    for log in &root.ct_logs {
        assert_eq!(log.log_id, log.key.id(), "RFC 6962 section 3.2");
    }
    // 2022-10-31T23:59:59.999Z, its fraction cut off.
    assert_eq!(root.ct_logs[0].window.end, Some(1_667_260_799));

    let lengths = |list: &[formats::trusted_root::CertificateAuthority]| {
        list.iter().map(|authority| authority.chain.len()).collect::<Vec<_>>()
    };
    assert_eq!(lengths(&root.authorities), [1, 2]);
    assert_eq!(lengths(&root.timestamp_authorities), [2]);
    let fulcio = &root.authorities[1];
    assert_eq!(
        (fulcio.subject_org.as_str(), fulcio.subject_cn.as_str()),
        ("sigstore.dev", "sigstore")
    );
    assert_eq!(fulcio.uri, "https://fulcio.sigstore.dev");
    assert_eq!(fulcio.chain[0].issuer_dn(), fulcio.chain[1].subject_dn(), "anchor last");
}

/// What we write holds what we read, member by member, but for fractions of seconds.
#[test]
fn trust_roots_are_written_as_they_were_read() {
    for json in [PRODUCTION, LOCAL] {
        let root = TrustedRoot::from_json(json.as_bytes()).unwrap();
        let written = root.to_json();
        assert_eq!(TrustedRoot::from_json(written.as_bytes()), Ok(root));
        let mut expected: Value =
            serde_json::from_str(&json.replace("59.999Z", "59Z").replace(".000Z", "Z")).unwrap();
        for list in ["tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities"] {
            expected.as_object_mut().unwrap().entry(list).or_insert(json!([]));
        }
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), expected);
    }
}

#[test]
fn what_every_client_demands_of_a_root_is_written() {
    let mut root = TrustedRoot::from_json(LOCAL.as_bytes()).unwrap();
    let id = root.logs[0].log_id.to_vec();
    let written = |root: &TrustedRoot| serde_json::from_str::<Value>(&root.to_json()).unwrap();
    let plain = written(&root);
    assert_eq!(plain["mediaType"], "application/vnd.dev.sigstore.trustedroot+json;version=0.1");
    assert_eq!(
        plain["tlogs"][0]["publicKey"]["validFor"],
        json!({"start": "2024-01-01T00:00:00Z"})
    );
    assert_eq!(plain["timestampAuthorities"][0]["validFor"]["start"], "2026-11-22T03:06:37Z");
    assert_eq!(plain["tlogs"][0].get("checkpointKeyId"), None);

    root.logs[0].checkpoint_key_id = Some(id.get(..4).unwrap().to_vec());
    assert_eq!(written(&root)["tlogs"][0].get("checkpointKeyId"), None, "never cut short");
    root.logs[0].checkpoint_key_id = Some(id);
    let log_id = plain["tlogs"][0]["logId"].clone();
    assert_eq!(written(&root)["tlogs"][0]["checkpointKeyId"], log_id);
    root.logs[0].operator = "example.com".to_owned();
    assert_eq!(TrustedRoot::from_json(root.to_json().as_bytes()), Ok(root));
}

#[test]
fn unknown_key_skipped_not_trusted() {
    let root = TrustedRoot::from_json(STAGING.as_bytes()).unwrap();
    assert_eq!((root.logs.len(), root.ct_logs.len()), (4, 3));
    assert_eq!(root.skipped.len(), 1, "an RSA key in PKCS #1");
    assert_eq!(root.skipped[0].list, "ctlogs");
    assert_eq!(root.skipped[0].base_url, "https://ctfe.sigstage.dev/test");
    assert_eq!(
        root.skipped[0].reason,
        SkipReason::UnknownKeyDetails { name: "PKCS1_RSA_PKCS1V5".to_owned() }
    );

    let key = "/tlogs/0/publicKey";
    let good = self::root(&serde_json::from_str(PRODUCTION).unwrap()).unwrap();
    for (pointer, value, reason) in [
        ("keyDetails", json!("PKIX_ED25519"), SkipReason::KeyDetailsMismatch),
        (
            "keyDetails",
            json!("PKIX_ED25519_NEW"),
            SkipReason::UnknownKeyDetails { name: "PKIX_ED25519_NEW".to_owned() },
        ),
        ("keyDetails", json!(""), SkipReason::UnknownKeyDetails { name: String::new() }),
    ] {
        let root = self::root(&with(PRODUCTION, &format!("{key}/{pointer}"), value)).unwrap();
        assert_eq!(root.skipped[0].reason, reason);
        assert_eq!(root.skipped[0].log_id, good.logs[0].log_id);
        assert_eq!(root.logs, good.logs.get(1..).unwrap(), "the good one works");
    }
    let broken = self::root(&with(PRODUCTION, &format!("{key}/rawBytes"), json!("MAA="))).unwrap();
    assert!(matches!(broken.skipped[0].reason, SkipReason::Key(_)));
    assert_eq!(broken.logs.len(), 1);
}

#[test]
fn windows_enforced() {
    for (list, valid_for) in [
        ("tlogs", "publicKey/validFor"),
        ("ctlogs", "publicKey/validFor"),
        ("certificateAuthorities", "validFor"),
        ("timestampAuthorities", "validFor"),
    ] {
        let pointer = format!("/{list}/0/{valid_for}");
        let fault = |fault| Err(TrustedRootError::Window { list, index: 0, fault });
        for bare in [
            without(PRODUCTION, &pointer),
            with(PRODUCTION, &pointer, Value::Null),
            with(PRODUCTION, &pointer, json!({})),
            with(PRODUCTION, &pointer, json!({"end": "2030-01-01T00:00:00Z"})),
        ] {
            assert_eq!(root(&bare), fault(WindowError::NoStart), "{list}");
        }
        let reversed = json!({"start": "2024-01-02T00:00:00Z", "end": "2024-01-01T00:00:00Z"});
        assert_eq!(root(&with(PRODUCTION, &pointer, reversed)), fault(WindowError::Reversed));
        assert_eq!(
            root(&with(PRODUCTION, &pointer, json!({"start": "soon"}))),
            fault(WindowError::NotATime { text: "soon".to_owned() })
        );
        let future = json!({"start": "2999-01-01T00:00:00Z"});
        assert!(root(&with(PRODUCTION, &pointer, future)).is_ok(), "future ones are announced");
    }
    // A key we could not use still needs its window: leaving it out is not a way past the rule.
    let mut odd = with(PRODUCTION, "/tlogs/0/publicKey/keyDetails", json!("X"));
    odd["tlogs"][0]["publicKey"].as_object_mut().unwrap().remove("validFor");
    assert!(matches!(root(&odd), Err(TrustedRootError::Window { list: "tlogs", .. })));
}

#[test]
fn media_types_of_roots_are_exact() {
    for unknown in [
        "",
        "application/vnd.dev.sigstore.trustedroot.v0.2+json",
        "application/vnd.dev.sigstore.trustedroot.v0.1+json",
        "application/vnd.dev.sigstore.trustedroot+json;version=0.2",
    ] {
        assert_eq!(
            root(&with(LOCAL, "/mediaType", json!(unknown))),
            Err(TrustedRootError::UnknownMediaType { found: unknown.to_owned() })
        );
    }
}

#[test]
fn faults_of_logs_refuse_the_root() {
    let (list, index) = ("tlogs", 0);
    for name in ["", "SHA2_512", "HASH_ALGORITHM_UNSPECIFIED"] {
        assert_eq!(
            root(&with(LOCAL, "/tlogs/0/hashAlgorithm", json!(name))),
            Err(TrustedRootError::HashAlgorithm { list, index, found: name.to_owned() })
        );
    }
    assert_eq!(
        root(&without(LOCAL, "/tlogs/0/publicKey")),
        Err(TrustedRootError::NoPublicKey { list, index })
    );
    assert_eq!(
        root(&without(LOCAL, "/tlogs/0/logId")),
        Err(TrustedRootError::LogIdLength { list, index, bytes: 0 })
    );
    assert_eq!(
        root(&with(LOCAL, "/tlogs/0/logId/keyId", json!("AAAA"))),
        Err(TrustedRootError::LogIdLength { list, index, bytes: 3 })
    );
    for (member, field) in
        [("logId/keyId", "logId.keyId"), ("publicKey/rawBytes", "publicKey.rawBytes")]
    {
        assert_eq!(
            root(&with(LOCAL, &format!("/tlogs/0/{member}"), json!("AA"))),
            Err(TrustedRootError::Base64 { list, index, field })
        );
    }
}

/// `pick_by_key_not_name`, the half of loading: an ID that could mean two keys means none.
#[test]
fn one_log_id_two_keys_is_a_load_error() {
    let first = at(PRODUCTION, "/ctlogs/0/logId");
    assert_eq!(
        root(&with(PRODUCTION, "/ctlogs/1/logId", first)),
        Err(TrustedRootError::LogIdClash { list: "ctlogs", index: 1 })
    );
    // The same key with two windows is one key.
    let twin = at(PRODUCTION, "/ctlogs/0");
    assert_eq!(root(&with(PRODUCTION, "/ctlogs/1", twin)).unwrap().ct_logs.len(), 2);
}

#[test]
fn faults_of_authorities_refuse_the_root() {
    let list = "timestampAuthorities";
    let chain = format!("/{list}/0/certChain");
    for empty in [Value::Null, json!({}), json!({"certificates": []})] {
        assert_eq!(
            root(&with(LOCAL, &chain, empty)),
            Err(TrustedRootError::EmptyChain { list, index: 0 })
        );
    }
    let second = format!("{chain}/certificates/1/rawBytes");
    assert!(matches!(
        root(&with(LOCAL, &second, json!("MAA="))),
        Err(TrustedRootError::Certificate {
            list: "timestampAuthorities",
            index: 0,
            certificate: 1,
            ..
        })
    ));
    assert_eq!(
        root(&with(LOCAL, &second, json!("MAA"))),
        Err(TrustedRootError::Base64 { list, index: 0, field: "certChain.certificates.rawBytes" })
    );
}

#[test]
fn lists_of_roots_are_capped() {
    let log = at(LOCAL, "/tlogs/0");
    let of = |count| with(LOCAL, "/tlogs", Value::Array(vec![log.clone(); count]));
    assert_eq!(root(&of(256)).unwrap().logs.len(), 256);
    assert_eq!(
        root(&of(257)),
        Err(TrustedRootError::TooMany { list: "tlogs", count: 257, limit: 256 })
    );
}

#[test]
fn arrays_are_no_messages() {
    for pointer in objects(PRODUCTION).iter().filter(|pointer| !pointer.is_empty()) {
        assert!(
            matches!(
                root(&with(PRODUCTION, pointer, json!([]))),
                Err(TrustedRootError::Json(JsonError::Schema { .. }))
            ),
            "{pointer}"
        );
    }
    for pointer in objects(LOCAL_SERVICES).iter().filter(|pointer| !pointer.is_empty()) {
        assert!(
            matches!(
                services(&with(LOCAL_SERVICES, pointer, json!([]))),
                Err(SigningConfigError::Json(JsonError::Schema { .. }))
            ),
            "{pointer}"
        );
    }
    assert!(TrustedRoot::from_json(b"[]").is_err());
    assert!(SigningConfig::from_json(b"[]").is_err());
    assert!(ClientTrustConfig::from_json(b"[]").is_err());
}

#[test]
fn unknown_members_refused_everywhere() {
    for json in [PRODUCTION, LOCAL] {
        for pointer in objects(json) {
            assert!(
                matches!(
                    root(&with(json, &format!("{pointer}/later"), json!(1))),
                    Err(TrustedRootError::Json(JsonError::Schema { .. }))
                ),
                "{pointer}"
            );
        }
    }
    for json in [PRODUCTION_SERVICES, LOCAL_SERVICES] {
        for pointer in objects(json) {
            assert!(
                matches!(
                    services(&with(json, &format!("{pointer}/later"), json!(1))),
                    Err(SigningConfigError::Json(JsonError::Schema { .. }))
                ),
                "{pointer}"
            );
        }
    }
}

/// Every value in turn becomes one of another type: nothing panics, what parses reads back.
#[test]
fn root_and_config_parsers_are_total() {
    let odd = [Value::Null, json!(1), json!(-1.5), json!(""), json!("AA=="), json!([]), json!({})];
    for pointer in values(PRODUCTION) {
        for value in &odd {
            if let Ok(mut root) = root(&with(PRODUCTION, &pointer, value.clone())) {
                root.skipped.clear();
                assert_eq!(TrustedRoot::from_json(root.to_json().as_bytes()), Ok(root));
            }
        }
    }
    for pointer in values(PRODUCTION_SERVICES) {
        for value in &odd {
            if let Ok(config) = services(&with(PRODUCTION_SERVICES, &pointer, value.clone())) {
                assert_eq!(SigningConfig::from_json(config.to_json().as_bytes()), Ok(config));
            }
        }
    }
}

#[test]
fn real_signing_configs_read_and_are_written() {
    let public = SigningConfig::from_json(PRODUCTION_SERVICES.as_bytes()).unwrap();
    assert_eq!(public.ca.len(), 1);
    assert_eq!(public.log_selector, Selector::Any);
    assert_eq!(
        public.select_tsas(1_800_000_000, &[1]).unwrap()[0].url,
        "https://timestamp.sigstore.dev/api/v1/timestamp"
    );
    let expected: Value = serde_json::from_str(&PRODUCTION_SERVICES.replace(".000Z", "Z")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&public.to_json()).unwrap(), expected);

    let local = SigningConfig::from_json(LOCAL_SERVICES.as_bytes()).unwrap();
    assert_eq!((local.ca.len(), local.oidc.len()), (0, 0));
    assert_eq!(local.logs[0].major, 2);
    let mut expected: Value = serde_json::from_str(LOCAL_SERVICES).unwrap();
    expected["caUrls"] = json!([]);
    expected["oidcUrls"] = json!([]);
    assert_eq!(serde_json::from_str::<Value>(&local.to_json()).unwrap(), expected);
}

#[test]
fn faults_of_services_have_their_names() {
    let list = "rekorTlogUrls";
    let service = |member: &str| format!("/{list}/0/{member}");
    for (pointer, expected) in [
        (service("url"), SigningConfigError::NoUrl { list, index: 0 }),
        (service("majorApiVersion"), SigningConfigError::NoMajorVersion { list, index: 0 }),
        (
            service("validFor"),
            SigningConfigError::Window { list, index: 0, fault: WindowError::NoStart },
        ),
        ("/rekorTlogConfig".to_owned(), SigningConfigError::NoSelector { list }),
        (
            "/rekorTlogConfig/selector".to_owned(),
            SigningConfigError::UnknownSelector { list, found: String::new() },
        ),
        ("/mediaType".to_owned(), SigningConfigError::UnknownMediaType { found: String::new() }),
    ] {
        assert_eq!(services(&without(LOCAL_SERVICES, &pointer)), Err(expected));
    }
    let selection = |value| services(&with(LOCAL_SERVICES, "/rekorTlogConfig", value));
    assert_eq!(selection(json!({"selector": "EXACT"})), Err(SigningConfigError::NoCount { list }));
    assert_eq!(
        selection(json!({"selector": "EXACT", "count": 2})).unwrap().log_selector,
        Selector::Exact(2)
    );
    assert_eq!(selection(json!({"selector": "ALL"})).unwrap().log_selector, Selector::All);
    assert_eq!(
        services(&with(
            LOCAL_SERVICES,
            "/mediaType",
            json!("application/vnd.dev.sigstore.signingconfig.v0.1+json")
        )),
        Err(SigningConfigError::UnknownMediaType {
            found: "application/vnd.dev.sigstore.signingconfig.v0.1+json".to_owned()
        })
    );
}

#[test]
fn selectors_are_written_with_their_lists_only() {
    let mut config = SigningConfig::from_json(LOCAL_SERVICES.as_bytes()).unwrap();
    config.log_selector = Selector::Exact(3);
    config.tsas.clear();
    let written: Value = serde_json::from_str(&config.to_json()).unwrap();
    assert_eq!(written["rekorTlogConfig"], json!({"selector": "EXACT", "count": 3}));
    assert_eq!(written.get("tsaConfig"), None);
    assert_eq!(SigningConfig::from_json(config.to_json().as_bytes()), Ok(config));
}

fn service(url: &str, major: u32, start: i64, operator: &str) -> Service {
    let window = Window { start, end: None };
    Service { url: url.to_owned(), major, window, operator: operator.to_owned() }
}

fn chosen(services: &[Service], selector: Selector) -> Result<Vec<&str>, SelectError> {
    let choice = select(services, selector, 100, &[1, 2])?;
    Ok(choice.into_iter().map(|service| service.url.as_str()).collect())
}

#[test]
fn services_are_chosen_by_the_rules() {
    let list = [
        service("a1", 1, 50, "a"),
        service("a2-old", 2, 10, "a"),
        service("a2-new", 2, 20, "a"),
        service("b2", 2, 15, "b"),
        service("c3", 3, 1, "c"),
        service("d2-future", 2, 101, "d"),
    ];
    assert_eq!(chosen(&list, Selector::All), Ok(vec!["a2-new", "b2"]), "one of each operator");
    assert_eq!(chosen(&list, Selector::Any), Ok(vec!["a2-new"]), "the newest");
    assert_eq!(chosen(&list, Selector::Exact(1)), Ok(vec!["a2-new"]));
    assert_eq!(chosen(&list, Selector::Exact(2)), Ok(vec!["a2-new", "b2"]));
    assert_eq!(
        chosen(&list, Selector::Exact(3)),
        Err(SelectError::TooFew { available: 2, wanted: 3 })
    );
    assert_eq!(chosen(&list, Selector::Exact(0)).unwrap().len(), 1, "never none");
    let only_v1 = select(&list, Selector::All, 100, &[1]).unwrap();
    assert_eq!(only_v1[0].url, "a1", "the highest major both sides speak");
    assert_eq!(select(&list, Selector::All, 100, &[7]), Err(SelectError::NoService));
    assert_eq!(select(&list, Selector::All, 0, &[1, 2, 3]), Err(SelectError::NoService));
    assert_eq!(select(&[], Selector::All, 100, &[1]), Err(SelectError::NoService));
}

#[test]
fn a_service_is_usable_to_the_end_of_its_window() {
    let ending = |end| {
        let window = Window { start: 1, end: Some(end) };
        [Service { window, ..service("a", 1, 1, "a") }]
    };
    assert!(chosen(&ending(100), Selector::Any).is_ok());
    assert_eq!(chosen(&ending(99), Selector::Any), Err(SelectError::NoService));
}

#[test]
fn empty_lists_turn_a_step_off_and_dead_ones_do_not() {
    let mut config = SigningConfig::from_json(LOCAL_SERVICES.as_bytes()).unwrap();
    let now = 1_800_000_000;
    assert_eq!(config.select_logs(now, &[2]).unwrap().len(), 1);
    assert_eq!(config.select_logs(now, &[1]), Err(SelectError::NoService));
    assert_eq!(config.select_logs(0, &[2]), Err(SelectError::NoService));
    config.logs.clear();
    assert_eq!(config.select_logs(now, &[2]), Ok(Vec::new()));
    assert_eq!(config.select_ca(now, &[1]), Err(SelectError::NoService));
    assert_eq!(config.select_oidc(now, &[1]), Err(SelectError::NoService));
}

#[test]
fn client_trust_configs_hold_both() {
    let config = ClientTrustConfig {
        trusted_root: TrustedRoot::from_json(LOCAL.as_bytes()).unwrap(),
        signing_config: SigningConfig::from_json(LOCAL_SERVICES.as_bytes()).unwrap(),
    };
    let json = config.to_json();
    let written: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(written["mediaType"], "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json");
    let part = |name: &str| written[name].to_string();
    assert_eq!(
        TrustedRoot::from_json(part("trustedRoot").as_bytes()).as_ref(),
        Ok(&config.trusted_root)
    );
    assert_eq!(
        SigningConfig::from_json(part("signingConfig").as_bytes()).as_ref(),
        Ok(&config.signing_config)
    );
    assert_eq!(ClientTrustConfig::from_json(json.as_bytes()), Ok(config));

    let parse = |value: &Value| ClientTrustConfig::from_json(value.to_string().as_bytes());
    assert_eq!(parse(&without(&json, "/trustedRoot")), Err(SigningConfigError::NoTrustedRoot));
    assert_eq!(parse(&without(&json, "/signingConfig")), Err(SigningConfigError::NoSigningConfig));
    assert_eq!(
        parse(&with(&json, "/mediaType", json!("x"))),
        Err(SigningConfigError::UnknownMediaType { found: "x".to_owned() })
    );
    assert_eq!(
        parse(&with(&json, "/trustedRoot/mediaType", json!("x"))),
        Err(SigningConfigError::TrustedRoot(TrustedRootError::UnknownMediaType {
            found: "x".to_owned()
        }))
    );
}

fn some_services() -> impl Strategy<Value = Vec<Service>> {
    let end = proptest::option::of(2_000_000_000_i64..4_000_000_000);
    let one = ("(?s).{1,20}", 1..=u32::MAX, 0..2_000_000_000_i64, end, "(?s).{0,20}").prop_map(
        |(url, major, start, end, operator)| Service {
            url,
            major,
            window: Window { start, end },
            operator,
        },
    );
    proptest::collection::vec(one, 1..4)
}

fn any_selector() -> impl Strategy<Value = Selector> {
    prop_oneof![Just(Selector::All), Just(Selector::Any), (1..=u32::MAX).prop_map(Selector::Exact)]
}

proptest! {
    #[test]
    fn signing_configs_read_back(
        ca in some_services(),
        oidc in some_services(),
        logs in some_services(),
        tsas in some_services(),
        log_selector in any_selector(),
        tsa_selector in any_selector(),
    ) {
        let config = SigningConfig { ca, oidc, logs, tsas, log_selector, tsa_selector };
        prop_assert_eq!(SigningConfig::from_json(config.to_json().as_bytes()), Ok(config));
    }

    /// Whatever is chosen was offered, is usable now, and is one of its operator and version.
    #[test]
    fn choices_keep_the_rules(services in some_services(), selector in any_selector()) {
        let now = 1_000_000_000;
        let supported = services.iter().map(|service| service.major).collect::<Vec<_>>();
        if let Ok(choice) = select(&services, selector, now, &supported) {
            prop_assert!(!choice.is_empty());
            for (index, service) in choice.iter().enumerate() {
                prop_assert!(service.window.contains(now));
                prop_assert_eq!(service.major, choice[0].major);
                let others = choice.iter().skip(index + 1);
                prop_assert!(others.clone().all(|other| other.operator != service.operator));
            }
        }
    }
}
