#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

fn claims(value: Value) -> Claims {
    let Value::Object(members) = value else { panic!("claims are an object") };
    Claims::new(members)
}

#[test]
fn providers_are_data() {
    let table = "name = \"x\"\nsubject = \"{{ .url }}/{{ .path }}\"\n\
                 [defaults]\nurl = \"https://h.example\"\n\
                 [extensions]\nbuild-trigger = \"trigger\"\nsource-repository-ref = \"{{ index . \\\"r\\\" }}\"\n";
    let provider: CiProvider = toml::from_str(table).unwrap();
    let rendered = provider
        .render("https://id.example", &claims(json!({ "path": "p", "trigger": "t" })))
        .unwrap();
    assert_eq!(rendered.subject, "https://h.example/p");
    assert_eq!(rendered.extensions, [(20, "t".to_owned())]);
    let used: Vec<&str> = rendered.used.keys().map(String::as_str).collect();
    assert_eq!(used, ["path", "trigger"]);
    // A claim wins over a default.
    let other = json!({ "path": "p", "trigger": "t", "url": "https://other.example" });
    assert_eq!(
        provider.render("https://id.example", &claims(other)).unwrap().subject,
        "https://other.example/p"
    );

    for (from, to, named) in [
        ("build-trigger", "build-triger", "build-triger"),
        ("build-trigger", "issuer", "issuer"),
        ("build-trigger", "token-subject", "token-subject"),
        ("subject =", "subjekt =", "subjekt"),
        ("{{ .path }}", "{{ .path", "without"),
    ] {
        let error = toml::from_str::<CiProvider>(&table.replace(from, to)).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[test]
fn every_shipped_provider_reads() {
    for (name, _) in SHIPPED {
        assert_eq!(CiProvider::shipped(name).unwrap().name(), name);
    }
    assert_eq!(CiProvider::shipped("gitbub"), None);
}
