#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

fn claims(value: Value) -> Claims {
    let Value::Object(members) = value else { panic!("claims are an object") };
    Claims::new(members)
}

fn render(template: &str, value: Value) -> Result<String, TokenRefusal> {
    let template = Template::try_from(template.to_owned()).unwrap();
    let defaults = BTreeMap::from([("url".to_owned(), "https://h.example".to_owned())]);
    let claims = claims(value);
    template.render(&mut Values::new(&claims, &defaults))
}

#[test]
fn the_language() {
    let data = || json!({ "a": "A", "b": "B", "x.y/z": "dotted", "e": "" });
    for (template, expected) in [
        ("", ""),
        ("a", "A"),
        ("url", "https://h.example"),
        ("{{ .a }}", "A"),
        ("{{.a}}", "A"),
        ("{{.url}}/{{ .a }}-{{ .b }}.", "https://h.example/A-B."),
        ("{{ index . \"x.y/z\" }}", "dotted"),
        ("{{(index . \"x.y/z\")}}", "dotted"),
        ("<{{ index . \"missing\" }}>", "<>"),
        ("{{if eq .a \"A\"}}same{{ else }}other{{end}}", "same"),
        ("{{if eq .a .b}}same{{ else }}other{{end}}", "other"),
        ("{{ if eq (index . \"missing\") \"\" }}none{{ end }}", "none"),
        ("{{ if eq .a .b }}same{{ end }}", ""),
        ("{{if eq .a \"A\"}}{{if eq .b \"A\"}}1{{else}}{{.b}}{{end}}{{end}}", "B"),
        // A branch that is not taken may name a claim that is not there.
        ("{{if eq .a \"A\"}}yes{{else}}{{.missing}}{{end}}", "yes"),
    ] {
        assert_eq!(render(template, data()).as_deref(), Ok(expected), "{template}");
    }
    for template in ["missing", "{{ .missing }}", "{{if eq .missing \"\"}}{{end}}"] {
        let refusal = TokenRefusal::ClaimMissing { claim: "missing".to_owned() };
        assert_eq!(render(template, data()), Err(refusal), "{template}");
    }
}

#[test]
fn other_templates_are_refused_when_read() {
    let action = |action: &str| TemplateFault::Action { action: action.to_owned() };
    for (template, fault) in [
        ("{{ .a", TemplateFault::Unclosed),
        ("{{ .a.b }}", action(" .a.b ")),
        ("{{ . }}", action(" . ")),
        ("{{ a }}", action(" a ")),
        ("{{}}", action("")),
        ("{{- .a -}}", action("- .a -")),
        ("{{ \"text\" }}", action(" \"text\" ")),
        ("{{ .a | html }}", action(" .a | html ")),
        ("{{ printf \"%s\" .a }}", action(" printf \"%s\" .a ")),
        ("{{ index . \"a\\\"b\" }}", action(" index . \"a\\\"b\" ")),
        ("{{ index . \"a }}", action(" index . \"a ")),
        ("{{ range .a }}{{ end }}", action(" range .a ")),
        ("{{ if .a }}{{ end }}", action(" if .a ")),
        ("{{ if eq .a }}{{ end }}", action(" if eq .a ")),
        ("{{ if eq .a \"b\" \"c\" }}{{ end }}", action(" if eq .a \"b\" \"c\" ")),
        ("{{ if eq .a \"b\" }}", TemplateFault::Unended),
        ("{{ if eq .a \"b\" }}{{ else }}", TemplateFault::Unended),
        ("{{ else }}", TemplateFault::Stray { word: "else" }),
        ("x{{ end }}", TemplateFault::Stray { word: "end" }),
        ("{{ if eq .a .b }}{{ else }}{{ else }}{{ end }}", TemplateFault::Stray { word: "else" }),
    ] {
        assert_eq!(Template::try_from(template.to_owned()), Err(fault), "{template}");
    }
    let deep = |n: usize| {
        let text = format!("{}{}", "{{if eq .a .a}}".repeat(n), "{{end}}".repeat(n));
        Template::try_from(text)
    };
    assert!(deep(8).is_ok());
    assert_eq!(deep(9), Err(TemplateFault::TooDeep { limit: 8 }));
}

#[test]
fn values_are_verbatim() {
    for (value, text) in [
        (json!("<script>&\u{e9}\u{1f600}"), "<script>&\u{e9}\u{1f600}"),
        (json!(9_007_199_254_740_993_u64), "9007199254740993"),
        (json!(u64::MAX), "18446744073709551615"),
        (json!(-7), "-7"),
        (json!(true), "true"),
        (json!("{{ .b }}"), "{{ .b }}"),
    ] {
        assert_eq!(render("a", json!({ "a": value })).as_deref(), Ok(text));
    }
    let wrong = |value: Value| render("a", json!({ "a": value })).unwrap_err();
    let claim = || "a".to_owned();
    assert_eq!(wrong(json!(null)), TokenRefusal::ClaimMissing { claim: claim() });
    for value in [json!(1.5), json!(1.2e8), json!(1e20)] {
        let expected = "a whole number of 64 bits";
        assert_eq!(wrong(value), TokenRefusal::ClaimType { claim: claim(), expected });
    }
    for value in [json!([]), json!(["x"]), json!({})] {
        let expected = "a string, a whole number or a boolean";
        assert_eq!(wrong(value), TokenRefusal::ClaimType { claim: claim(), expected });
    }
    for value in ["a\0b", "a\nb", "a\r", "\u{7f}", "\u{85}"] {
        assert_eq!(wrong(json!(value)), TokenRefusal::ClaimControlCharacter { claim: claim() });
    }
}

proptest::proptest! {
    #[test]
    fn no_template_panics(text in "(\\{\\{|\\}\\}| |if|eq|else|end|index|\\.|\\(|\\)|\"|[a-z]|\u{e9}){0,24}") {
        if let Ok(template) = Template::try_from(text) {
            let claims = claims(json!({ "a": "b" }));
            let defaults = BTreeMap::new();
            let mut values = Values::new(&claims, &defaults);
            let _ = template.render(&mut values);
        }
    }
}
