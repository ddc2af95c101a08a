#![allow(clippy::unwrap_used)]

use fetch::endpoint::Endpoint;
use fetch::named::Name;
use formats::digest::HashAlgorithm;

use super::*;

const ROOT_JSON: &str = "{\"signed\":{},\"signatures\":[]}";

/// The files of a real private instance, as `tests/data` has them, with a signing configuration.
fn source() -> Source {
    let trusted_root_json = include_str!("../../tests/data/trusted_root.json").to_owned();
    let service = |url: &str, version| {
        json!([{
            "url": url, "majorApiVersion": version, "operator": "example.com",
            "validFor": { "start": "2026-01-01T00:00:00Z" },
        }])
    };
    let signing_config_json = json!({
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": service("https://ca.example.com", 1),
        "oidcUrls": service("https://ca.example.com/oidc", 1),
        "rekorTlogUrls": service("https://log.example.com", 2),
        "tsaUrls": service("https://tsa.example.com/api/v1/timestamp", 1),
        "rekorTlogConfig": { "selector": "ANY" },
        "tsaConfig": { "selector": "ANY" },
    })
    .to_string();
    Source {
        record: Record {
            name: Name::parse("example").unwrap(),
            url: Endpoint::parse("https://ca.example.com").unwrap(),
            repository: Endpoint::parse("https://ca.example.com/tuf").unwrap(),
            fingerprint: HashAlgorithm::Sha256.digest(ROOT_JSON.as_bytes()),
        },
        root: ROOT_JSON.into(),
        trusted_root: TrustedRoot::from_json(trusted_root_json.as_bytes()).unwrap(),
        signing_config: SigningConfig::from_json(signing_config_json.as_bytes()).unwrap(),
        trusted_root_json,
        signing_config_json,
        client_id: "sigstore".into(),
    }
}

fn exported(client: Client) -> Exported {
    source().export(client, "out")
}

fn file(exported: &Exported, name: &str) -> String {
    exported.files.iter().find(|(known, _)| *known == name).unwrap().1.clone()
}

/// As `printf '{"signed":{},"signatures":[]}' | sha256sum` gives it.
const FINGERPRINT: &str = "bba28dcf6a727c9facf203874c9ff380a8cd5d6c7fe7339abbc0b58098e5d7c5";

#[test]
fn cosign_gets_root_and_files() {
    let exported = exported(Client::Cosign);
    assert_eq!(
        exported.lines[1],
        format!(
            "cosign initialize --mirror https://ca.example.com/tuf --root out/root.json \
             --root-checksum {FINGERPRINT}"
        )
    );
    let whom = "--bundle FILE.sigstore.json --certificate-identity WHO --certificate-oidc-issuer \
                URL FILE";
    assert_eq!(exported.lines[3], format!("cosign verify-blob {whom}"));
    assert!(exported.lines[5].contains("--signing-config out/signing_config.v0.2.json"));
    assert_eq!(
        exported.lines[6],
        format!("cosign verify-blob --trusted-root out/trusted_root.json {whom}")
    );
    assert_eq!(file(&exported, "root.json"), ROOT_JSON);
    assert_eq!(file(&exported, "trusted_root.json"), source().trusted_root_json);
}

#[test]
fn gitsign_gets_keys_and_settings() {
    let exported = exported(Client::Gitsign);
    let expected = [
        "gitsign initialize --mirror https://ca.example.com/tuf --root out/root.json",
        "export SIGSTORE_ROOT_FILE=out/fulcio.crt.pem",
        "export SIGSTORE_REKOR_PUBLIC_KEY=out/rekor.pub",
        "export SIGSTORE_CT_LOG_PUBLIC_KEY_FILE=out/ctfe.pub",
        "git config gpg.format x509",
        "git config gpg.x509.program gitsign",
        "git config gitsign.clientID sigstore",
        "git config gitsign.fulcio https://ca.example.com",
        "git config gitsign.rekor https://log.example.com",
        "git config gitsign.issuer https://ca.example.com/oidc",
        "# gitsign writes into Rekor v1 logs alone",
    ];
    assert_eq!(exported.lines, expected);
    let key = formats::key::PublicKey::from_pem(&file(&exported, "rekor.pub")).unwrap();
    assert_eq!(key, source().trusted_root.logs[0].key);
}

