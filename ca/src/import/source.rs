//! A Fulcio configuration as it is written (fulcio pkg/config/config.go): in JSON with one set of
//! names, in YAML with another.
//!
//! Fulcio itself ignores names that it does not know, and reads as YAML what fails as JSON; either
//! way trust is lost or found without a word. Here the format is decided by the first character,
//! each format has its own names, and every other name is told.

use std::collections::BTreeMap;

use formats::json;
use thiserror::Error;
use yaml_serde::{Mapping, Value};

/// A configuration, field by field under the YAML names.
pub(super) struct Source {
    pub(super) issuers: Vec<Issuer>,
    pub(super) providers: Vec<Metadata>,
}

/// One issuer.
#[derive(Debug, Default)]
pub(super) struct Issuer {
    /// The name in the map: for a pattern it is the URL.
    pub(super) name: String,
    /// True below `meta-issuers`.
    pub(super) is_pattern: bool,
    /// The fields that are there and not empty.
    pub(super) fields: BTreeMap<&'static str, String>,
}

/// The templates of one CI provider.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) defaults: BTreeMap<String, String>,
    pub(super) subject: String,
    /// By the YAML names of the extensions.
    pub(super) extensions: BTreeMap<String, String>,
}

/// Why a text is no Fulcio configuration.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum SourceFault {
    /// Not JSON, though it begins with `{`.
    #[error("begins like JSON, and is not strict JSON: {0}")]
    Json(String),
    /// Not YAML.
    #[error("is not YAML, or has a key twice: {0}")]
    Yaml(String),
    /// More text than any configuration.
    #[error("is larger than {MAX_SOURCE} bytes")]
    TooLarge,
    /// Not a map, where Fulcio has one.
    #[error("{place} is not a map")]
    NotMap {
        /// Where.
        place: String,
    },
    /// Not a text, a number or a boolean, where Fulcio has a text.
    #[error("{place} is not a text")]
    NotText {
        /// Where.
        place: String,
    },
    /// Neither fixed issuers nor patterns.
    #[error("names no issuer: {0} and {1} are not there or empty")]
    NoIssuers(&'static str, &'static str),
}

impl Source {
    /// Reads a configuration; names that it has and Fulcio does not know go to `notes`.
    pub(super) fn read(text: &str, notes: &mut Vec<String>) -> Result<Self, SourceFault> {
        if text.len() > MAX_SOURCE {
            return Err(SourceFault::TooLarge);
        }
        let is_json = text.trim_start().starts_with('{');
        let names = if is_json { &JSON } else { &YAML };
        let whole = if is_json { from_json(text)? } else { from_yaml(text)? };
        let whole = map(&whole, "the file")?;
        let (mut issuers, mut providers) = (Vec::new(), Vec::new());
        for (key, value) in whole {
            let key = text_of(key, "a key")?;
            if key == names.issuers || key == names.patterns {
                let is_pattern = key == names.patterns;
                for (name, fields) in map(value, &key)? {
                    let name = text_of(name, &key)?;
                    issuers.push(issuer(name, is_pattern, fields, names, notes)?);
                }
            } else if key == names.providers {
                for (name, fields) in map(value, &key)? {
                    let name = text_of(name, &key)?;
                    providers.push(metadata(name, fields, names, notes)?);
                }
            } else if key != "define" || is_json {
                notes.push(format!("{key}: not a name of Fulcio's in this format; ignored"));
            }
        }
        if issuers.is_empty() {
            return Err(SourceFault::NoIssuers(names.issuers, names.patterns));
        }
        Ok(Self { issuers, providers })
    }
}

fn issuer(
    name: String,
    is_pattern: bool,
    fields: &Value,
    names: &Names,
    notes: &mut Vec<String>,
) -> Result<Issuer, SourceFault> {
    let mut found = BTreeMap::new();
    for (key, value) in map(fields, &name)? {
        let key = text_of(key, &name)?;
        let at = names.fields.iter().position(|known| *known == key);
        let Some(known) = at.and_then(|at| YAML.fields.get(at)) else {
            notes.push(format!("issuer {name}: {key} is not a name of Fulcio's here; ignored"));
            continue;
        };
        let text = text_of(value, &format!("{name}: {key}"))?;
        if !text.is_empty() {
            found.insert(*known, text);
        }
    }
    Ok(Issuer { name, is_pattern, fields: found })
}

