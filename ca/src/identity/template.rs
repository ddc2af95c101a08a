//! The template language in which a CI provider says what becomes of its claims.
//!
//! It is the part of Go's text/template that Fulcio's published configuration uses:
//! `{{ .claim }}` (must be there), `{{ index . "any/claim" }}` (empty if absent) and
//! `{{ if eq A B }}...{{ else }}...{{ end }}`. A value without braces is the name of a claim.
//! Everything is parsed when the configuration is read; rendering can only miss a claim.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

use super::claims::Claims;
use super::refusal::TokenRefusal;

mod parse;

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
    /// A provider without a subject.
    #[error("ci_provider {provider:?} has no subject")]
    NoSubject {
        /// Its name.
        provider: String,
    },
    /// An extension name that no certificate has.
    #[error("extension {name:?} is not known")]
    Extension {
        /// As configured.
        name: String,
    },
}

impl Template {
    /// True for the empty text, which renders to nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn render(&self, values: &mut Values<'_>) -> Result<String, TokenRefusal> {
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
pub(super) struct Values<'c> {
    claims: &'c Claims,
    defaults: &'c BTreeMap<String, String>,
    used: BTreeMap<String, String>,
}

impl<'c> Values<'c> {
    pub(super) fn new(claims: &'c Claims, defaults: &'c BTreeMap<String, String>) -> Self {
        Self { claims, defaults, used: BTreeMap::new() }
    }

    /// The claims that were read, with their text.
    pub(super) fn used(self) -> BTreeMap<String, String> {
        self.used
    }

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
        let Some(text) = self.claims.as_text(name)? else {
            return Ok(self.defaults.get(name).cloned());
        };
        self.used.insert(name.to_owned(), text.clone());
        Ok(Some(text))
    }
}

#[cfg(test)]
mod tests;
