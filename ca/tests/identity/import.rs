//! `ca import-fulcio-config`: what Fulcio trusts, what is left out, and why.

use std::path::{Path, PathBuf};

use ca::config::Config;
use ca::identity::{IssuerConfig, IssuerKind};
use ca::import::{self, ImportError, Imported, SourceFault};
use serde_json::json;

use crate::kinds::verify_under;
use crate::pinned::*;
use crate::pipelines::{GITHUB, verify_workflow, workflow};

const YAML: &str = include_str!("../data/import/fulcio.yaml");
const JSON: &str = include_str!("../data/import/fulcio.json");

const BASE: &str = r#"
name = "Example"
[listen]
address = "127.0.0.1:8700"
[urls]
ca = "https://ca.example.com"
log = "https://log.example.com"
ct = "https://ct.example.com"
tsa = "https://tsa.example.com/api/v1/timestamp"
"#;

fn config_of(imported: &Imported) -> Config {
    Config::parse(Path::new("ca.toml"), &format!("{BASE}\n{}", imported.toml)).unwrap()
}

fn entry<'c>(config: &'c Config, url: &str) -> &'c IssuerConfig {
    config.issuers.iter().find(|issuer| issuer.url == url).unwrap()
}

#[test]
fn the_published_configurations_structure_is_imported() {
    let imported = import::import(YAML).unwrap();
    let config = config_of(&imported);
    let urls: Vec<&str> = config.issuers.iter().map(|issuer| issuer.url.as_str()).collect();
    assert_eq!(
        urls,
        [
            "https://accounts.google.com",
            "https://gitlab.com",
            "https://issuer.enforce.dev",
            "https://oidc.circleci.com",
            "https://token.actions.githubusercontent.com",
            "https://spire.example.com",
            "https://users.example.com",
            "https://private.example.com",
            "https://typo.example.com",
            "https://*.oic.prod-aks.azure.com/*",
            "https://oidc.eks.*.amazonaws.com/id/*",
            "https://token.actions.githubusercontent.com/*",
        ]
    );
    assert_eq!(imported.issuers, urls.len());
    assert!(config.issuers.iter().all(|issuer| issuer.client_id == "sigstore"));
    let spire = &entry(&config, "https://spire.example.com").kind;
    assert_eq!(*spire, IssuerKind::Spiffe { trust_domain: "td.example.com".to_owned() });
    let private = entry(&config, "https://private.example.com");
    let pem = PathBuf::from("issuers/private.example.com.pem");
    assert_eq!(private.keys.ca_cert.as_ref(), Some(&pem));
    assert_eq!(imported.files.len(), 1);
    assert_eq!(imported.files[0].0, pem);
    assert!(imported.files[0].1.starts_with("-----BEGIN CERTIFICATE-----\nMIIB\n"));
}

#[test]
fn what_is_left_out_is_named_with_its_reason() {
    let imported = import::import(YAML).unwrap();
    for (who, why) in [
        ("issuer https://accounts.example.com", "left out: subject_domain"),
        ("issuer https://odd.example.com", "left out: type \"tekton-task\""),
        ("issuer https://moved.example.com", "left out: its issuer-url is not its name"),
        ("issuer https://typo.example.com", "isuer-claim is not a name"),
        ("issuer https://ranged.example.com", "left out: provider \"ranged\""),
        ("issuer https://*.com/*", "left out: issuer url"),
        ("ci provider ranged", "left out: template action"),
        ("ci provider gitlab-pipeline", "the template issuer is ignored"),
        ("issuer https://oauth2.sigstore.dev/auth", "issuer_claim_values"),
        ("issuer https://adfs.example.com", "skip-email-verification"),
        ("issuer https://accounts.google.com", "nobody may sign until [[issuer.allow]]"),
        ("issuer https://oidc.eks.*.amazonaws.com/id/*", "nobody may sign until"),
    ] {
        let said = imported.notes.iter().any(|note| note.starts_with(who) && note.contains(why));
        assert!(said, "{who}: {why}\n{}", imported.notes.join("\n"));
    }
    let quiet = ["issuer https://spire.example.com", "issuer https://users.example.com"];
    for who in quiet {
        assert!(!imported.notes.iter().any(|note| note.starts_with(who)), "{who}");
    }
    assert_eq!(imported.notes.len(), 18, "{}", imported.notes.join("\n"));

    // What waits for a decision is there as a comment, and is an entry once that is taken.
    let decided = imported
        .toml
        .replace("# [[issuer]]\n# url = \"https://oauth2", "[[issuer]]\nurl = \"https://oauth2")
        .replace("# client_id", "client_id")
        .replace("# type", "type")
        .replace("# issuer_claim = ", "issuer_claim = ");
    let open = decided.replace("# issuer_claim_values", "issuer_claim_values");
    let refused = Config::parse(Path::new("ca.toml"), &format!("{BASE}\n{open}"));
    assert!(refused.is_err(), "an empty list is no decision");
}

#[test]
fn imported_templates_say_what_the_shipped_ones_say() {
    let imported = import::import(YAML).unwrap();
    let config = config_of(&imported);
    let shipped = verify_workflow(&workflow()).unwrap();
    let token = dev().mint(&workflow()).unwrap();
    let identity = verify_under(vec![entry(&config, GITHUB).clone()], &token).unwrap();
    assert_eq!(identity.subject(), shipped.subject());
    assert_eq!(identity.extensions(), shipped.extensions());

    let mut claims = workflow();
    for (name, value) in [
        ("iss", json!("https://gitlab.com")),
        ("ci_config_ref_uri", json!("gitlab.com/g/p//.gitlab-ci.yml@refs/tags/v1")),
        ("ci_config_sha", json!("0a1b")),
        ("ref_type", json!("tag")),
        ("ref", json!("v1")),
    ] {
        claims[name] = value;
    }
    let gitlab = entry(&config, "https://gitlab.com").clone();
    let identity = verify_under(vec![gitlab], &dev().mint(&claims).unwrap()).unwrap();
    let config_uri = "https://gitlab.com/g/p//.gitlab-ci.yml@refs/tags/v1";
    assert_eq!(identity.subject().as_str(), config_uri);
    let expected: Vec<(u8, String)> = [(9, config_uri), (10, "0a1b"), (14, "refs/tags/v1")]
        .into_iter()
        .map(|(number, text)| (number, text.to_owned()))
        .collect();
    assert_eq!(identity.extensions(), expected);
}

