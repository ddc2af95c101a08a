//! The people that the stand-ins know, from a TOML file.

use serde::Deserialize;

/// Who can sign in where.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    /// GitHub's.
    #[serde(default)]
    pub github: Vec<GitHubAccount>,
    /// Google's.
    #[serde(default)]
    pub google: Vec<GoogleAccount>,
}

impl Accounts {
    /// Reads the TOML of an accounts file.
    ///
    /// # Errors
    /// [`toml::de::Error`] for anything else, and for an unknown key.
    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The accounts that are used when no file is named: `accounts.toml` of this package.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn built_in() -> Self {
        Self::from_toml(include_str!("../accounts.toml")).expect("the file of this package reads")
    }
}

/// A user of GitHub.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitHubAccount {
    /// The name, which its owner may change and another may take later.
    pub login: String,
    /// The number, which stays.
    pub id: u64,
    /// The name shown.
    pub name: String,
    /// Addresses in the order in which the API lists them.
    #[serde(default)]
    pub emails: Vec<GitHubEmail>,
    /// How many unverified addresses the API lists before these, so that pages fill.
    #[serde(default)]
    pub unverified_first: usize,
    /// Memberships.
    #[serde(default)]
    pub orgs: Vec<GitHubOrg>,
}

/// An address of a GitHub account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitHubEmail {
    /// The address.
    pub email: String,
    /// Whether it is the account's primary one.
    #[serde(default)]
    pub primary: bool,
    /// Whether its owner has shown that mail to it arrives.
    #[serde(default)]
    pub verified: bool,
}

/// An organisation that a GitHub account is a member of.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitHubOrg {
    /// The organisation's login.
    pub login: String,
    /// Slugs of the teams in it.
    #[serde(default)]
    pub teams: Vec<String>,
    /// An invitation that was not accepted yet.
    #[serde(default)]
    pub pending: bool,
}

/// A user of Google.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoogleAccount {
    /// The number, which stays and is never reused.
    pub sub: String,
    /// The address.
    pub email: String,
    /// Whether Google has verified it.
    pub email_verified: bool,
    /// The Workspace domain that the account belongs to.
    pub hd: Option<String>,
    /// The name shown.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_accounts_read() {
        let accounts = Accounts::built_in();
        assert!(accounts.github.iter().any(|account| account.login == "alice"));
        assert!(accounts.google.iter().any(|account| account.email == "alice@example.com"));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(Accounts::from_toml("[[google]]\nnmae = 'x'\n").is_err());
    }
}
