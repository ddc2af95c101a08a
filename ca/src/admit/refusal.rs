//! Why somebody may not sign: told rule by rule, with what ca.toml wants, and without the names of
//! other people.

use std::fmt;

use thiserror::Error;

/// Why a verified identity gets no certificate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotAllowed {
    /// A public issuer without rules.
    #[error(
        "{place} vouches for anyone, and the operator has not said who of them may sign here: it \
         has no allow rule"
    )]
    NoRules {
        /// The entry of ca.toml.
        place: String,
    },
    /// No rule holds.
    #[error("none of the {} allow rules of {place} holds: {}", misses.len(), told(misses))]
    NoRuleHolds {
        /// The entry of ca.toml.
        place: String,
        /// For each rule, in order, the first key that does not hold.
        misses: Vec<Miss>,
    },
    /// The broker's token names an upstream issuer that is no way to sign in here (any more).
    #[error("{place} has no way to sign in with the issuer of this identity")]
    NoSuchIssuer {
        /// The entry of ca.toml.
        place: String,
    },
}

impl NotAllowed {
    /// A stable kebab-case name of the cause, for metrics and audit records.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoRules { .. } => "no-allow-rules",
            Self::NoRuleHolds { .. } => "not-allowed",
            Self::NoSuchIssuer { .. } => "issuer-not-allowed",
        }
    }
}

/// The first key of a rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    pub(super) key: String,
    pub(super) claim: String,
    pub(super) wanted: Vec<String>,
    /// The values name people: not for strangers to read.
    pub(super) personal: bool,
    pub(super) found: Found,
}

/// What stands in the claim instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing: absent, null, empty.
    Nothing,
    /// Text, cut short and without anything unprintable.
    Text(String),
    /// What rules do not read: an object, a number that is not a whole one in 64 bits.
    NoText,
}

impl Miss {
    /// The key as it stands in ca.toml, `claims.NAME` for one of the inner table.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The claim that was read.
    #[must_use]
    pub fn claim(&self) -> &str {
        &self.claim
    }

    /// What ca.toml wants there, also where it names people: for the operator alone.
    #[must_use]
    pub fn wanted(&self) -> &[String] {
        &self.wanted
    }

    /// What stands there.
    #[must_use]
    pub const fn found(&self) -> &Found {
        &self.found
    }

    /// Everything, for the operator.
    #[must_use]
    pub fn in_full(&self) -> String {
        self.sentence(&quoted(&self.wanted, usize::MAX))
    }

    fn sentence(&self, wanted: &str) -> String {
        let (key, claim) = (&self.key, &self.claim);
        match &self.found {
            Found::Nothing => format!("{key}: the token has no {claim}, wanted {wanted}"),
            Found::Text(text) => format!("{key}: {claim} is \"{text}\", wanted {wanted}"),
            Found::NoText => format!("{key}: {claim} is no text, wanted {wanted}"),
        }
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = if self.personal {
            "one of those that ca.toml names".to_owned()
        } else {
            quoted(&self.wanted, TOLD_VALUES)
        };
        f.write_str(&self.sentence(&wanted))
    }
}

fn told(misses: &[Miss]) -> String {
    let told: Vec<String> = misses
        .iter()
        .take(TOLD_RULES)
        .enumerate()
        .map(|(before, miss)| format!("rule {}: {miss}", before + 1))
        .collect();
    let more = match misses.len().saturating_sub(TOLD_RULES) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    told.join("; ") + &more
}

fn quoted(values: &[String], most: usize) -> String {
    let told: Vec<String> = values.iter().take(most).map(|value| format!("\"{value}\"")).collect();
    let more = match values.len().saturating_sub(most) {
        0 => String::new(),
        more => format!(" or {more} more"),
    };
    told.join(" or ") + &more
}

/// How many rules a refusal describes.
const TOLD_RULES: usize = 5;
/// How many values of a key a refusal repeats.
const TOLD_VALUES: usize = 5;
