//! Named trust: instances that were trusted once, by the fingerprint of a root.
//!
//! In the settings of this user, `trust/NAME/` holds `instance.json` (what was pinned),
//! `state.json` (which metadata and files are held) and `blobs/`, where each of these is named by
//! its SHA-256 and by nothing that an instance chose. `state.json` is the one commit point: it is
//! renamed into place when everything that it names is there and every check has passed; a crash
//! before that leaves the last state. `default` names the root that is used when none is asked for.
//!
//! What is read back is not believed for being there: `verify` judges it from the pinned
//! fingerprint on, each time. Roots never mix: nothing here goes from one name to another.

pub mod command;
mod error;
pub mod flags;
mod held;
mod home;
mod record;

use std::fmt;
use std::fs;
use std::path::PathBuf;

use formats::instance::{FILE_NAME as DESCRIPTION, InstanceDescription};
use formats::signing_config::SigningConfig;
use formats::trusted_root::TrustedRoot;

pub use self::error::{NamedError, RESERVED};
pub use self::home::Home;
pub use self::record::Record;
use crate::endpoint::Endpoint;
use crate::http::Http;
use crate::trust::Trust;
use crate::tuf::{Contents, Metadata, Repository, TufError, last_known};

/// The name of a trusted instance: 1 to 63 of `a-z`, `0-9` and `-`, none of them `-` at an end, and
/// not [`RESERVED`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

/// A trusted instance, and what is held of its repository.
#[derive(Debug, Clone)]
pub struct NamedRoot {
    folder: PathBuf,
    record: Record,
    /// When the repository was last asked, in Unix seconds.
    checked: i64,
    held: Metadata,
}

/// What a trusted instance vouches for.
#[derive(Debug, Clone)]
pub struct Current {
    /// Which instance.
    pub name: Name,
    /// Its files.
    pub contents: Contents,
    /// Why they are not newer, where the repository should have been asked and could not be.
    pub unreached: Option<TufError>,
}

impl Name {
    /// Reads a name.
    ///
    /// # Errors
    /// [`NamedError::Name`], [`NamedError::Reserved`].
    pub fn parse(text: &str) -> Result<Self, NamedError> {
        if text == RESERVED {
            return Err(NamedError::Reserved);
        }
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=MAX_NAME).contains(&text.len())
            && text.bytes().all(allowed)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(NamedError::Name { text: text.to_owned() })
        }
    }

    /// The name that a text of an instance makes: its letters and digits, and `-` for what is
    /// between them.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn made_of(text: &str) -> Result<Self, NamedError> {
        let lower = text.to_ascii_lowercase();
        let parts =
            lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
        let name: String = parts.collect::<Vec<_>>().join("-").chars().take(MAX_NAME).collect();
        match Self::parse(name.trim_matches('-')) {
            Err(NamedError::Name { .. }) => Err(NamedError::Name { text: text.to_owned() }),
            named => named,
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Home {
    /// The names of all trusted instances, sorted.
    ///
    /// # Errors
    /// [`NamedError::Io`].
    pub fn names(&self) -> Result<Vec<Name>, NamedError> {
        let folder = self.trust();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if home::is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(home::failed("read", &folder, &error)),
        };
        let mut names: Vec<Name> = entries
            .filter_map(|entry| Name::parse(entry.ok()?.file_name().to_str()?).ok())
            .collect();
        names.sort();
        Ok(names)
    }

    /// The name of the instance that is used when none is asked for.
    ///
    /// # Errors
    /// [`NamedError::Io`], [`NamedError::Name`].
    pub fn default_name(&self) -> Result<Option<Name>, NamedError> {
        let Some(text) = home::read(&self.default_marker(), MAX_NAME + 2)? else { return Ok(None) };
        Name::parse(String::from_utf8_lossy(&text).trim_end()).map(Some)
    }

    /// Makes an instance the one that is used when none is asked for.
    ///
    /// # Errors
    /// [`NamedError::Unknown`], [`NamedError::Io`].
    pub fn set_default(&self, name: &Name) -> Result<(), NamedError> {
        self.open(name)?;
        home::write(&self.default_marker(), format!("{name}\n").as_bytes())
    }

    /// Opens a trusted instance. Its repository is not asked.
    ///
    /// # Errors
    /// [`NamedError::Unknown`], [`NamedError::Io`], [`NamedError::Damaged`].
    pub fn open(&self, name: &Name) -> Result<NamedRoot, NamedError> {
        match self.read(name)? {
            Some(root) => Ok(root),
            None => {
                let names = self.names()?.into_iter().map(|name| name.0).collect();
                Err(NamedError::Unknown { name: name.0.clone(), names })
            }
        }
    }

    /// The instance that is used when none is asked for. One that is named and not there is an
    /// error: another root must not take its place.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_default(&self) -> Result<Option<NamedRoot>, NamedError> {
        self.default_name()?.map(|name| self.open(&name)).transpose()
    }

    /// The instance that was trusted by this URL.
    ///
    /// # Errors
    /// [`NamedError::Io`], [`NamedError::Damaged`].
    pub fn by_url(&self, url: &Endpoint) -> Result<Option<NamedRoot>, NamedError> {
        for name in self.names()? {
            if let Some(root) = self.read(&name)?.filter(|root| root.record.url == *url) {
                return Ok(Some(root));
            }
        }
        Ok(None)
    }

    /// Keeps an instance, of whose repository `contents` were verified just now. The same instance
    /// again, by the same root, is brought up to date.
    ///
    /// # Errors
    /// [`NamedError::Taken`], [`NamedError::Io`].
    pub fn add(&self, record: Record, contents: &Contents, now: i64) -> Result<(), NamedError> {
        let folder = self.trust().join(&record.name.0);
        if let Some(root) = self.read(&record.name)? {
            if root.record.fingerprint != record.fingerprint {
                let url = root.record.url.to_string();
                return Err(NamedError::Taken { name: record.name.0, url });
            }
            home::write(&folder.join(RECORD), record.to_json().as_bytes())?;
            return held::commit(&folder, contents, now);
        }
        // Without a record the folder is nothing yet, so that it comes last.
        home::make_folder(&folder)?;
        held::commit(&folder, contents, now)?;
        home::write(&folder.join(RECORD), record.to_json().as_bytes())
    }

    /// Forgets an instance. When it was the default, there is none afterwards.
    ///
    /// # Errors
    /// [`NamedError::Unknown`], [`NamedError::Io`].
    pub fn remove(&self, name: &Name) -> Result<(), NamedError> {
        let folder = self.trust().join(&name.0);
        if !self.names()?.contains(name) {
            self.open(name)?;
        }
        if self.default_name().ok().flatten().as_ref() == Some(name) {
            let marker = self.default_marker();
            fs::remove_file(&marker).map_err(|error| home::failed("write", &marker, &error))?;
        }
        // The record goes first: a folder without one is nothing.
        let record = folder.join(RECORD);
        match fs::remove_file(&record) {
            Err(error) if !home::is_absent(&error) => {
                return Err(home::failed("write", &record, &error));
            }
            Ok(()) | Err(_) => {}
        }
        fs::remove_dir_all(&folder).map_err(|error| home::failed("write", &folder, &error))
    }

    fn read(&self, name: &Name) -> Result<Option<NamedRoot>, NamedError> {
        let folder = self.trust().join(&name.0);
        let path = folder.join(RECORD);
        let Some(json) = home::read(&path, MAX_RECORD)? else { return Ok(None) };
        let record = Record::from_json(&json, name, &path)?;
        // A state that another process has just replaced takes its blobs along: read once more.
        let (checked, held) = match held::read(&folder) {
            Err(NamedError::Io { kind: std::io::ErrorKind::NotFound, .. }) => held::read(&folder)?,
            read => read?,
        };
        Ok(Some(NamedRoot { folder, record, checked, held }))
    }

    fn trust(&self) -> PathBuf {
        self.path().join("trust")
    }

    fn default_marker(&self) -> PathBuf {
        self.path().join("default")
    }
}

