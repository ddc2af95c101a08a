//! Keeps the repository alive: signs what ages, and says weeks ahead what it cannot sign.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tough::schema::{Role as _, RoleType};

use crate::clock::Clock;
use crate::config::Config;
use crate::failure::Failure;
use crate::instance::Instance;
use crate::metrics::Metrics;
use crate::reload::{Current, Part, Step};
use crate::tuf::config::{DAY_SECONDS, ROLES, TufConfig};
use crate::tuf::repository::Repository;
use crate::tuf::serve::Shelf;
use crate::tuf::{TufError, folder, publish};

/// When each role's signatures end, in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiries([(RoleType, i64); 4]);

impl Expiries {
    pub(super) fn of(repository: &Repository) -> Option<Self> {
        let current = repository.current.as_ref()?;
        Some(Self(ROLES.map(|role| {
            let expires = match role {
                RoleType::Root => repository.root().expires(),
                RoleType::Targets | RoleType::DelegatedTargets => current.targets.role.expires(),
                RoleType::Snapshot => current.snapshot.role.expires(),
                RoleType::Timestamp => current.timestamp.role.expires(),
            };
            (role, expires.as_second())
        })))
    }

    /// Seconds that are left for each role; negative once its signatures have expired.
    pub fn left(&self, now: i64) -> impl Iterator<Item = (RoleType, i64)> {
        self.0.into_iter().map(move |(role, expires)| (role, expires.saturating_sub(now)))
    }

    /// What a person should do something about, weeks before it is a problem.
    pub fn warnings(&self, now: i64) -> Vec<String> {
        let root = self.left(now).find(|(role, _)| *role == RoleType::Root);
        root.filter(|(_, left)| (ROOT_PROBLEM..ROOT_WARNING).contains(left))
            .map(|(_, left)| {
                let days = left / DAY_SECONDS;
                format!("tuf: the root expires in {days} days; sign the next one: ca tuf root DIR")
            })
            .into_iter()
            .collect()
    }

    /// What keeps clients from trusting this instance, now or within days.
    pub fn problems(&self, now: i64) -> Vec<String> {
        self.left(now)
            .filter_map(|(role, left)| match role {
                _ if left <= 0 => Some(format!("tuf: the {role} has expired")),
                RoleType::Root if left < ROOT_PROBLEM => {
                    let days = left / DAY_SECONDS;
                    Some(format!("tuf: the root expires in {days} days: ca tuf root DIR"))
                }
                _ => None,
            })
            .collect()
    }
}

/// What renewal works on.
pub struct Renewal {
    dir: PathBuf,
    config: Arc<Current<TufConfig>>,
    shelf: Shelf,
    clock: Clock,
    metrics: Metrics,
    /// What was last said to be wrong, so that it is said once.
    said: String,
}

impl Renewal {
    /// The renewal of what `shelf` serves.
    pub fn new(instance: &Instance, shelf: Shelf, clock: Clock, metrics: Metrics) -> Self {
        let config = Arc::new(Current::new(instance.config.tuf.clone()));
        Self { dir: instance.dir.clone(), config, shelf, clock, metrics, said: String::new() }
    }

    /// Follows `[tuf]` of a changed ca.toml: another life holds from the next turn on, another key
    /// or threshold from the root on that names it.
    pub fn follow(&self) -> impl Part + use<> {
        let current = Arc::clone(&self.config);
        move |config: &Config| -> Result<Step, Failure> {
            let (current, wanted) = (Arc::clone(&current), config.tuf.clone());
            Ok(Box::new(move || current.put(wanted)))
        }
    }

    /// Signs what ages, and takes over what a command beside this server published.
    ///
    /// # Errors
    /// When something cannot be signed or read; what is served is what can be served.
    pub fn turn(&self) -> Result<(), TufError> {
        // A clock that was set would date the signatures wrongly; they have days left.
        let renewed = match self.clock.signing_time() {
            Ok(now) => publish::update(&self.dir, &self.config.get(), None, now),
            Err(_stepped) => Ok(()),
        };
        self.shelf.reload(&folder(&self.dir))?;
        self.count();
        renewed
    }

    /// Brings `paraph_tuf_expires_seconds` up to date.
    fn count(&self) {
        let Some(expiries) = self.shelf.expiries() else { return };
        for (role, left) in expiries.left(self.clock.now()) {
            self.metrics.tuf_expires.with_label_values(&[&role.to_string()]).set(left);
        }
    }

    /// Takes a turn now and every few seconds, for as long as the server runs.
    pub async fn run(mut self) {
        let mut pace = tokio::time::interval(TURN);
        loop {
            pace.tick().await;
            let turn = tokio::task::spawn_blocking(move || {
                let done = self.turn();
                (self, done)
            });
            match turn.await {
                Ok((renewal, done)) => self = renewal.say(done.err()),
                Err(error) => {
                    tracing::error!(%error, "the renewal of the TUF repository panicked");
                    return;
                }
            }
        }
    }

    fn say(mut self, error: Option<TufError>) -> Self {
        let error = error.map_or_else(String::new, |error| error.to_string());
        if !error.is_empty() && error != self.said {
            tracing::error!(error, "the TUF repository was not renewed");
        }
        self.said = error;
        self
    }
}

/// How often a look is taken. Signing is due every few days; what a command beside this server
/// published is served at once.
const TURN: Duration = Duration::from_secs(5);

/// From when on an ageing root is talked about: a root that can be signed here was renewed long
/// before, so this is one whose keys are elsewhere.
const ROOT_WARNING: i64 = 60 * DAY_SECONDS;

/// From when on it is a problem: until then signing and verifying go on as ever.
const ROOT_PROBLEM: i64 = 7 * DAY_SECONDS;
