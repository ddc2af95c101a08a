//! `ca rotate`: a new key is published, waited for, and takes over; the old one's end is written
//! into the trust root, and what it signed goes on counting.
//!
//! Two calls, hours apart. The first makes the key and publishes it beside the active one: a
//! client that reads the trust root from then on knows both. The second, once every client has had
//! the time to read it, makes the new key sign. No client ever meets a signature by a key it does
//! not know, and no signature is made by a key after its end.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use formats::trusted_root::Window;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::ceremony;
use crate::clock::Clock;
use crate::disk::InUse;
use crate::failure::Failure;
use crate::instance::Instance;
use crate::keys::Role;
use crate::logs;
use crate::profile::LIFE_SECONDS;
use crate::rotation::{Generation, ROTATED, Stage};
use crate::trust::TrustFiles;
use crate::tuf;

/// Why a key is not rotated.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// Clients may not know the new key yet.
    #[error(
        "the new {role} key was published too short a time ago: clients know it at {ready} \
         ({left_seconds} s from now) at the earliest; --without-waiting switches all the same, and \
         breaks every client that has the older trust root"
    )]
    TooEarly {
        /// The role.
        role: &'static str,
        /// When it may be switched.
        ready: String,
        /// How long until then.
        left_seconds: i64,
    },
    /// The flag is for the second call.
    #[error("no new {role} key is published yet; run this without --without-waiting first")]
    NotStaged {
        /// The role.
        role: &'static str,
    },
}

/// How a rotation is done.
#[derive(Debug, Clone, Default)]
pub struct How {
    /// How long clients have to read the new trust root, in seconds.
    pub wait_seconds: i64,
    /// The key of the root that certifies the new key, when it is not in `DIR/keys`.
    pub root_key: Option<PathBuf>,
    /// Switches before that time is over.
    pub without_waiting: bool,
}

/// One step of a rotation of `role`: stages a new key where none is staged, else switches to it.
/// Answers what was done, for people.
///
/// # Errors
/// [`RotateError`], or what keeps the instance from being read, checked or written. Whatever
/// fails, the active key goes on.
pub fn rotate(dir: &Path, role: Role, how: &How, clock: &Clock) -> Result<String, Failure> {
    let instance = Instance::open(dir, clock.now())?;
    // An edited URL or a swapped key must not ride along into the new trust root unseen.
    files(&instance).publish(&instance.public())?;
    match instance.rotation.staged(role) {
        None if how.without_waiting => Err(RotateError::NotStaged { role: role.name() }.into()),
        None => stage(&instance, role, how, clock.now()),
        Some(staged) => switch(&instance, staged, how, clock),
    }
}

/// Makes the key and publishes it. A crash before `rotation.json` is in place leaves files that
/// nothing refers to, and that the next try refuses to overwrite, by name.
fn stage(instance: &Instance, role: Role, how: &How, now: i64) -> Result<String, Failure> {
    let dir = &instance.dir;
    let active = instance.generation(role);
    let number = active.number + 1;
    let date = OffsetDateTime::from_unix_timestamp(now)?;
    let root_key = how.root_key.as_deref();
    let (key, chain) = ceremony::succeed(instance, role, number, root_key, date)?;
    let ready = now.saturating_add(how.wait_seconds);
    let staged = Generation {
        role,
        number,
        stage: Stage::Staged { ready },
        key,
        chain,
        window: Window { start: now, end: None },
    };
    let since = instance.trusted_since();
    let next = instance.rotation.clone().with_staged(since, active, staged);
    // What is published must also work when its turn comes: found out now, not then.
    Instance::open_as(dir, next.clone().switched(role, now), now)?;
    next.write(dir)?;
    publish(dir, now)?;
    Ok(format!(
        "a new {} key is published in the trust root; the old one signs on\n\
         next: from {} on, with the server stopped, run this again to switch",
        role.name(),
        shown(ready)
    ))
}

/// Makes the staged key the one that signs.
///
/// The old key is trusted for as long as a certificate lives after its last signature: whoever
/// was certified just before may sign until then, and logs that signature while its timestamp is
/// compared with this window.
fn switch(
    instance: &Instance,
    staged: &Generation,
    how: &How,
    clock: &Clock,
) -> Result<String, Failure> {
    let (dir, role) = (&instance.dir, staged.role);
    let _alone = InUse::by_rotation(dir)?;
    let now = clock.now();
    if let Stage::Staged { ready } = staged.stage
        && now < ready
        && !how.without_waiting
    {
        let (role, left_seconds) = (role.name(), ready - now);
        return Err(RotateError::TooEarly { role, ready: shown(ready), left_seconds }.into());
    }
    let end = now.saturating_add(LIFE_SECONDS);
    let next = instance.rotation.clone().switched(role, end);
    let switched = Instance::open_as(dir, next.clone(), now)?;
    // The commit point. A crash before it: nothing has changed. A crash after it: the new key
    // signs at the next start, which also gives the tree its head; the trust root is written by
    // `ca trust DIR --write`, which the start asks for.
    next.write(dir)?;
    publish(dir, now)?;
    if matches!(role, Role::Log | Role::Ct) && switched.database().exists() {
        logs::open(&switched, clock)?.shutdown();
    }
    let old = instance.generation(role).number;
    Ok(format!(
        "the new {name} key signs from the next start on; the old one is trusted until {}\n\
         next: start the server; when it runs well, destroy {}",
        shown(end),
        crate::rotation::key_path(dir, role, old).display(),
        name = role.name(),
    ))
}

/// Publishes what the folder holds now.
fn publish(dir: &Path, now: i64) -> Result<(), Failure> {
    let instance = Instance::open(dir, now)?;
    files(&instance).write(&instance.public())?;
    Ok(tuf::publish(&instance, now)?)
}

fn files(instance: &Instance) -> TrustFiles {
    let issuer = instance.config.sign_in_issuer();
    TrustFiles::of(instance, instance.config.development.then_some(issuer.as_str()))
}

/// `ca rotate status`: one line for each key of each role.
///
/// # Errors
/// When the instance cannot be read.
pub fn status(dir: &Path, now: i64) -> Result<String, Failure> {
    let instance = Instance::open(dir, now)?;
    let mut lines = String::new();
    for role in ROTATED {
        let active = instance.generation(role);
        let recorded: Vec<&Generation> = instance.rotation.of(role).collect();
        let all = if recorded.is_empty() { vec![&active] } else { recorded };
        for generation in all {
            let (since, end) = (shown(generation.window.start), generation.window.end);
            let end = end.map(|end| format!(" until {}", shown(end))).unwrap_or_default();
            let stage = match generation.stage {
                Stage::Active => "signs".to_owned(),
                Stage::Retired => "retired".to_owned(),
                Stage::Staged { ready } => format!("published, may sign from {}", shown(ready)),
            };
            let (name, number) = (role.name(), generation.number);
            writeln!(lines, "{name} {number}: {stage}; trusted since {since}{end}")?;
        }
    }
    Ok(lines)
}

fn shown(seconds: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(seconds).ok();
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_else(|| seconds.to_string())
}