impl NamedRoot {
    /// What was pinned.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// When its repository was last asked, in Unix seconds.
    #[must_use]
    pub fn checked(&self) -> i64 {
        self.checked
    }

    /// Its pinned root, and those that followed: the files, each of which the one before leads to.
    #[must_use]
    pub fn roots(&self) -> &[Vec<u8>] {
        &self.held.roots
    }

    /// What was last known, without the network: for as long as root, snapshot and targets live.
    /// That the timestamp has ended does not matter; whoever asks for this knows that nothing newer
    /// can be learned.
    ///
    /// # Errors
    /// [`NamedError::Tuf`].
    pub fn offline(&self, now: i64) -> Result<Current, NamedError> {
        let contents = last_known(&self.record.fingerprint, &self.held, &WANTED, now)
            .map_err(|fault| self.fault(fault))?;
        Ok(Current { name: self.record.name.clone(), contents, unreached: None })
    }

    /// What is held, when it is so new that the repository need not be asked: half of what was left
    /// of the timestamp's life, and at most a day, has not passed since it was.
    #[must_use]
    pub fn at_hand(&self, now: i64) -> Option<Current> {
        let current = self.offline(now).ok()?;
        let life = current.contents.fresh_until.saturating_sub(self.checked);
        let due = self.checked.saturating_add((life / 2).min(DAY));
        (self.checked <= now && now < due).then_some(current)
    }

    /// What the repository vouches for now, or what is held as long as its timestamp lives and the
    /// repository cannot be reached. A repository that answers wrongly is refused.
    ///
    /// What is new is stored, where it can be: a read-only home asks each time.
    ///
    /// # Errors
    /// [`NamedError::Tuf`], [`NamedError::Stale`].
    pub async fn current(&self, http: &Http, now: i64) -> Result<Current, NamedError> {
        if let Some(current) = self.at_hand(now) {
            return Ok(current);
        }
        match self.ask(http, now).await {
            Ok(contents) => {
                _ = held::commit(&self.folder, &contents, now);
                Ok(Current { name: self.record.name.clone(), contents, unreached: None })
            }
            Err(fault @ TufError::Http(_)) => {
                let current = self.offline(now)?;
                let fresh_until = current.contents.fresh_until;
                if now >= fresh_until {
                    let name = self.record.name.0.clone();
                    return Err(NamedError::Stale {
                        name,
                        fault: Box::new(fault),
                        fresh_until: rfc3339(fresh_until),
                    });
                }
                Ok(Current { unreached: Some(fault), ..current })
            }
            Err(fault) => Err(self.fault(fault)),
        }
    }

