//! Which key of a role signs, which comes next and which came before: `DIR/rotation.json`.
//!
//! The first key of a role is `keys/ROLE.pem`, its successors are `keys/ROLE-2.pem` and so on. That
//! one of them signs is written in this file alone, which is replaced by a rename: a rotation that
//! is cut off has happened or has not. The file holds nothing secret, and it keeps the public half
//! of every retired key, so that the trust root goes on telling clients how long each was good.

use std::fs;
use std::path::{Path, PathBuf};

use formats::certificate::Certificate;
use formats::json;
use formats::key::PublicKey;
use formats::trusted_root::Window;
use serde::{Deserialize, Serialize};

use crate::disk::replace;
use crate::keys::Role;

/// The generations of every role; none for an instance in which nothing was rotated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rotation {
    /// Since when the first keys are trusted, in Unix seconds; written at the first rotation.
    since: Option<i64>,
    /// Oldest first within a role.
    generations: Vec<Generation>,
}

/// One key of a role, by its public half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Its role.
    pub role: Role,
    /// 1 for the key that `ca init` made.
    pub number: u32,
    /// What it is for now.
    pub stage: Stage,
    /// The public half.
    pub key: PublicKey,
    /// Certificate first, root last; empty for the keys of logs.
    pub chain: Vec<Certificate>,
    /// When clients trust it.
    pub window: Window,
}

/// What a generation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Published, and to sign at the earliest at this time (Unix seconds).
    Staged {
        /// When every client that follows the trust root knows it.
        ready: i64,
    },
    /// Signs.
    Active,
    /// Signs nothing any more; what it signed within its window counts.
    Retired,
}

/// Why `rotation.json` is refused.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not what `ca rotate` writes.
    #[error("{path}: {problem}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl Rotation {
    /// Reads `DIR/rotation.json`; a folder without it has the first keys.
    ///
    /// # Errors
    /// When the file cannot be read, or does not hold together.
    pub fn read(dir: &Path) -> Result<Self, RotationError> {
        let path = dir.join(FILE_NAME);
        match fs::read(&path) {
            Ok(text) => {
                Self::parse(&text).map_err(|problem| RotationError::Malformed { path, problem })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(RotationError::File { path, source }),
        }
    }

    /// Writes the file anew, by rename.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(&self, dir: &Path) -> Result<(), RotationError> {
        let path = dir.join(FILE_NAME);
        let wire = WireRotation {
            since: self.since.unwrap_or_default(),
            keys: self.generations.iter().map(WireGeneration::of).collect(),
        };
        let text = serde_json::to_string_pretty(&wire).map_err(std::io::Error::other);
        text.and_then(|text| replace(&path, text.as_bytes()))
            .map_err(|source| RotationError::File { path, source })
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let wire: WireRotation = json::from_slice(text).map_err(|error| error.to_string())?;
        let generations: Vec<Generation> =
            wire.keys.iter().map(WireGeneration::parse).collect::<Result<_, _>>()?;
        let rotation = Self { since: Some(wire.since), generations };
        ROTATED.into_iter().try_for_each(|role| rotation.check(role))?;
        Ok(rotation)
    }

    /// A role has one active key, at most one after it, and the rest before it.
    fn check(&self, role: Role) -> Result<(), String> {
        let name = role.name();
        let mut numbers = 0..;
        let mut active = 0;
        for generation in self.of(role) {
            let number = generation.number;
            let expected = numbers.next().map(|before: u32| before + 1);
            let fits = match generation.stage {
                Stage::Retired => active == 0 && generation.window.end.is_some(),
                Stage::Active => active == 0 && generation.window.end.is_none(),
                Stage::Staged { .. } => active == 1 && generation.window.end.is_none(),
            };
            active += usize::from(generation.stage != Stage::Retired);
            if expected != Some(number) || !fits || active > 2 {
                return Err(format!("key {number} of {name} is out of order"));
            }
            let certified = matches!(role, Role::Issuing | Role::Timestamp);
            let own = generation.chain.first().map(Certificate::public_key);
            let own =
                own.transpose().map_err(|error| format!("key {number} of {name}: {error}"))?;
            if own.as_ref() != certified.then_some(&generation.key) {
                return Err(format!("key {number} of {name} does not fit its certificate"));
            }
        }
        if active == 0 && self.of(role).next().is_some() {
            return Err(format!("no key of {name} is active"));
        }
        Ok(())
    }

    /// Since when the first keys are trusted, once something was rotated.
    pub const fn since(&self) -> Option<i64> {
        self.since
    }

    /// The generations of a role, oldest first; none while it was never rotated.
    pub fn of(&self, role: Role) -> impl DoubleEndedIterator<Item = &Generation> {
        self.generations.iter().filter(move |generation| generation.role == role)
    }

    /// The generation that signs; `None` for a role that was never rotated.
    pub fn active(&self, role: Role) -> Option<&Generation> {
        self.of(role).find(|generation| generation.stage == Stage::Active)
    }

    /// The generation that was published and waits for its turn.
    pub fn staged(&self, role: Role) -> Option<&Generation> {
        self.of(role).find(|generation| matches!(generation.stage, Stage::Staged { .. }))
    }

    /// The key that signed before the active one.
    pub fn previous(&self, role: Role) -> Option<&PublicKey> {
        let mut retired = self.of(role).rev().filter(|one| one.stage == Stage::Retired);
        retired.next().map(|generation| &generation.key)
    }

    /// The number of the generation that signs.
    pub fn number(&self, role: Role) -> u32 {
        self.active(role).map_or(1, |generation| generation.number)
    }

    /// With a new key that is published now, beside `active`, which signs on.
    #[must_use]
    pub fn with_staged(mut self, since: i64, active: Generation, staged: Generation) -> Self {
        self.since.get_or_insert(since);
        if self.active(active.role).is_none() {
            self.generations.push(active);
        }
        self.generations.push(staged);
        self
    }

    /// With the staged key of a role as the one that signs, and the one before trusted up to `end`
    /// (Unix seconds).
    #[must_use]
    pub fn switched(mut self, role: Role, end: i64) -> Self {
        for generation in self.generations.iter_mut().filter(|one| one.role == role) {
            match generation.stage {
                Stage::Active => {
                    generation.stage = Stage::Retired;
                    generation.window.end = Some(end.max(generation.window.start));
                }
                Stage::Staged { .. } => generation.stage = Stage::Active,
                Stage::Retired => {}
            }
        }
        self
    }
}

