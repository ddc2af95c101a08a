//! Takes a changed `ca.toml` over into the running server, without dropping a request.
//!
//! Every part is first asked to make what the new file wants of it, and only when all of them
//! could is anything put in place: a file that is broken in any section changes nothing. What
//! requests hold is a [`Current`] value, taken once per request, so that each of them is judged by
//! one configuration from its beginning to its end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::config::{Config, ConfigError, FILE_NAME};
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::rotation::{Rotation, RotationError};

/// A value that a reload exchanges as a whole.
#[derive(Debug)]
pub struct Current<T>(RwLock<Arc<T>>);

impl<T> Current<T> {
    /// Holds a first value.
    pub fn new(value: T) -> Self {
        Self(RwLock::new(Arc::new(value)))
    }

    /// The value as of now; whoever has it keeps it, whatever comes after.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Exchanges the value for those who ask from now on.
    pub fn put(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

/// Puts in place what a part has made; it cannot fail.
pub type Step = Box<dyn FnOnce() + Send>;

/// A part of the server that follows the configuration. A closure is one.
pub trait Part: Send {
    /// Makes what `config` wants of this part, and touches nothing.
    ///
    /// # Errors
    /// When it wants what cannot be.
    fn prepare(&self, config: &Config) -> Result<Step, Failure>;
}

impl<F: Fn(&Config) -> Result<Step, Failure> + Send> Part for F {
    fn prepare(&self, config: &Config) -> Result<Step, Failure> {
        self(config)
    }
}

/// Why a changed `ca.toml` was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It cannot be read, or is no valid configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Something changed that holds for the life of the process.
    #[error("{key} has changed, which needs a restart")]
    NeedsRestart {
        /// The key of `ca.toml`.
        key: String,
    },
    /// `rotation.json` is refused.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// A part could not follow.
    #[error("{0}")]
    Part(Failure),
}

/// What the parts follow: the text of `ca.toml`, and the keys that were published beside those
/// that sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The text of `ca.toml`.
    pub config: String,
    /// What `rotation.json` says.
    pub rotation: Rotation,
}

impl Followed {
    fn read(dir: &Path) -> Result<Self, ReloadError> {
        Ok(Self { config: Config::text(dir)?, rotation: Rotation::read(dir)? })
    }
}

/// The configuration that runs, and the parts that follow it.
pub struct Reload {
    dir: PathBuf,
    running: Followed,
    /// What the files held at the last look. Only what held still for one interval is taken: half
    /// a file that an editor has got round to writing may be a valid one, with fewer rules.
    seen: Option<Followed>,
    /// What was refused: it is told of once.
    refused: Option<Followed>,
    /// What could not be read, in the words that were told.
    unreadable: Option<String>,
    parts: Vec<Box<dyn Part>>,
    metrics: Metrics,
}

impl Reload {
    /// Follows the files of `dir`, which were `running` when the server read them.
    pub fn new(dir: &Path, running: Followed, parts: Vec<Box<dyn Part>>, metrics: Metrics) -> Self {
        let dir = dir.to_owned();
        Self { dir, running, seen: None, refused: None, unreadable: None, parts, metrics }
    }

    /// Looks at the files; `asked` when somebody said that they are complete (SIGHUP). Blocks on
    /// the disk.
    pub fn look(&mut self, asked: bool) {
        let text = match Followed::read(&self.dir) {
            Ok(text) => text,
            // Between an unlink and a rename there is no file: not worth a word unless asked.
            Err(ReloadError::Config(_)) if !asked => return,
            Err(error) => {
                let words = Some(error.to_string());
                if asked || self.unreadable != words {
                    self.unreadable = words;
                    self.tell(&Err(error));
                }
                return;
            }
        };
        if text == self.running {
            (self.seen, self.refused, self.unreadable) = (None, None, None);
            if asked {
                tracing::info!("asked to reload: ca.toml is what runs already");
            }
            return;
        }
        if !asked {
            let held_still = self.seen.as_ref() == Some(&text);
            let known = self.refused.as_ref() == Some(&text);
            if known || !held_still {
                self.seen = Some(text);
                return;
            }
        }
        let outcome = self.take(&text);
        self.tell(&outcome);
        match outcome {
            Ok(_) => (self.running, self.seen, self.refused) = (text, None, None),
            Err(_) => self.refused = Some(text),
        }
    }