    /// Asks the repository, and stores what it vouches for.
    ///
    /// # Errors
    /// [`NamedError::Tuf`], [`NamedError::Io`].
    pub async fn update(&self, http: &Http, now: i64) -> Result<Current, NamedError> {
        let contents = self.ask(http, now).await.map_err(|fault| self.fault(fault))?;
        // What does not parse here must not take the place of what did.
        let current = Current { name: self.record.name.clone(), contents, unreached: None };
        current.trusted_root()?;
        held::commit(&self.folder, &current.contents, now)?;
        Ok(current)
    }

    async fn ask(&self, http: &Http, now: i64) -> Result<Contents, TufError> {
        Repository::new(http, self.record.repository.clone())
            .update(&self.record.fingerprint, &self.held, &WANTED, now)
            .await
    }

    fn fault(&self, fault: TufError) -> NamedError {
        NamedError::Tuf { name: self.record.name.0.clone(), fault }
    }
}

impl Current {
    /// The trust root.
    ///
    /// # Errors
    /// [`NamedError::Tuf`] where it is not listed, [`NamedError::Content`].
    pub fn trusted_root(&self) -> Result<TrustedRoot, NamedError> {
        let json = self
            .contents
            .required(TRUSTED_ROOT)
            .map_err(|fault| NamedError::Tuf { name: self.name.0.clone(), fault })?;
        TrustedRoot::from_json(json).map_err(|fault| self.refused(TRUSTED_ROOT, &fault))
    }

    /// Trust root, signing configuration and description.
    ///
    /// # Errors
    /// As [`Self::trusted_root`], and [`NamedError::NoSigningConfig`].
    pub fn trust(&self) -> Result<Trust, NamedError> {
        let json = self
            .contents
            .file(SIGNING_CONFIG)
            .ok_or_else(|| NamedError::NoSigningConfig { name: self.name.0.clone() })?;
        Ok(Trust {
            trusted_root: self.trusted_root()?,
            signing_config: SigningConfig::from_json(json)
                .map_err(|fault| self.refused(SIGNING_CONFIG, &fault))?,
            description: self.description()?,
        })
    }

    /// What the instance says of itself; none where it says nothing.
    ///
    /// # Errors
    /// [`NamedError::Content`].
    pub fn description(&self) -> Result<Option<InstanceDescription>, NamedError> {
        let Some(json) = self.contents.file(DESCRIPTION) else { return Ok(None) };
        InstanceDescription::from_json(json)
            .map(Some)
            .map_err(|fault| self.refused(DESCRIPTION, &fault))
    }

    fn refused(&self, file: &'static str, fault: &dyn fmt::Display) -> NamedError {
        NamedError::Content { name: self.name.0.clone(), file, reason: fault.to_string() }
    }
}

/// Unix seconds for a person; a moment that no calendar holds, as its number of seconds.
fn rfc3339(seconds: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(&time::format_description::well_known::Rfc3339).ok())
        .unwrap_or_else(|| seconds.to_string())
}

/// The files that are looked for, by the names that Sigstore's repositories give them, and ours.
pub(crate) const WANTED: [&str; 3] = [TRUSTED_ROOT, SIGNING_CONFIG, DESCRIPTION];
/// The trust root.
pub const TRUSTED_ROOT: &str = "trusted_root.json";
/// The signing configuration.
pub const SIGNING_CONFIG: &str = "signing_config.v0.2.json";

const RECORD: &str = "instance.json";
const MAX_NAME: usize = 63;
const MAX_RECORD: usize = 64 * 1024;
const DAY: i64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["a", "team-a", "7", &"x".repeat(MAX_NAME)] {
            assert_eq!(Name::parse(name).map(|name| name.0), Ok(name.to_owned()));
        }
        let long = "x".repeat(MAX_NAME + 1);
        for name in ["", "-a", "a-", "A", "a.b", "a/b", "..", "a b", "\u{e9}", &long] {
            assert_eq!(Name::parse(name), Err(NamedError::Name { text: name.into() }));
        }
        assert_eq!(Name::parse(RESERVED), Err(NamedError::Reserved));
    }

    #[test]
    fn names_are_made_of_what_instances_call_themselves() {
        for (text, name) in [
            ("Example", "example"),
            ("ca.example.com", "ca-example-com"),
            ("  Acme, Inc. (test) ", "acme-inc-test"),
            ("../../etc/x", "etc-x"),
        ] {
            assert_eq!(Name::made_of(text).map(|name| name.0), Ok(name.to_owned()));
        }
        assert_eq!(Name::made_of("\u{7b7e}"), Err(NamedError::Name { text: "\u{7b7e}".into() }));
        assert_eq!(Name::made_of("Sigstore"), Err(NamedError::Reserved));
    }
}
