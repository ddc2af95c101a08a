//! A CI provider as data: templates that turn claims into a certificate subject and extensions.
//!
//! The language is the part of Go's text/template that Fulcio's published configuration uses:
//! `{{ .claim }}` (must be there), `{{ index . "any/claim" }}` (empty if absent) and
//! `{{ if eq A B }}...{{ else }}...{{ end }}`. A value without braces is the name of a claim.
//! Everything is parsed when the configuration is read; rendering can only miss a claim.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::claims::{Claims, wrong_type};
use super::refusal::TokenRefusal;

mod parse;

/// The templates of one CI provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ProviderTable")]
pub struct CiProvider {
    name: String,
    defaults: BTreeMap<String, String>,
    subject: Template,
    extensions: BTreeMap<u8, Template>,
}

impl CiProvider {
    /// A provider whose templates are shipped: `github-actions`.
    #[must_use]
    pub fn shipped(name: &str) -> Option<Self> {
        let (_, table) = SHIPPED.into_iter().find(|(shipped, _)| *shipped == name)?;
        toml::from_str(table).ok()
    }

    /// The name that a configuration uses for it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Renders every template over one token's claims.
    pub(super) fn render(&self, claims: &Claims) -> Result<Rendered, TokenRefusal> {
        let mut values = Values { claims, defaults: &self.defaults, used: BTreeMap::new() };
        let subject = self.subject.render(&mut values)?;
        let mut extensions = Vec::with_capacity(self.extensions.len());
        for (arc, template) in &self.extensions {
            let value = template.render(&mut values)?;
            if !value.is_empty() {
                extensions.push((*arc, value));
            }
        }
        Ok(Rendered { subject, extensions, used: values.used })
    }
}

/// What a provider's templates made of a token.
pub(super) struct Rendered {
    pub(super) subject: String,
    /// Last arc of 1.3.6.1.4.1.57264.1 and value, ascending, never empty.
    pub(super) extensions: Vec<(u8, String)>,
    /// The claims that were read, with their text.
    pub(super) used: BTreeMap<String, String>,
}

/// One parsed template.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(Operand),
    Choice { left: Operand, right: Operand, equal: Vec<Part>, otherwise: Vec<Part> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operand {
    /// `.name`: the claim must be there.
    Field(String),
    /// `index . "name"`: empty if absent.
    Index(String),
    /// `"text"`, in a comparison.
    Literal(String),
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateFault {
    /// `{{` without its `}}`.
    #[error("template {{{{ without }}}}")]
    Unclosed,
    /// An action outside the supported part of the language.
    #[error("template action {action:?} is not supported")]
    Action {
        /// What stands between the braces.
        action: String,
    },
    /// `else` or `end` without `if`, or a second `else`.
    #[error("template {word} without its if")]
    Stray {
        /// The word.
        word: &'static str,
    },
    /// `if` without `end`.
    #[error("template if without end")]
    Unended,
    /// Conditions inside conditions beyond any use.
    #[error("template conditions nested deeper than {limit}")]
    TooDeep {
        /// The cap.
        limit: usize,
    },
    /// An extension name that no certificate has.
    #[error("extension {name:?} is not known")]
    Extension {
        /// As configured.
        name: String,
    },
}

impl Template {
    fn render(&self, values: &mut Values<'_>) -> Result<String, TokenRefusal> {
        let mut out = String::new();
        render_parts(&self.0, values, &mut out)?;
        Ok(out)
    }
}

impl TryFrom<String> for Template {
    type Error = TemplateFault;

    fn try_from(text: String) -> Result<Self, TemplateFault> {
        parse::template(&text).map(Self)
    }
}

fn render_parts(
    parts: &[Part],
    values: &mut Values<'_>,
    out: &mut String,
) -> Result<(), TokenRefusal> {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Value(operand) => out.push_str(&values.read(operand)?),
            Part::Choice { left, right, equal, otherwise } => {
                let branch =
                    if values.read(left)? == values.read(right)? { equal } else { otherwise };
                render_parts(branch, values, out)?;
            }
        }
    }
    Ok(())
}

/// The claims over the provider's defaults, with a record of what was read.
struct Values<'c> {
    claims: &'c Claims,
    defaults: &'c BTreeMap<String, String>,
    used: BTreeMap<String, String>,
}

impl Values<'_> {
    fn read(&mut self, operand: &Operand) -> Result<String, TokenRefusal> {
        match operand {
            Operand::Literal(text) => Ok(text.clone()),
            Operand::Index(name) => Ok(self.find(name)?.unwrap_or_default()),
            Operand::Field(name) => {
                self.find(name)?.ok_or_else(|| TokenRefusal::ClaimMissing { claim: name.clone() })
            }
        }
    }

    fn find(&mut self, name: &str) -> Result<Option<String>, TokenRefusal> {
        let Some(value) = self.claims.get(name) else {
            return Ok(self.defaults.get(name).cloned());
        };
        let text = text_of(name, value)?;
        if text.chars().any(char::is_control) {
            return Err(TokenRefusal::ClaimControlCharacter { claim: name.to_owned() });
        }
        self.used.insert(name.to_owned(), text.clone());
        Ok(Some(text))
    }
}

/// A claim as certificate text: its very characters. A number that is not a whole one in 64 bits
/// has lost digits on the way, and lists have no text; both are refused rather than certified.
fn text_of(name: &str, value: &Value) -> Result<String, TokenRefusal> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        Value::Number(_) => Err(wrong_type(name, "a whole number of 64 bits")),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(wrong_type(name, "a string, a whole number or a boolean"))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderTable {
    name: String,
    #[serde(default)]
    defaults: BTreeMap<String, String>,
    subject: Template,
    #[serde(default)]
    extensions: BTreeMap<String, Template>,
}

impl TryFrom<ProviderTable> for CiProvider {
    type Error = TemplateFault;

    fn try_from(table: ProviderTable) -> Result<Self, TemplateFault> {
        let mut extensions = BTreeMap::new();
        for (name, template) in table.extensions {
            let known = EXTENSIONS.iter().find(|(_, known)| *known == name);
            let (arc, _) = known.ok_or(TemplateFault::Extension { name })?;
            extensions.insert(*arc, template);
        }
        Ok(Self { name: table.name, defaults: table.defaults, subject: table.subject, extensions })
    }
}

const SHIPPED: [(&str, &str); 1] =
    [("github-actions", include_str!("providers/github-actions.toml"))];

/// Last arcs of 1.3.6.1.4.1.57264.1 that templates may set, by Fulcio's configuration names. The
/// issuer (1 and 8) and the token's subject (24) are never a template's to say.
const EXTENSIONS: [(u8, &str); 20] = [
    (2, "github-workflow-trigger"),
    (3, "github-workflow-sha"),
    (4, "github-workflow-name"),
    (5, "github-workflow-repository"),
    (6, "github-workflow-ref"),
    (9, "build-signer-uri"),
    (10, "build-signer-digest"),
    (11, "runner-environment"),
    (12, "source-repository-uri"),
    (13, "source-repository-digest"),
    (14, "source-repository-ref"),
    (15, "source-repository-identifier"),
    (16, "source-repository-owner-uri"),
    (17, "source-repository-owner-identifier"),
    (18, "build-config-uri"),
    (19, "build-config-digest"),
    (20, "build-trigger"),
    (21, "run-invocation-uri"),
    (22, "source-repository-visibility-at-signing"),
    (23, "deployment-environment"),
];

#[cfg(test)]
mod tests;