    /// Takes a new text over; answers the sections that changed.
    ///
    /// # Errors
    /// [`ReloadError`]; then nothing has changed.
    pub fn take(&self, new: &Followed) -> Result<BTreeSet<String>, ReloadError> {
        let config = Config::parse(&self.dir.join(FILE_NAME), &new.config)?;
        let mut changed = self.changed(&new.config)?;
        if new.rotation != self.running.rotation {
            changed.insert("rotation.json".to_owned());
        }
        let steps = self.parts.iter().map(|part| part.prepare(&config).map_err(ReloadError::Part));
        let steps = steps.collect::<Result<Vec<Step>, _>>()?;
        for step in steps {
            step();
        }
        Ok(changed)
    }

    /// The sections that differ, all of which may.
    fn changed(&self, text: &str) -> Result<BTreeSet<String>, ReloadError> {
        let (old, new) = (self.sections(&self.running.config)?, self.sections(text)?);
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let mut changed = BTreeSet::new();
        for key in keys {
            if old.get(key) == new.get(key) {
                continue;
            }
            if !FOLLOWED.contains(&key.as_str()) {
                return Err(ReloadError::NeedsRestart { key: key.clone() });
            }
            changed.insert(key.clone());
        }
        Ok(changed)
    }

    /// The file's sections; those of `[listen]` count one by one, whether it has `[listen.tls]`
    /// apart from what that holds.
    fn sections(&self, text: &str) -> Result<toml::Table, ReloadError> {
        let mut sections: toml::Table = toml::from_str(text).map_err(|error| {
            let message = error.to_string();
            ReloadError::Config(ConfigError::Shape { path: self.dir.join(FILE_NAME), message })
        })?;
        if let Some(toml::Value::Table(listen)) = sections.remove("listen") {
            let tls = listen.contains_key("tls");
            sections.insert("listen.tls as a whole".to_owned(), tls.into());
            sections
                .extend(listen.into_iter().map(|(key, value)| (format!("listen.{key}"), value)));
        }
        Ok(sections)
    }

    fn tell(&self, outcome: &Result<BTreeSet<String>, ReloadError>) {
        let name = match outcome {
            Ok(changed) => {
                let changed = changed.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                let changed = if changed.is_empty() { "nothing that counts" } else { &changed };
                tracing::info!(changed, "ca.toml was reloaded");
                "taken"
            }
            Err(error) => {
                tracing::error!(%error, "ca.toml was not reloaded; what ran before goes on");
                "refused"
            }
        };
        self.metrics.reloads.with_label_values(&["configuration", name]).inc();
    }
}

/// SIGHUP, where there is one: asks for a reload.
#[cfg(unix)]
pub struct Hangup(tokio::signal::unix::Signal);

#[cfg(unix)]
impl Hangup {
    /// Listens from now on, instead of ending at the signal.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::hangup()).map(Self)
    }

    /// The next one.
    pub async fn next(&mut self) {
        self.0.recv().await;
    }
}

/// SIGHUP, where there is none.
#[cfg(not(unix))]
pub struct Hangup;

#[cfg(not(unix))]
impl Hangup {
    /// Nothing to listen for.
    ///
    /// # Errors
    /// Never.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    /// Never.
    pub async fn next(&mut self) {
        std::future::pending().await
    }
}

/// Looks at the file at each interval and at each hang-up, until the server ends.
pub async fn watch(mut reload: Reload, mut hangup: Hangup) {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        let asked = tokio::select! {
            _ = looks.tick() => false,
            () = hangup.next() => true,
        };
        let looked = tokio::task::spawn_blocking(move || {
            reload.look(asked);
            reload
        });
        match looked.await {
            Ok(back) => reload = back,
            Err(error) => {
                tracing::error!(%error, "reloading has stopped; restart the server to change it");
                return;
            }
        }
    }
}

/// What may change while the server runs.
const FOLLOWED: [&str; 7] =
    ["issuer", "ci_provider", "limits", "notice", "sign_in", "tuf", "listen.tls"];

/// How often the file is looked at.
pub const LOOK: Duration = Duration::from_secs(2);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::Mutex;

    const GOOD: &str = r#"
