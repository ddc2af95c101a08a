//! Why the allow rules of an entry stop the start: one variant for each cause, with the rule's number
//! and key.

use thiserror::Error;

use crate::identity::config::Names;

/// Why the rules of an entry are refused. Rules are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RuleFault {
    /// `allow = []`.
    #[error("allow is an empty list: nobody could tell whether that is everyone or no one")]
    NoRules,
    /// A rule without a key.
    #[error("allow rule {rule} has no key: it would hold for everyone; write anyone = true")]
    Empty {
        /// Which.
        rule: usize,
    },
    /// A key that is not known for this kind of issuer.
    #[error("allow rule {rule}: {key:?} is not one of the keys for this issuer: {known}")]
    Key {
        /// Which.
        rule: usize,
        /// As configured.
        key: String,
        /// The keys that there are.
        known: Names,
    },
    /// `anyone` beside another key.
    #[error("allow rule {rule}: anyone = true stands alone in its rule")]
    AnyoneAndMore {
        /// Which.
        rule: usize,
    },
    /// A rule of an entry with `*` in its URL that does not say which issuer it means.
    #[error(
        "allow rule {rule}: the url has a *, so that every customer of that cloud could pass: add \
         issuer = \"...\" to the rule, the issuer as its tokens have it"
    )]
    AnyTenant {
        /// Which.
        rule: usize,
    },
    /// A key that can only be `true`.
    #[error("allow rule {rule}: {key} can only be true; leave it out otherwise")]
    OnlyTrue {
        /// Which.
        rule: usize,
        /// The key.
        key: String,
    },
    /// A value of the wrong TOML type.
    #[error("allow rule {rule}: {key} is not {expected}")]
    Type {
        /// Which.
        rule: usize,
        /// The key.
        key: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A value that cannot be meant.
    #[error("allow rule {rule}: {key} = {value:?} {fault}")]
    Value {
        /// Which.
        rule: usize,
        /// The key.
        key: String,
        /// As configured.
        value: String,
        /// What is wrong with it.
        fault: ValueFault,
    },
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ValueFault {
    /// Empty.
    #[error("is empty")]
    Empty,
    /// Too long.
    #[error("is longer than 512 bytes")]
    TooLong,
    /// A control character.
    #[error("holds a control character")]
    Control,
    /// Nothing but stars and slashes.
    #[error("would match anything; write a rule with anyone = true if that is meant")]
    Anything,
    /// Three stars in a row.
    #[error("has more than two stars together")]
    Stars,
    /// A star in a key that takes exact values.
    #[error("has a star, and this key is compared exactly")]
    NoGlob,
    /// A star in the part that says whose it is.
    #[error("has a star before its first /: anyone could take a name that fits; name each owner")]
    AnyOwner,
    /// No e-mail address.
    #[error("is not an address with one @")]
    Address,
    /// No domain.
    #[error("is not a domain: write example.com, without @ and stars")]
    Domain,
    /// No number.
    #[error("is not a number: ids are, and names are other keys")]
    Id,
    /// A workflow without its ref.
    #[error(
        "is not PATH@REF, as in octo-org/app/.github/workflows/release.yml@refs/tags/*, with no ** \
         before the @ and no star right behind it"
    )]
    Workflow,
}