#[test]
fn json_has_names_of_its_own() {
    let imported = import::import(JSON).unwrap();
    let config = config_of(&imported);
    let urls: Vec<&str> = config.issuers.iter().map(|issuer| issuer.url.as_str()).collect();
    assert_eq!(
        urls,
        [
            "https://container.googleapis.com/v1/projects/*/locations/*/clusters/*",
            "https://forge.example.com",
            "https://kubernetes.default.svc",
        ],
        "by name: the members of a JSON object have no order"
    );
    let mut claims = workflow();
    claims["iss"] = json!("https://forge.example.com");
    claims["visibility"] = json!("public");
    let forge = entry(&config, "https://forge.example.com").clone();
    let identity = verify_under(vec![forge], &dev().mint(&claims).unwrap()).unwrap();
    let numbers: Vec<u8> = identity.extensions().iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [3, 12, 22]);

    // The names of the other format are no names, so that nothing is trusted that Fulcio did not.
    let renamed = JSON.replace("OIDCIssuers", "oidc-issuers");
    let urls = config_of(&import::import(&renamed).unwrap()).issuers.len();
    assert_eq!(urls, 1, "the pattern alone");
    let renamed =
        YAML.replace("oidc-issuers", "OIDCIssuers").replace("meta-issuers", "MetaIssuers");
    let refused = import::import(&renamed).unwrap_err();
    assert_eq!(refused, SourceFault::NoIssuers("oidc-issuers", "meta-issuers"));
}

#[test]
fn doubtful_files_are_refused_whole() {
    let twice = "oidc-issuers:\n  https://a.example: {issuer-url: https://a.example}\n  \
                 https://a.example: {issuer-url: https://b.example}\n";
    assert!(matches!(import::import(twice), Err(SourceFault::Yaml(_))));
    let twice =
        JSON.replace("\"Type\": \"kubernetes\"", "\"Type\": \"email\", \"Type\": \"kubernetes\"");
    assert!(matches!(import::import(&twice), Err(SourceFault::Json(_))));
    // Fulcio reads as YAML what fails as JSON; a comma too many would empty its trust.
    let comma = JSON.replacen("},", "},,", 1);
    assert!(matches!(import::import(&comma), Err(SourceFault::Json(_))));
    for (text, fault) in [
        ("", SourceFault::NoIssuers("oidc-issuers", "meta-issuers")),
        ("{}", SourceFault::NoIssuers("OIDCIssuers", "MetaIssuers")),
        ("- a", SourceFault::NotMap { place: "the file".to_owned() }),
        ("oidc-issuers: [a]", SourceFault::NotMap { place: "oidc-issuers".to_owned() }),
        (
            "oidc-issuers: {a: {type: [email]}}",
            SourceFault::NotText { place: "a: type".to_owned() },
        ),
    ] {
        assert_eq!(import::import(text).unwrap_err(), fault, "{text}");
    }
    assert_eq!(import::import(&" ".repeat(1024 * 1024 + 1)).unwrap_err(), SourceFault::TooLarge);
    assert!(import::import("a: 1\n---\nb: 2\n").is_err());
    assert!(import::import("a: &a\n  b: *a\n").is_err());
}

#[test]
fn hostile_text_stays_text() {
    let yaml = "oidc-issuers:\n  https://a.example:\n    issuer-url: https://a.example\n    \
                client-id: \"x\\\"\\nurl = \\\"https://evil.example\\\"\\n[[issuer]]\\n\"\n    type: email\n";
    let imported = import::import(yaml).unwrap();
    assert_eq!((imported.issuers, imported.toml.as_str()), (0, ""), "{:?}", imported.notes);
    let yaml = "oidc-issuers:\n  https://a.example:\n    issuer-url: https://a.example\n    \
                client-id: sigstore\n    type: email\n    \
                description: \"x\\n[[issuer]]\\nurl = \\\"https://evil.example\\\"\\e[2J\"\n";
    let imported = import::import(yaml).unwrap();
    assert_eq!(config_of(&imported).issuers.len(), 1);
    assert!(!imported.toml.contains('\u{1b}'));
}

#[test]
fn an_instance_takes_all_of_it_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.toml");
    std::fs::write(&file, BASE).unwrap();
    let imported = import::import(YAML).unwrap();
    import::append(&imported, folder.path()).unwrap();
    let config = Config::read(folder.path()).unwrap();
    assert_eq!(config.issuers.len(), imported.issuers);
    let pem = folder.path().join("issuers/private.example.com.pem");
    assert_eq!(config.issuers.iter().find_map(|i| i.keys.ca_cert.clone()), Some(pem.clone()));
    assert_eq!(std::fs::read_to_string(&pem).unwrap(), imported.files[0].1);

    // A second time everything would stand twice.
    let before = std::fs::read_to_string(&file).unwrap();
    let refused = import::append(&imported, folder.path()).unwrap_err();
    assert!(matches!(refused, ImportError::Refused(_)), "{refused}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
}