name = "Example"
[listen]
address = "127.0.0.1:8700"
[urls]
ca = "https://ca.example.com"
log = "https://log.example.com"
ct = "https://ct.example.com"
tsa = "https://tsa.example.com/api/v1/timestamp"
"#;
    const ISSUER: &str = "[[issuer]]\nurl = \"https://id.example.com\"\nclient_id = \"sigstore\"\n\
                          type = \"email\"\n";

    fn followed(config: &str) -> Followed {
        Followed { config: config.to_owned(), rotation: Rotation::default() }
    }

    /// A part that remembers how many issuers it was last told to trust.
    struct Server {
        folder: tempfile::TempDir,
        trusted: Arc<Mutex<usize>>,
        metrics: Metrics,
    }

    impl Server {
        fn new() -> (Self, Reload) {
            let server = Self {
                folder: tempfile::tempdir().unwrap(),
                trusted: Arc::default(),
                metrics: Metrics::new().unwrap(),
            };
            server.write(GOOD);
            let trusted = Arc::clone(&server.trusted);
            let follow = move |config: &Config| -> Result<Step, Failure> {
                let (count, trusted) = (config.issuers.len(), Arc::clone(&trusted));
                Ok(Box::new(move || *trusted.lock().unwrap() = count))
            };
            // A part that is asked after the first, and refuses two issuers.
            let refuse = |config: &Config| -> Result<Step, Failure> {
                match config.issuers.len() {
                    0 | 1 => Ok(Box::new(|| {})),
                    _ => Err("one is enough".into()),
                }
            };
            let parts: Vec<Box<dyn Part>> = vec![Box::new(follow), Box::new(refuse)];
            let metrics = server.metrics.clone();
            let reload = Reload::new(server.folder.path(), followed(GOOD), parts, metrics);
            (server, reload)
        }

        fn write(&self, text: &str) {
            fs::write(self.folder.path().join(FILE_NAME), text).unwrap();
        }

        fn counts(&self) -> (usize, u64, u64) {
            let count =
                |outcome| self.metrics.reloads.with_label_values(&["configuration", outcome]).get();
            (*self.trusted.lock().unwrap(), count("taken"), count("refused"))
        }
    }

    #[test]
    fn a_change_is_taken_when_it_holds_still() {
        let (server, mut reload) = Server::new();
        reload.look(false);
        server.write(&format!("{GOOD}{ISSUER}"));
        reload.look(false);
        assert_eq!(server.counts(), (0, 0, 0), "it may be half written");
        reload.look(false);
        assert_eq!(server.counts(), (1, 1, 0));
        reload.look(false);
        assert_eq!(server.counts(), (1, 1, 0));
        server.write(GOOD);
        reload.look(true);
        assert_eq!(server.counts(), (0, 2, 0), "who asks does not wait");
    }

    #[test]
    fn a_broken_file_changes_nothing() {
        let (server, mut reload) = Server::new();
        let second = ISSUER.replace("id.", "other.");
        for broken in [
            format!("{GOOD}[[issuer]]\nurl = 1\n"),
            format!("{GOOD}{ISSUER}unknown = 1\n"),
            format!("{GOOD}{ISSUER}{ISSUER}"),
            format!("{GOOD}{ISSUER}{second}"),
            String::new(),
        ] {
            server.write(&broken);
            let refused = server.counts().2;
            for _ in 0..4 {
                reload.look(false);
            }
            assert_eq!(server.counts(), (0, 0, refused + 1), "told of once: {broken}");
        }
        server.write(&format!("{GOOD}{ISSUER}"));
        reload.look(true);
        assert_eq!(server.counts().0, 1);
    }

    #[test]
    fn what_needs_a_restart_is_refused_by_name() {
        let (_server, reload) = Server::new();
        let tls = "[listen.tls]\ncertificate = \"c\"\nkey = \"k\"\n[urls]";
        for (from, to, key) in [
            ("Example", "Another", "name"),
            ("8700", "8701", "listen.address"),
            ("log.example", "log2.example", "urls"),
            ("[urls]", "behind_proxy = true\n[urls]", "listen.behind_proxy"),
            ("[urls]", tls, "listen.tls as a whole"),
        ] {
            let changed = GOOD.replace(from, to) + ISSUER;
            match reload.take(&followed(&changed)) {
                Err(ReloadError::NeedsRestart { key: found }) => assert_eq!(found, key),
                other => panic!("{key}: {other:?}"),
            }
        }
        let changed = reload.take(&followed(&format!("# a word\n{GOOD}{ISSUER}"))).unwrap();
        assert_eq!(changed, BTreeSet::from(["issuer".to_owned()]));
    }
}