fn metadata(
    name: String,
    fields: &Value,
    names: &Names,
    notes: &mut Vec<String>,
) -> Result<Metadata, SourceFault> {
    let mut metadata = Metadata { name, ..Metadata::default() };
    for (key, value) in map(fields, &metadata.name)? {
        let key = text_of(key, &metadata.name)?;
        let place = format!("{}: {key}", metadata.name);
        if key == names.defaults {
            metadata.defaults = texts(value, &place)?;
        } else if key == names.templates {
            metadata.extensions = texts(value, &place)?;
        } else if key == names.subject {
            metadata.subject = text_of(value, &place)?;
        } else {
            notes.push(format!("ci provider {place} is not a name of Fulcio's here; ignored"));
        }
    }
    if std::ptr::eq(names, &JSON) {
        metadata.extensions = std::mem::take(&mut metadata.extensions)
            .into_iter()
            .map(|(name, template)| (kebab(&name), template))
            .collect();
    }
    Ok(metadata)
}

/// The YAML name of an extension out of its Go name: `SourceRepositoryURI` is
/// `source-repository-uri`.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    let mut before: Option<char> = None;
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        let begins = before.is_some_and(|before| {
            c.is_ascii_uppercase()
                && (before.is_ascii_lowercase()
                    || rest.peek().is_some_and(char::is_ascii_lowercase))
        });
        if begins {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
        before = Some(c);
    }
    out
}

fn from_json(text: &str) -> Result<Value, SourceFault> {
    let fault = |error: &dyn std::fmt::Display| SourceFault::Json(error.to_string());
    // Two equal names are refused, where Go would take the last.
    let value: serde_json::Value =
        json::from_slice_capped(text.as_bytes(), MAX_SOURCE).map_err(|error| fault(&error))?;
    yaml_serde::to_value(value).map_err(|error| fault(&error))
}

fn from_yaml(text: &str) -> Result<Value, SourceFault> {
    yaml_serde::from_str(text).map_err(|error| SourceFault::Yaml(error.to_string()))
}

fn map<'v>(value: &'v Value, place: &str) -> Result<&'v Mapping, SourceFault> {
    static EMPTY: std::sync::LazyLock<Mapping> = std::sync::LazyLock::new(Mapping::new);
    match value {
        Value::Mapping(map) => Ok(map),
        Value::Null => Ok(&EMPTY),
        _ => Err(SourceFault::NotMap { place: place.to_owned() }),
    }
}

fn texts(value: &Value, place: &str) -> Result<BTreeMap<String, String>, SourceFault> {
    map(value, place)?
        .iter()
        .map(|(key, value)| Ok((text_of(key, place)?, text_of(value, place)?)))
        .collect()
}

fn text_of(value: &Value, place: &str) -> Result<String, SourceFault> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(SourceFault::NotText { place: place.to_owned() }),
    }
}

/// The names of one format. The fields of both stand in the same order.
struct Names {
    issuers: &'static str,
    patterns: &'static str,
    providers: &'static str,
    fields: [&'static str; 13],
    defaults: &'static str,
    templates: &'static str,
    subject: &'static str,
}

static YAML: Names = Names {
    issuers: "oidc-issuers",
    patterns: "meta-issuers",
    providers: "ci-issuer-metadata",
    fields: [
        "issuer-url",
        "client-id",
        "type",
        "ci-provider",
        "issuer-claim",
        "subject-domain",
        "spiffe-trust-domain",
        "challenge-claim",
        "description",
        "contact",
        "environment",
        "ca-cert",
        "skip-email-verification",
    ],
    defaults: "default-template-values",
    templates: "extension-templates",
    subject: "subject-alternative-name-template",
};

static JSON: Names = Names {
    issuers: "OIDCIssuers",
    patterns: "MetaIssuers",
    providers: "CIIssuerMetadata",
    fields: [
        "IssuerURL",
        "ClientID",
        "Type",
        "CIProvider",
        "IssuerClaim",
        "SubjectDomain",
        "SPIFFETrustDomain",
        "ChallengeClaim",
        "Description",
        "Contact",
        "Environment",
        "CACert",
        "SkipEmailVerification",
    ],
    defaults: "DefaultTemplateValues",
    templates: "ExtensionTemplates",
    subject: "SubjectAlternativeNameTemplate",
};

const MAX_SOURCE: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_names_become_yaml_names() {
        for (go, yaml) in [
            ("SourceRepositoryURI", "source-repository-uri"),
            ("BuildSignerDigest", "build-signer-digest"),
            ("GithubWorkflowSHA", "github-workflow-sha"),
            ("SourceRepositoryVisibilityAtSigning", "source-repository-visibility-at-signing"),
            ("DeploymentEnvironment", "deployment-environment"),
            ("Issuer", "issuer"),
        ] {
            assert_eq!(kebab(go), yaml);
        }
    }
}
