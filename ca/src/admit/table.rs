//! `[[issuer.allow]]` as it is written, and which keys there are.
//!
//! Each key reads one claim. Which one depends on what the issuer vouches for: a `namespace` is
//! another thing at GitLab than in Kubernetes.

use serde::Deserialize;
use toml::{Table, Value};

use super::fault::{RuleFault, ValueFault};
use super::glob::Glob;
use super::public::is_public;
use super::rules::{AllowRules, Condition, Pattern, Rule, Test};
use crate::identity::config::Names;

/// The `allow` tables of one entry of ca.toml, not read yet: what their keys mean depends on the
/// rest of the entry.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct AllowTables(Option<Vec<Table>>);

/// What an issuer vouches for, and so which keys its rules may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vocabulary {
    /// People with an e-mail address.
    People,
    /// GitHub Actions.
    GitHub,
    /// GitLab CI.
    GitLab,
    /// Service accounts of a cluster.
    Kubernetes,
    /// Anything else: `subject` and `claims`.
    Other,
}

/// Whom an issuer vouches for, and so what no rules and too few rules would mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breadth {
    /// Those whom the operator lets in there: without rules, all of them may sign.
    Own,
    /// The public: without rules nobody may sign.
    Public,
    /// Whole clouds, behind one entry with `*` in its URL: as the public, and a rule about names
    /// that every tenant gives out by itself must say which tenant.
    Wildcard,
}

impl Breadth {
    /// The breadth of an `[[issuer]]` with this URL.
    #[must_use]
    pub fn of_issuer(url: &str) -> Self {
        if url.starts_with(GITHUB_ENTERPRISES) {
            Self::Public
        } else if url.contains('*') {
            Self::Wildcard
        } else if is_public(url) {
            Self::Public
        } else {
            Self::Own
        }
    }

    /// What holds where an entry, which `place` names, has no rules.
    #[must_use]
    pub fn unstated(self, place: String) -> AllowRules {
        match self {
            Self::Own => AllowRules::whoever(place),
            Self::Public | Self::Wildcard => AllowRules::nobody(place),
        }
    }
}

impl AllowTables {
    /// Reads the rules. `place` names the entry of ca.toml in messages.
    ///
    /// # Errors
    /// The [`RuleFault`] of the first thing wrong.
    pub fn read(
        self,
        vocabulary: Vocabulary,
        place: String,
        breadth: Breadth,
    ) -> Result<AllowRules, RuleFault> {
        let Some(tables) = self.0 else { return Ok(breadth.unstated(place)) };
        if tables.is_empty() {
            return Err(RuleFault::NoRules);
        }
        let mut rules = Vec::with_capacity(tables.len());
        for (before, table) in tables.into_iter().enumerate() {
            let names_tenant = table.contains_key(ISSUER.name) || table.contains_key(ANYONE);
            if breadth == Breadth::Wildcard && !names_tenant {
                return Err(RuleFault::AnyTenant { rule: before + 1 });
            }
            rules.push(rule(table, vocabulary, before + 1)?);
        }
        Ok(AllowRules::of(place, rules))
    }
}

impl Vocabulary {
    const fn keys(self) -> &'static [Key] {
        match self {
            Self::People => PEOPLE,
            Self::GitHub => GITHUB,
            Self::GitLab => GITLAB,
            Self::Kubernetes => KUBERNETES,
            Self::Other => &[],
        }
    }

    fn find(self, name: &str) -> Option<&'static Key> {
        self.keys().iter().chain([&SUBJECT, &ISSUER]).find(|key| key.name == name)
    }

    fn names(self) -> Names {
        self.keys()
            .iter()
            .map(|key| key.name)
            .chain([SUBJECT.name, ISSUER.name, CLAIMS, ANYONE])
            .collect()
    }
}

/// One key: its name, the claim that it reads (member names from the top) and its values.
struct Key {
    name: &'static str,
    claim: &'static [&'static str],
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// An address, exact.
    Address,
    /// A domain, exact, compared with what follows the `@` of an address.
    Domain,
    /// A decimal number.
    Id,
    /// Exact: a name that anyone could take a similar one of.
    Exact,
    /// May hold stars.
    Glob,
    /// May hold stars behind the first `/`.
    Owned,
    /// A path, `@` and a ref. The two cannot be told apart again once they are one text (a branch
    /// may be called `a@refs/tags/v1`, a file `a.yml@b.yml`), so the whole is compared: without
    /// `**` before the `@`, each segment of the path stands against its own.
    Workflow,
    /// The one value `true`.
    True,
}

