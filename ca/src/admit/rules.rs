//! Allow rules: who among those that an issuer vouches for may have a certificate here.
//!
//! A rule holds if all of its conditions do, and one rule that holds is enough. There is no rule
//! that denies, so that no claim can be left out to get in: a claim that is absent, null, empty or
//! an object meets no condition.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::glob::Glob;
use super::refusal::{Found, Miss, NotAllowed};
use crate::answer::printable;
use crate::identity::Claims;

/// Who may sign, of one issuer or one way to sign in. Made by
/// [`AllowTables::read`](super::AllowTables::read), and swapped whole on a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowRules {
    place: String,
    who: Who,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    /// Whomever the issuer vouches for.
    Whoever,
    Nobody,
    Rules(Vec<Rule>),
    ByIssuer(BTreeMap<String, AllowRules>),
}

/// All of these must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule(pub(super) Vec<Condition>);

/// One key of a rule: the claim that it reads and what may stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    /// As the operator wrote it.
    pub(super) key: String,
    /// Member names from the claims down.
    pub(super) claim: Vec<String>,
    pub(super) test: Test,
    /// The values name people: not for strangers to read in a refusal.
    pub(super) personal: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    /// The claim, or an element of it, is one of these.
    OneOf(Vec<Pattern>),
    /// The part of an address after its `@` is one of these.
    Domain(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    Exact(String),
    Glob { text: String, glob: Glob },
}

/// Which rule let somebody in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    place: String,
    rule: Option<usize>,
}

impl Admission {
    /// The rule's place in its list, counted from 1; `None` where there are no rules and none are
    /// needed.
    #[must_use]
    pub const fn rule(&self) -> Option<usize> {
        self.rule
    }
}

impl fmt::Display for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rule {
            Some(rule) => write!(f, "rule {rule} of {}", self.place),
            None => write!(f, "{}, which has no rules", self.place),
        }
    }
}

impl AllowRules {
    pub(super) const fn of(place: String, rules: Vec<Rule>) -> Self {
        Self { place, who: Who::Rules(rules) }
    }

    /// Whomever the issuer vouches for. `place` names the entry of ca.toml.
    #[must_use]
    pub fn whoever(place: impl Into<String>) -> Self {
        Self { place: place.into(), who: Who::Whoever }
    }

    /// Nobody, until the operator has said who.
    #[must_use]
    pub fn nobody(place: impl Into<String>) -> Self {
        Self { place: place.into(), who: Who::Nobody }
    }

    /// The rules of several ways to sign in behind one issuer, by the issuer string that goes
    /// into the certificate. An issuer that is not in the list is refused.
    #[must_use]
    pub fn by_issuer(place: impl Into<String>, rules: BTreeMap<String, Self>) -> Self {
        Self { place: place.into(), who: Who::ByIssuer(rules) }
    }

    /// Says whether claims may have a certificate that names `issuer`.
    ///
    /// It is the same question early, for a person who signs in, and late, with a verified token.
    /// Only the answer to the second counts, and only [`admit`](super::admit) acts on it.
    ///
    /// # Errors
    /// [`NotAllowed`].
    pub fn judge(&self, issuer: &str, claims: &Claims) -> Result<Admission, NotAllowed> {
        let place = || self.place.clone();
        let rules = match &self.who {
            Who::Whoever => return Ok(Admission { place: place(), rule: None }),
            Who::Nobody => return Err(NotAllowed::NoRules { place: place() }),
            Who::ByIssuer(rules) => {
                let rules = rules.get(issuer);
                let rules = rules.ok_or_else(|| NotAllowed::NoSuchIssuer { place: place() })?;
                return rules.judge(issuer, claims);
            }
            Who::Rules(rules) => rules,
        };
        let mut misses = Vec::with_capacity(rules.len());
        for (before, rule) in rules.iter().enumerate() {
            match rule.miss(issuer, claims) {
                None => return Ok(Admission { place: place(), rule: Some(before + 1) }),
                Some(miss) => misses.push(miss),
            }
        }
        Err(NotAllowed::NoRuleHolds { place: place(), misses })
    }