#[test]
fn python_gets_one_file_that_is_read_back() {
    let exported = exported(Client::SigstorePython);
    let config = file(&exported, "client_trust_config.json");
    let read = formats::signing_config::ClientTrustConfig::from_json(config.as_bytes()).unwrap();
    assert_eq!(read.signing_config, source().signing_config);
    assert_eq!(read.trusted_root, source().trusted_root);
    assert_eq!(
        exported.lines[1],
        "sigstore --instance https://ca.example.com/tuf trust-instance out/root.json"
    );
    assert_eq!(
        exported.lines[5..],
        [
            "sigstore --trust-config out/client_trust_config.json sign --oidc-client-id sigstore FILE",
            "sigstore --trust-config out/client_trust_config.json verify identity --cert-identity \
             WHO --cert-oidc-issuer URL FILE",
        ]
    );
}

#[test]
fn js_gets_a_module_that_signs() {
    let exported = exported(Client::SigstoreJs);
    let lines: Vec<_> = exported.lines.iter().filter(|line| !line.starts_with('#')).collect();
    let expected = [
        "sigstore initialize --mirror https://ca.example.com/tuf --root out/root.json",
        "SIGSTORE_ID_TOKEN=TOKEN node out/sign.mjs FILE sigstore",
        "sigstore verify FILE.sigstore.json --blob-file FILE --tuf-mirror-url \
         https://ca.example.com/tuf --tuf-root-path out/root.json --certificate-issuer URL \
         --certificate-identity-email WHO",
    ];
    assert_eq!(lines, expected);
    assert_eq!(file(&exported, "signing_config.v0.2.json"), source().signing_config_json);
    // The module reads the configuration beside it.
    assert!(file(&exported, "sign.mjs").contains("'signing_config.v0.2.json'"));
}

#[test]
fn policy_controller_gets_two_trust_roots() {
    let exported = exported(Client::PolicyController);
    let expected = format!(
        "apiVersion: policy.sigstore.dev/v1alpha1\nkind: TrustRoot\nmetadata:\n  name: example\n\
         spec:\n  remote:\n    mirror: \"https://ca.example.com/tuf\"\n    root: {}\n",
        STANDARD.encode(ROOT_JSON)
    );
    assert_eq!(file(&exported, "trust-root.yaml"), expected);
    let keys = file(&exported, "trust-root-keys.yaml");
    // The lists, of which this root has two, are in `sigstoreKeys`, not beside it.
    let names: Vec<_> =
        keys.lines().filter(|line| line.starts_with(' ') && line.ends_with("s:")).collect();
    assert_eq!(names, ["  sigstoreKeys:", "    tLogs:", "    timestampAuthorities:"]);
    assert!(keys.contains("\n    tLogs:\n    - baseURL: ") && keys.contains("\n      publicKey: "));
    let value = |name: &str| {
        let line = keys.lines().find(|line| line.trim().starts_with(name)).unwrap();
        STANDARD.decode(line.split(": ").nth(1).unwrap()).unwrap()
    };
    let key = String::from_utf8(value("publicKey:")).unwrap();
    let key = formats::key::PublicKey::from_pem(&key).unwrap();
    assert_eq!(key, source().trusted_root.logs[0].key);
}

#[test]
fn kyverno_gets_an_attestor() {
    let text = file(&exported(Client::Kyverno), "attestor.yaml");
    assert!(text.starts_with("attestors:\n- entries:\n  - keyless:\n      subject: \"WHO\"\n"));
    assert!(text.contains("      rekor:\n        url: \"https://log.example.com\"\n"));
    let key: String = source().trusted_root.logs[0].key.to_pem();
    let indented: String = key.lines().map(|line| format!("          {line}\n")).collect();
    assert!(text.contains(&format!("        pubkey: |-\n{indented}")), "{text}");
}

/// What an instance publishes is pasted into shells.
#[test]
fn nothing_that_is_published_becomes_a_command() {
    for (text, word) in [
        ("https://ca.example.com/a-b_c", "https://ca.example.com/a-b_c"),
        ("sigstore", "sigstore"),
        ("x; touch y", "'x; touch y'"),
        ("$(id)", "'$(id)'"),
        ("it's", "'it'\\''s'"),
        ("", "''"),
    ] {
        assert_eq!(quoted(text), word);
    }
}