const fn key(name: &'static str, claim: &'static [&'static str], form: Form) -> Key {
    Key { name, claim, form }
}

/// The raw `sub`, at every issuer.
const SUBJECT: Key = key("subject", &["sub"], Form::Exact);
/// The `iss` as the token has it, for entries with `*` in their URL.
const ISSUER: Key = key("issuer", &["iss"], Form::Exact);
/// An inner table: any claim by its name.
const CLAIMS: &str = "claims";
/// A rule that holds for everyone.
const ANYONE: &str = "anyone";

const PEOPLE: &[Key] = &[
    key("email", &["email"], Form::Address),
    key("email_domain", &["email"], Form::Domain),
    key("group", &["groups"], Form::Exact),
];

const GITHUB: &[Key] = &[
    key("organization", &["repository_owner"], Form::Exact),
    key("organization_id", &["repository_owner_id"], Form::Id),
    key("repository", &["repository"], Form::Owned),
    key("repository_id", &["repository_id"], Form::Id),
    key("workflow", &["job_workflow_ref"], Form::Workflow),
    key("ref", &["ref"], Form::Glob),
    key("environment", &["environment"], Form::Glob),
    key("event", &["event_name"], Form::Exact),
    key("visibility", &["repository_visibility"], Form::Exact),
];

/// `ref` reads `ref_path` (`refs/heads/main`): GitLab's own `ref` is `v1` for a branch and for a
/// tag of that name, and only one of the two may be protected.
const GITLAB: &[Key] = &[
    key("namespace", &["namespace_path"], Form::Owned),
    key("namespace_id", &["namespace_id"], Form::Id),
    key("project", &["project_path"], Form::Owned),
    key("project_id", &["project_id"], Form::Id),
    key("protected_ref", &["ref_protected"], Form::True),
    key("ref", &["ref_path"], Form::Glob),
    key("environment", &["environment"], Form::Glob),
];

const KUBERNETES: &[Key] = &[
    key("namespace", &["kubernetes.io", "namespace"], Form::Glob),
    key("service_account", &["kubernetes.io", "serviceaccount", "name"], Form::Glob),
];

fn rule(table: Table, vocabulary: Vocabulary, rule: usize) -> Result<Rule, RuleFault> {
    if table.is_empty() {
        return Err(RuleFault::Empty { rule });
    }
    if let Some(anyone) = table.get(ANYONE) {
        return match (anyone, table.len()) {
            (Value::Boolean(true), 1) => Ok(Rule(Vec::new())),
            (Value::Boolean(true), _) => Err(RuleFault::AnyoneAndMore { rule }),
            _ => Err(RuleFault::OnlyTrue { rule, key: ANYONE.to_owned() }),
        };
    }
    let mut conditions = Vec::with_capacity(table.len());
    for (name, value) in table {
        if name == CLAIMS {
            let Value::Table(claims) = value else {
                return Err(RuleFault::Type { rule, key: name, expected: "a table of claims" });
            };
            any_claims(rule, &name, &mut Vec::new(), claims, &mut conditions)?;
            continue;
        }
        let Some(key) = vocabulary.find(&name) else {
            return Err(RuleFault::Key { rule, key: name, known: vocabulary.names() });
        };
        conditions.push(key.condition(rule, value)?);
    }
    Ok(Rule(conditions))
}

impl Key {
    fn condition(&self, rule: usize, value: Value) -> Result<Condition, RuleFault> {
        let values = match (self.form, value) {
            (Form::True, Value::Boolean(true)) => vec!["true".to_owned()],
            (Form::True, _) => return Err(RuleFault::OnlyTrue { rule, key: self.name.to_owned() }),
            (Form::Id, value) => scalars(rule, self.name, value, "a number, or a list of numbers")?,
            (_, value) => strings(rule, self.name, value)?,
        };
        for value in &values {
            self.form.check(value).map_err(|fault| RuleFault::Value {
                rule,
                key: self.name.to_owned(),
                value: value.clone(),
                fault,
            })?;
        }
        Ok(Condition {
            key: self.name.to_owned(),
            claim: self.claim.iter().map(|&name| name.to_owned()).collect(),
            test: match self.form {
                Form::Domain => Test::Domain(values),
                _ => Test::OneOf(values.into_iter().map(pattern).collect()),
            },
            personal: self.form == Form::Address || self.name == SUBJECT.name,
        })
    }
}

/// `claims = { … }`, and tables within it, each key of which goes one member deeper.
fn any_claims(
    rule: usize,
    label: &str,
    path: &mut Vec<String>,
    table: Table,
    conditions: &mut Vec<Condition>,
) -> Result<(), RuleFault> {
    if table.is_empty() {
        return Err(RuleFault::Empty { rule });
    }
    for (name, value) in table {
        let label = format!("{label}.{name}");
        path.push(name);
        if let Value::Table(inner) = value {
            any_claims(rule, &label, path, inner, conditions)?;
        } else {
            let expected = "a string, a whole number, a boolean, or a list of those";
            let values = scalars(rule, &label, value, expected)?;
            for value in &values {
                Form::Glob.check(value).map_err(|fault| RuleFault::Value {
                    rule,
                    key: label.clone(),
                    value: value.clone(),
                    fault,
                })?;
            }
            conditions.push(Condition {
                key: label,
                claim: path.clone(),
                personal: values.iter().any(|value| value.contains('@')),
                test: Test::OneOf(values.into_iter().map(pattern).collect()),
            });
        }
        path.pop();
    }
    Ok(())
}

impl Form {
    fn check(self, value: &str) -> Result<(), ValueFault> {
        if value.is_empty() {
            return Err(ValueFault::Empty);
        }
        if value.len() > MAX_VALUE_BYTES {
            return Err(ValueFault::TooLong);
        }
        if value.chars().any(char::is_control) {
            return Err(ValueFault::Control);
        }
        if value.chars().all(|c| matches!(c, '*' | '/')) {
            return Err(ValueFault::Anything);
        }
        let starred = value.contains('*');
        if starred && Glob::read(value).is_none() {
            return Err(ValueFault::Stars);
        }
        let first = value.split('/').next().unwrap_or_default();
        match self {
            Self::Address if starred => Err(ValueFault::NoGlob),
            Self::Address if value.matches('@').count() != 1 => Err(ValueFault::Address),
            Self::Domain if starred || value.contains('@') || !value.contains('.') => {
                Err(ValueFault::Domain)
            }
            Self::Id if !value.bytes().all(|b| b.is_ascii_digit()) => Err(ValueFault::Id),
            Self::Exact if starred => Err(ValueFault::NoGlob),
            Self::Owned | Self::Workflow if first.contains('*') => Err(ValueFault::AnyOwner),
            Self::Workflow => match value.split_once('@') {
                Some((path, name)) if !path.contains("**") && !name.starts_with('*') => Ok(()),
                _ => Err(ValueFault::Workflow),
            },
            _ => Ok(()),
        }
    }
}

fn pattern(text: String) -> Pattern {
    match text.contains('*').then(|| Glob::read(&text)).flatten() {
        Some(glob) => Pattern::Glob { text, glob },
        None => Pattern::Exact(text),
    }
}

/// One string or a list of them.
fn strings(rule: usize, key: &str, value: Value) -> Result<Vec<String>, RuleFault> {
    list(rule, key, value, "a string, or a list of strings", &|value| match value {
        Value::String(text) => Some(text),
        _ => None,
    })
}

/// One string, whole number or boolean, or a list of them, as the text of a claim.
fn scalars(
    rule: usize,
    key: &str,
    value: Value,
    expected: &'static str,
) -> Result<Vec<String>, RuleFault> {
    list(rule, key, value, expected, &|value| match value {
        Value::String(text) => Some(text),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    })
}

fn list(
    rule: usize,
    key: &str,
    value: Value,
    expected: &'static str,
    text: &dyn Fn(Value) -> Option<String>,
) -> Result<Vec<String>, RuleFault> {
    let values = match value {
        Value::Array(values) => values,
        value => vec![value],
    };
    let texts: Option<Vec<String>> = values.into_iter().map(text).collect();
    let texts = texts.filter(|texts| !texts.is_empty());
    texts.ok_or_else(|| RuleFault::Type { rule, key: key.to_owned(), expected })
}

/// The enterprises of github.com, each with an issuer of its own below this: a pattern for all of
/// them stands for one forge, where a name is one owner's. Forges of their own (`*.ghe.com`) are
/// tenants like any others: each may have an `octo-org`.
const GITHUB_ENTERPRISES: &str = "https://token.actions.githubusercontent.com/";

const MAX_VALUE_BYTES: usize = 512;
