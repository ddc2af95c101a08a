//! The flow of a signature, from bytes to a bundle that has been verified.
//!
//! One token and, as long as it lives, one certificate serve all files of a run. Files are hashed one
//! after the other on a thread of their own, while those already hashed are timestamped and logged,
//! a few at a time.

use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fetch::artifact::ArtifactError;
use fetch::http::Http;
use fetch::progress::{Progress, SILENCE};
use fetch::shown::shown;
use fetch::trust::Trust;
use formats::bundle::{Bundle, BundleVersion, Content, Material};
use formats::certificate::LeafIdentity;
use formats::digest::Digest;
use formats::trusted_root::TrustedRoot;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};
use verify::policy::{IdentityMatch, Matcher, Policy};
use verify::verify::{Artifact, Verified, Verifier};

use crate::authority::{self, Issued};
use crate::cli::SignBlob;
use crate::consent::Notice;
use crate::error::Failure;
use crate::job::{Hashed, Job, hash_in_background};
use crate::key::OneUseKey;
use crate::login::environment::Environment;
use crate::login::person::Person;
use crate::login::{self, Claimed, Expected, LoginError, Order, SignedIn, now};
use crate::services::Services;
use crate::{bundle_file, log, timestamp, trust};

/// A file that is signed, and whose bundle is written.
#[derive(Debug)]
pub struct Signed {
    /// The file; `-` is standard input.
    pub file: PathBuf,
    /// Its SHA-256.
    pub digest: Digest,
    /// Where the bundle is.
    pub bundle: PathBuf,
    /// What a relying party reads in it.
    pub verified: Verified,
}

/// Signs the files that the flags name, and tells `done` of each when its bundle is written. At the
/// first failure no further file is begun, and those under way are finished.
///
/// # Errors
/// The first [`Failure`].
pub async fn sign_blobs(mut flags: SignBlob, done: &mut dyn FnMut(&Signed)) -> Result<(), Failure> {
    let environment = Environment::of_this_process();
    let person = Person::at_this_process(&environment);
    let jobs = Job::all(&flags, login::reads_standard_input(&flags.identity, &environment))?;
    let http = Http::new();
    let trust = patiently("Waiting for the instance", trust::of(&flags, &http, now())).await?;
    let mut session = Session::open(http, trust, &mut flags, &person).await?;

    let mut missing = jobs.len();
    let mut hashed = hash_in_background(jobs);
    let mut all_begun = false;
    let mut running = JoinSet::new();
    let mut outcome = Ok(());
    let mut waiting = Waiting::new();
    loop {
        let ended = tokio::select! {
            next = hashed.recv(), if !all_begun && running.len() < MOST_AT_ONCE => match next {
                Some(job) => session.begin(job, &mut running).await,
                None => { all_begun = true; Ok(()) }
            },
            Some(ended) = running.join_next() => {
                ended.unwrap_or(Err(Failure::Runtime(io::ErrorKind::Other))).map(|signed| {
                    missing -= 1;
                    done(&signed);
                })
            }
            () = waiting.long(), if all_begun && !running.is_empty() => { waiting.show(); Ok(()) }
            else => break,
        };
        if let Err(failure) = ended {
            all_begun = true;
            hashed.close();
            outcome = outcome.and(Err(failure));
        }
    }
    // A hashing thread that ended early would otherwise pass for the end of the list.
    let all = if missing == 0 { Ok(()) } else { Err(Failure::Runtime(io::ErrorKind::BrokenPipe)) };
    outcome.and(all)
}

/// Who signs, where, and with what certificate.
struct Session {
    shared: Arc<Shared>,
    signed_in: SignedIn,
    expected: Expected,
    root: TrustedRoot,
    credential: Option<Arc<Credential>>,
}

/// What the signatures under way have in common.
struct Shared {
    http: Http,
    services: Services,
    verifier: Verifier,
}

/// A key and the certificate for it.
struct Credential {
    key: OneUseKey,
    issued: Issued,
    /// By this machine's steady clock, so that a wrong time of day does not matter.
    expires: Instant,
}

impl Session {
    async fn open(
        http: Http,
        trust: Trust,
        flags: &mut SignBlob,
        person: &Person<'_>,
    ) -> Result<Self, Failure> {
        let services = Services::choose(&trust.signing_config, now())?;
        let verifier = Verifier::new(&trust.trusted_root)?;
        let notice = Notice::pending(trust.description.as_ref(), flags.yes, person)?;
        let flags = &mut flags.identity;
        let expected = Expected::of(flags);
        let client_id = login::client_id(flags, Some(&trust));
        let issuer = login::issuer(flags, Some(&trust));
        let order = Order { flags, http: &http, person, client_id, issuer };
        let signed_in = login::sign_in(order).await?;
        if signed_in.source.is_interactive() || notice.is_some() {
            person.tell(&public_and_permanent(&signed_in.token.claimed()));
        }
        if let Some(notice) = notice {
            notice.confirm(person)?;
        }
        let shared = Arc::new(Shared { http, services, verifier });
        let root = trust.trusted_root;
        Ok(Self { shared, signed_in, expected, root, credential: None })
    }

    /// Signs one hashed file in the background.
    async fn begin(
        &mut self,
        job: Result<Hashed, ArtifactError>,
        running: &mut JoinSet<Result<Signed, Failure>>,
    ) -> Result<(), Failure> {
        let job = job?;
        let credential = self.credential().await?;
        running.spawn(self.shared.clone().sign(job, credential));
        Ok(())
    }