    /// What each rule makes of the claims, in order: nothing where it holds. For an operator who
    /// asks; whether they are let in is for [`Self::judge`] to say.
    #[must_use]
    pub fn each(&self, issuer: &str, claims: &Claims) -> Vec<Option<Miss>> {
        match &self.who {
            Who::Whoever | Who::Nobody => Vec::new(),
            Who::ByIssuer(rules) => {
                rules.get(issuer).map_or_else(Vec::new, |rules| rules.each(issuer, claims))
            }
            Who::Rules(rules) => rules.iter().map(|rule| rule.miss(issuer, claims)).collect(),
        }
    }

    /// The entries of ca.toml that let nobody in, for a warning at the start.
    #[must_use]
    pub fn closed(&self) -> Vec<&str> {
        match &self.who {
            Who::Nobody => vec![&self.place],
            Who::ByIssuer(rules) => rules.values().flat_map(Self::closed).collect(),
            Who::Whoever | Who::Rules(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
impl AllowRules {
    /// The names at the top of every claim that the first rule reads.
    pub(super) fn claims_read(&self) -> Vec<String> {
        let Who::Rules(rules) = &self.who else { return Vec::new() };
        let claims = rules[0].0.iter().map(|condition| condition.claim[0].clone());
        claims.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }
}

impl Rule {
    fn miss(&self, issuer: &str, claims: &Claims) -> Option<Miss> {
        self.0.iter().find_map(|condition| condition.miss(issuer, claims))
    }
}

impl Condition {
    fn miss(&self, issuer: &str, claims: &Claims) -> Option<Miss> {
        let value = read(claims, &self.claim);
        let miss = |claim: String, found: Option<&Value>| {
            let (key, personal) = (self.key.clone(), self.personal);
            Some(Miss { key, claim, wanted: self.test.wanted(), personal, found: shown(found) })
        };
        let own = || self.claim.join(".");
        match &self.test {
            Test::OneOf(patterns) => {
                let is_one = |text: &String| patterns.iter().any(|pattern| pattern.matches(text));
                if texts(value).iter().any(is_one) { None } else { miss(own(), value) }
            }
            Test::Domain(domains) => {
                let domain = value.and_then(Value::as_str).and_then(domain_of);
                let Some(domain) = domain.filter(|d| domains.iter().any(|wanted| wanted == d))
                else {
                    return miss(own(), value);
                };
                // Anyone can have a Google account with an address of any domain that they once
                // read mail at. Members of the Workspace alone have `hd`.
                let hosted = read(claims, &["hd".to_owned()]);
                if issuer == GOOGLE && hosted.and_then(Value::as_str) != Some(domain) {
                    return miss("hd".to_owned(), hosted);
                }
                None
            }
        }
    }
}

impl Test {
    fn wanted(&self) -> Vec<String> {
        match self {
            Self::OneOf(patterns) => patterns.iter().map(|p| p.text().to_owned()).collect(),
            Self::Domain(domains) => domains.clone(),
        }
    }
}

impl Pattern {
    fn text(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Glob { text, .. } => text,
        }
    }

    fn matches(&self, found: &str) -> bool {
        match self {
            Self::Exact(text) => text == found,
            Self::Glob { glob, .. } => glob.matches(found),
        }
    }
}

fn read<'c>(claims: &'c Claims, path: &[String]) -> Option<&'c Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(claims.get(first)?, |value, name| value.get(name))
}

/// The texts of a claim: its own, or those of the elements of a list. Never an empty one.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(elements)) => elements.iter().filter_map(text).collect(),
        Some(value) => text(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// A number that is not a whole one in 64 bits has lost digits on the way: it is no text, lest it
/// be taken for another.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        Value::Number(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn domain_of(address: &str) -> Option<&str> {
    address.split_once('@').map(|(_, domain)| domain).filter(|domain| !domain.contains('@'))
}

fn shown(value: Option<&Value>) -> Found {
    let absent = match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(elements)) => elements.is_empty(),
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => false,
    };
    let texts = texts(value);
    match (absent, texts.is_empty()) {
        (true, _) => Found::Nothing,
        (false, true) => Found::NoText,
        (false, false) => Found::Text(printable(&texts.join(", "))),
    }
}

/// Google's issuer, which vouches for addresses of every domain.
pub(super) const GOOGLE: &str = "https://accounts.google.com";