/// Where a generation's private key lies.
pub fn key_path(dir: &Path, role: Role, number: u32) -> PathBuf {
    dir.join("keys").join(file_name(role, number))
}

/// Where a generation's certificate lies.
pub fn certificate_path(dir: &Path, role: Role, number: u32) -> PathBuf {
    dir.join("certs").join(file_name(role, number))
}

fn file_name(role: Role, number: u32) -> String {
    match number {
        1 => format!("{}.pem", role.name()),
        later => format!("{}-{later}.pem", role.name()),
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRotation {
    since: i64,
    keys: Vec<WireGeneration>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireGeneration {
    role: String,
    number: u32,
    stage: String,
    start: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ready: Option<i64>,
    public_key: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    chain: Vec<String>,
}

impl WireGeneration {
    fn of(generation: &Generation) -> Self {
        let (stage, ready) = match generation.stage {
            Stage::Retired => (RETIRED, None),
            Stage::Active => (ACTIVE, None),
            Stage::Staged { ready } => (STAGED, Some(ready)),
        };
        Self {
            role: generation.role.name().to_owned(),
            number: generation.number,
            stage: stage.to_owned(),
            start: generation.window.start,
            end: generation.window.end,
            ready,
            public_key: generation.key.to_pem(),
            chain: generation.chain.iter().map(Certificate::to_pem).collect(),
        }
    }

    fn parse(&self) -> Result<Generation, String> {
        let role = ROTATED.into_iter().find(|role| role.name() == self.role);
        let role = role.ok_or_else(|| format!("\"{}\" is no role that rotates", self.role))?;
        let place = |error: &dyn std::fmt::Display| {
            format!("key {} of {}: {error}", self.number, self.role)
        };
        let stage = match (self.stage.as_str(), self.ready) {
            (RETIRED, None) => Stage::Retired,
            (ACTIVE, None) => Stage::Active,
            (STAGED, Some(ready)) => Stage::Staged { ready },
            _ => return Err(place(&"an unknown stage, or \"ready\" where it does not belong")),
        };
        let key = PublicKey::from_pem(&self.public_key).map_err(|error| place(&error))?;
        let chain = self.chain.iter().map(|pem| Certificate::from_pem(pem));
        let chain = chain.collect::<Result<_, _>>().map_err(|error| place(&error))?;
        let window = Window { start: self.start, end: self.end };
        Ok(Generation { role, number: self.number, stage, key, chain, window })
    }
}

/// The roles whose keys `ca rotate` exchanges.
pub const ROTATED: [Role; 4] = [Role::Issuing, Role::Ct, Role::Log, Role::Timestamp];

/// The file's name in the instance folder.
pub const FILE_NAME: &str = "rotation.json";

const RETIRED: &str = "retired";
const ACTIVE: &str = "active";
const STAGED: &str = "staged";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use formats::key::PublicKey;

    /// A P-256 key: the base point of the curve times one (SEC 2 section 2.4.2).
    const POINT: &str = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n\
        6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n\
        -----END PUBLIC KEY-----\n";

    fn key(stage: &str, number: u32, rest: &str) -> String {
        let pem = POINT.replace('\n', "\\n");
        format!(
            r#"{{"role":"log","number":{number},"stage":"{stage}","start":10,{rest}"publicKey":"{pem}"}}"#
        )
    }

    fn parse(keys: &[String]) -> Result<Rotation, String> {
        Rotation::parse(format!(r#"{{"since":10,"keys":[{}]}}"#, keys.join(",")).as_bytes())
    }

    #[test]
    fn a_rotation_reads_back() {
        assert!(PublicKey::from_pem(POINT).is_ok());
        let keys = [
            key("retired", 1, r#""end":20,"#),
            key("active", 2, ""),
            key("staged", 3, r#""ready":30,"#),
        ];
        let rotation = parse(&keys).unwrap();
        assert_eq!(rotation.number(Role::Log), 2);
        assert_eq!(rotation.number(Role::Ct), 1, "never rotated");
        assert_eq!(rotation.staged(Role::Log).unwrap().stage, Stage::Staged { ready: 30 });
        let folder = tempfile::tempdir().unwrap();
        rotation.write(folder.path()).unwrap();
        assert_eq!(Rotation::read(folder.path()).unwrap(), rotation);
        let switched = rotation.switched(Role::Log, 40);
        assert_eq!(switched.number(Role::Log), 3);
        let ends: Vec<_> = switched.of(Role::Log).map(|one| one.window.end).collect();
        assert_eq!(ends, [Some(20), Some(40), None], "a first end is the end");
    }

    #[test]
    fn what_rotate_would_not_write_is_refused() {
        let retired = key("retired", 1, r#""end":20,"#);
        let active = key("active", 2, "");
        for bad in [
            vec![retired.clone()],
            vec![active.clone()],
            vec![active.clone(), retired.clone()],
            vec![retired.clone(), active.clone(), key("active", 3, "")],
            vec![key("retired", 1, ""), active.clone()],
            vec![retired.clone(), key("active", 2, r#""end":30,"#)],
            vec![retired.clone(), active.clone(), key("staged", 3, "")],
            vec![retired.clone(), key("active", 2, r#""ready":30,"#)],
            vec![retired.clone(), active.clone(), key("staged", 4, r#""ready":30,"#)],
            vec![retired.clone(), active.replace("\"log\"", "\"root\"")],
            vec![retired.clone(), active.replace("\"start\"", "\"chain\":[],\"begin\"")],
            vec![key("active", 1, "").replace("\"log\"", "\"issuing\"")],
        ] {
            assert!(parse(&bad).is_err(), "{bad:?}");
        }
        assert!(parse(&[retired, active]).is_ok());
        assert!(parse(&[]).is_ok());
    }
}