    /// The certificate at hand, or a new one for a new key when less than a minute of it is left.
    async fn credential(&mut self) -> Result<Arc<Credential>, Failure> {
        let at_hand =
            self.credential.as_ref().filter(|at_hand| lasts(at_hand.expires, Instant::now()));
        if let Some(credential) = at_hand {
            return Ok(credential.clone());
        }
        let SignedIn { token, source } = &self.signed_in;
        token.check_expiry(now()).map_err(|fault| LoginError::Token { via: *source, fault })?;
        let key = OneUseKey::generate()?;
        let Shared { http, services, .. } = &*self.shared;
        let asked = Instant::now();
        let request = authority::certify(http, &services.authority, token, &key, &self.root);
        let issued = patiently("Waiting for the certificate authority", request).await?;
        let identity = &issued.identity;
        self.expected.check_certificate(identity.subject.as_str(), &identity.issuer)?;
        let expires = asked + lifetime(&issued);
        let credential = Arc::new(Credential { key, issued, expires });
        self.credential = Some(credential.clone());
        Ok(credential)
    }
}

impl Shared {
    async fn sign(
        self: Arc<Self>,
        job: Hashed,
        credential: Arc<Credential>,
    ) -> Result<Signed, Failure> {
        let Hashed { job: Job { file, bundle: path }, digest } = job;
        let Credential { key, issued, .. } = &*credential;
        let signature = key.sign(&digest)?;

        let mut timestamps = Vec::new();
        for authority in &self.services.timestamp_authorities {
            timestamps.push(timestamp::timestamp(&self.http, authority, &signature).await?);
        }
        let mut entries = Vec::new();
        for base in &self.services.logs {
            let certificate = &issued.certificate;
            entries.push(log::record(&self.http, base, &digest, &signature, certificate).await?);
        }
        let bundle = Bundle {
            version: BundleVersion::V03,
            material: Material::Certificate(issued.certificate.clone()),
            content: Content::Message { digest: Some(digest), signature },
            entries,
            timestamps,
        };
        let json = bundle.to_json();
        let verified = self.check(&json, &digest, &issued.identity)?;
        bundle_file::write(&path, &json)?;
        Ok(Signed { file, digest, bundle: path, verified })
    }

    /// Reads the bundle back and verifies it as a relying party that pins this identity would, with
    /// every log and every timestamp authority that was used.
    fn check(
        &self,
        bundle: &str,
        digest: &Digest,
        identity: &LeafIdentity,
    ) -> Result<Verified, Failure> {
        let bundle = Bundle::from_json(bundle.as_bytes()).map_err(Failure::SelfRead)?;
        let wanted = IdentityMatch::new(
            Matcher::exact(identity.subject.as_str()),
            Matcher::exact(identity.issuer.clone()),
        );
        let mut policy = Policy::identity(wanted);
        if let Some(logs) = count(&self.services.logs) {
            policy = policy.logs(logs);
        }
        if let Some(times) = count(&self.services.timestamp_authorities) {
            policy = policy.times(times);
        }
        self.verifier
            .verify(&bundle, &Artifact::Digests(&[*digest]), &policy, now())
            .map_err(Failure::SelfCheck)
    }
}

/// What a person sees while services are slow.
struct Waiting {
    since: tokio::time::Instant,
    progress: Option<Progress>,
}

impl Waiting {
    fn new() -> Self {
        Self { since: tokio::time::Instant::now(), progress: None }
    }

    /// Returns when it is time to show something, and not again after that.
    async fn long(&self) {
        if self.progress.is_some() {
            return std::future::pending().await;
        }
        sleep_until(self.since + SILENCE).await;
    }

    fn show(&mut self) {
        self.progress = Some(spinner("Waiting for the log"));
    }
}

/// Awaits `work`, and shows after a while what is waited for.
async fn patiently<T>(what: &str, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    tokio::select! {
        done = &mut work => done,
        () = sleep(SILENCE) => {
            let _shown_until_done = spinner(what);
            work.await
        }
    }
}

fn spinner(what: &str) -> Progress {
    let mut progress = Progress::new(what.to_owned(), None);
    progress.still_at_it();
    progress
}

/// What a person should know before their name is in a log for good.
fn public_and_permanent(who: &Claimed) -> String {
    format!(
        "You are about to sign as {} (vouched for by {}). This becomes public and permanent.\n",
        shown(&who.identity),
        shown(&who.issuer)
    )
}

/// Whether a certificate that expires then is good for one more signature.
fn lasts(expires: Instant, now: Instant) -> bool {
    expires.saturating_duration_since(now) >= LEAST_LIFE
}

fn lifetime(issued: &Issued) -> Duration {
    let certificate = &issued.certificate;
    let seconds = certificate.not_after().saturating_sub(certificate.not_before());
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).min(LONGEST_LIFE)
}

fn count<T>(list: &[T]) -> Option<std::num::NonZeroU32> {
    u32::try_from(list.len()).ok().and_then(std::num::NonZeroU32::new)
}

/// Requests to one log at a time: enough to fill its batches, few enough to be a fair client.
const MOST_AT_ONCE: usize = 8;
/// A signature that is begun with less than this left might be timestamped too late.
const LEAST_LIFE: Duration = Duration::from_secs(60);
/// Bounds what a certificate with absurd dates can make of an instant.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_in_its_last_minute() {
        let now = Instant::now();
        assert!(lasts(now + Duration::from_secs(600), now));
        assert!(lasts(now + LEAST_LIFE, now));
        assert!(!lasts(now + LEAST_LIFE - Duration::from_millis(1), now));
        assert!(!lasts(now, now + Duration::from_secs(1)));
    }
}
