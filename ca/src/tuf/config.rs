//! `[tuf]` of `ca.toml`: who signs each role, how many of them, and for how long.

use std::path::PathBuf;

use serde::Deserialize;
use tough::schema::RoleType;

/// The four roles of the TUF repository (TUF specification 1.0, section 2.1).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TufConfig {
    /// Names the keys of all roles; may be kept offline.
    pub root: RoleConfig,
    /// Names the files that clients trust.
    pub targets: RoleConfig,
    /// Names the current targets.
    pub snapshot: RoleConfig,
    /// Names the current snapshot.
    pub timestamp: RoleConfig,
}

/// One role. What is left out has the role's default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoleConfig {
    /// Key files, relative to the instance folder: private keys (PKCS#8 PEM) that are here, and
    /// for the root also public keys (PEM) of those kept elsewhere.
    pub keys: Option<Vec<PathBuf>>,
    /// How many of the keys must sign.
    pub threshold: Option<u16>,
    /// How long a signature is good, in days.
    pub days: Option<u16>,
}

impl TufConfig {
    /// The role's table.
    pub fn role(&self, role: RoleType) -> &RoleConfig {
        match role {
            RoleType::Root => &self.root,
            RoleType::Snapshot => &self.snapshot,
            RoleType::Timestamp => &self.timestamp,
            RoleType::Targets | RoleType::DelegatedTargets => &self.targets,
        }
    }

    /// The role's threshold.
    pub fn threshold(&self, role: RoleType) -> u16 {
        self.role(role).threshold.unwrap_or(1)
    }

    /// The life of the role's signatures, in seconds.
    pub fn life_seconds(&self, role: RoleType) -> i64 {
        let days = self.role(role).days.unwrap_or(match role {
            RoleType::Root => ROOT_DAYS,
            RoleType::Targets | RoleType::DelegatedTargets => TARGETS_DAYS,
            RoleType::Snapshot => SNAPSHOT_DAYS,
            RoleType::Timestamp => TIMESTAMP_DAYS,
        });
        i64::from(days) * DAY_SECONDS
    }

    /// The checks that need no file: the first thing that is wrong, with its role.
    ///
    /// # Errors
    /// The role and what is wrong with it.
    pub fn check(&self) -> Result<(), (RoleType, &'static str)> {
        for role in ROLES {
            let table = self.role(role);
            let count = table.keys.as_ref().map_or(1, Vec::len);
            let threshold = usize::from(self.threshold(role));
            if table.keys.is_some() && !(1..=MAX_KEYS).contains(&count) {
                return Err((role, "keys: 1 to 16 files"));
            }
            // A root whose keys are not listed here has those of the root before it.
            let unlisted = role == RoleType::Root && table.keys.is_none();
            if threshold == 0 || (threshold > count && !unlisted) {
                return Err((role, "threshold: at least 1, and at most as many as there are keys"));
            }
            if table.days.is_some_and(|days| !(1..=MAX_DAYS).contains(&days)) {
                return Err((role, "days: 1 to 3650"));
            }
        }
        Ok(())
    }
}

/// The roles, in the order in which they are signed.
pub const ROLES: [RoleType; 4] =
    [RoleType::Root, RoleType::Targets, RoleType::Snapshot, RoleType::Timestamp];

/// Seconds of a day.
pub const DAY_SECONDS: i64 = 86_400;

const ROOT_DAYS: u16 = 365;
const TARGETS_DAYS: u16 = 90;
const SNAPSHOT_DAYS: u16 = 21;
/// Signed anew long before: whoever verifies goes on for five days when this server is down. The
/// public instance takes a week too.
const TIMESTAMP_DAYS: u16 = 7;

const MAX_DAYS: u16 = 3650;
const MAX_KEYS: usize = 16;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Option<&'static str> {
        let config: TufConfig = toml::from_str(text).unwrap();
        config.check().err().map(|(_, reason)| reason.split(':').next().unwrap())
    }

    #[test]
    fn thresholds_can_be_met() {
        let two = "[root]\nkeys = [\"a\", \"b\"]\n";
        assert_eq!(refusal(""), None);
        assert_eq!(refusal(&format!("{two}threshold = 2")), None);
        assert_eq!(refusal(&format!("{two}threshold = 3")), Some("threshold"));
        assert_eq!(refusal(&format!("{two}threshold = 0")), Some("threshold"));
        assert_eq!(refusal("[timestamp]\nthreshold = 2"), Some("threshold"));
        assert_eq!(refusal("[snapshot]\nkeys = []"), Some("keys"));
    }

    #[test]
    fn lives_are_bounded() {
        assert_eq!(refusal("[timestamp]\ndays = 1"), None);
        assert_eq!(refusal("[timestamp]\ndays = 0"), Some("days"));
        assert_eq!(refusal("[root]\ndays = 3651"), Some("days"));
        assert!(toml::from_str::<TufConfig>("[mirrors]\ndays = 1").is_err());
    }
}
