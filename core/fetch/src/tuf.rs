//! A TUF repository over HTTP, as a client walks it: bytes are got here, and judged by
//! `verify::tuf`.
//!
//! Nothing is written here. What comes back has passed every check, and [`crate::named`] stores it.

use std::collections::BTreeMap;
use std::time::Duration;

use formats::digest::{Digest, HashAlgorithm};
use formats::tuf::{
    MAX_ROOT_BYTES, MAX_SNAPSHOT_BYTES, MAX_TARGETS_BYTES, MAX_TIMESTAMP_BYTES, Snapshot, Targets,
};
use thiserror::Error;
use verify::tuf::{CurrentRoot, Fresh, Listed, NamedSnapshot, RootChain, TufFault, VerifiedFile};

use crate::endpoint::Endpoint;
use crate::http::{Http, HttpError, Request, Service};

/// Where a repository is: the address that `1.root.json` stands right below.
#[derive(Debug)]
pub struct Repository<'a> {
    http: &'a Http,
    base: Endpoint,
}

/// A repository that was found, and the root that it will be pinned by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where its metadata is.
    pub base: Endpoint,
    /// The root's file.
    pub root: Vec<u8>,
    /// The SHA-256 of that file.
    pub fingerprint: Digest,
}

/// Metadata that is held from the last time, as it stood in files. Nothing in it is believed:
/// whoever uses it has it judged from the pinned root on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The pinned root, and those that followed, version by version.
    pub roots: Vec<Vec<u8>>,
    /// `timestamp.json`.
    pub timestamp: Option<Vec<u8>>,
    /// The snapshot that it names.
    pub snapshot: Option<Vec<u8>>,
    /// The targets that the snapshot names.
    pub targets: Option<Vec<u8>>,
    /// Files that the targets list.
    pub files: Vec<Vec<u8>>,
}

/// What a repository vouches for.
#[derive(Debug, Clone)]
pub struct Contents {
    /// The metadata that it took to verify, for keeping.
    pub metadata: Metadata,
    /// The version of the newest root.
    pub root_version: u64,
    /// The version of the timestamp.
    pub timestamp_version: u64,
    /// When the timestamp ends, in Unix seconds: how long it can be said that nothing newer is known.
    pub fresh_until: i64,
    /// When the first of root, snapshot and targets ends, in Unix seconds.
    pub lives_until: i64,
    files: BTreeMap<&'static str, VerifiedFile>,
}

/// Why there is nothing that a repository vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TufError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// An answer that breaks the rules.
    #[error("the trust repository at {url}: {fault}")]
    Fault {
        /// The repository.
        url: String,
        /// Which rule.
        fault: TufFault,
    },
    /// What is held from the last time breaks the rules, or is not whole.
    #[error("what is held of the trust repository: {0}")]
    Held(TufFault),
    /// What is held from the last time lacks a file.
    #[error("what is held of the trust repository lacks {0}")]
    NotHeld(String),
    /// Neither `/tuf/1.root.json` nor `/1.root.json`.
    #[error("{url} has neither /tuf/1.root.json nor /1.root.json: there is no trust repository")]
    NoRepository {
        /// What was asked.
        url: String,
    },
    /// No root has the fingerprint that was given.
    #[error(
        "no root of {url} has the fingerprint {given}; the first one's is {first}. Either the \
         fingerprint is of another instance, or somebody is between it and you"
    )]
    NoSuchRoot {
        /// The repository.
        url: String,
        /// What was given.
        given: Box<Digest>,
        /// The fingerprint of the first root.
        first: Box<Digest>,
    },
    /// More new roots than any repository makes.
    #[error("the trust repository at {url} has more than {MAX_ROOT_STEPS} new roots")]
    TooManyRoots {
        /// The repository.
        url: String,
    },
    /// A file that must be there is not listed.
    #[error("the trust repository lists no {name}")]
    NotListed {
        /// The file.
        name: &'static str,
    },
}

/// Finds the repository of an instance, or of a mirror that is one itself, and the root with this
/// fingerprint: the first one, or a later one of a repository that has been there for longer (the
/// public Sigstore's first roots are of a form that nobody reads any more). Without a fingerprint
/// it is the first one, to be compared by a person.
///
/// # Errors
/// [`TufError::NoRepository`], [`TufError::NoSuchRoot`], [`TufError::Http`].
pub async fn find(
    http: &Http,
    url: &Endpoint,
    fingerprint: Option<&Digest>,
) -> Result<Found, TufError> {
    for base in [url.join("/tuf"), url.clone()] {
        let repository = Repository { http, base };
        let Some(first) = repository.root(1).await? else { continue };
        return repository.with_fingerprint(first, fingerprint).await;
    }
    Err(TufError::NoRepository { url: url.to_string() })
}

impl<'a> Repository<'a> {
    /// The repository whose metadata is right below `base`.
    #[must_use]
    pub fn new(http: &'a Http, base: Endpoint) -> Self {
        Self { http, base }
    }

    /// Walks the repository from the root that is pinned (specification 5.3 to 5.7), and gets the
    /// `wanted` files that it lists.
    ///
    /// What is held spares requests and is compared with: a repository that went back is refused.
    ///
    /// # Errors
    /// [`TufError`].
    pub async fn update(
        &self,
        fingerprint: &Digest,
        held: &Metadata,
        wanted: &[&'static str],
        now: i64,
    ) -> Result<Contents, TufError> {
        let (mut chain, mut roots) = held_roots(fingerprint, held)?;
        let mut steps = 0;
        while let Some(json) = self.root(chain.next_version()).await? {
            chain = chain.step(&json).map_err(|fault| self.fault(fault))?;
            roots.push(json);
            steps += 1;
            if steps > MAX_ROOT_STEPS {
                return Err(TufError::TooManyRoots { url: self.base.to_string() });
            }
        }
        let root_version = chain.version();
        let root = chain.newest(now).map_err(|fault| self.fault(fault))?;

        // What the root's keys did not sign, or do not sign any more, is not compared with: that is
        // how a repository recovers from a key that signed absurd versions (specification 5.3.11).
        let before = held.timestamp.as_deref().and_then(|json| root.held_timestamp(json).ok());
        let json = self.get("timestamp.json", MAX_TIMESTAMP_BYTES).await?;
        let timestamp =
            root.timestamp(&json, before.as_ref(), now).map_err(|fault| self.fault(fault))?;
        let timestamp_json = json;

        let (snapshot, snapshot_json) =
            self.snapshot(&root, &timestamp.snapshot(), held, now).await?;
        let (targets, targets_json) = self.targets(&root, &snapshot, held, now).await?;

        let mut files = BTreeMap::new();
        for name in wanted {
            let Some(listed) = targets.file(name) else { continue };
            let file = match at_hand(held, &listed) {
                Some(file) => file,
                None => {
                    let path = format!("targets/{}.{name}", listed.digest().to_hex());
                    let bytes = self.get(&path, declared(Some(listed.length()), MAX_FILE)).await?;
                    listed.check(&bytes).map_err(|fault| self.fault(fault))?
                }
            };
            files.insert(*name, file);
        }
        Ok(Contents {
            root_version,
            timestamp_version: timestamp.version(),
            fresh_until: timestamp.expires(),
            lives_until: root.expires().min(snapshot.expires()).min(targets.expires()),
            metadata: Metadata {
                roots,
                timestamp: Some(timestamp_json),
                snapshot: Some(snapshot_json),
                targets: Some(targets_json),
                files: files.values().map(|file| file.bytes().to_vec()).collect(),
            },
            files,
        })
    }

    async fn snapshot(
        &self,
        root: &CurrentRoot,
        named: &NamedSnapshot,
        held: &Metadata,
        now: i64,
    ) -> Result<(Fresh<Snapshot>, Vec<u8>), TufError> {
        let before = held.snapshot.as_deref().and_then(|json| root.held_snapshot(json).ok());
        if let Some(json) = &held.snapshot
            && let Ok(snapshot) = root.snapshot(json, named, None, now)
        {
            return Ok((snapshot, json.clone()));
        }
        let path = format!("{}.snapshot.json", named.version());
        let json = self.get(&path, declared(named.length(), MAX_SNAPSHOT_BYTES)).await?;
        let snapshot =
            root.snapshot(&json, named, before.as_ref(), now).map_err(|fault| self.fault(fault))?;
        Ok((snapshot, json))
    }

    async fn targets(
        &self,
        root: &CurrentRoot,
        snapshot: &Fresh<Snapshot>,
        held: &Metadata,
        now: i64,
    ) -> Result<(Fresh<Targets>, Vec<u8>), TufError> {
        if let Some(json) = &held.targets
            && let Ok(targets) = root.targets(json, snapshot, now)
        {
            return Ok((targets, json.clone()));
        }
        let path = format!("{}.targets.json", snapshot.targets_version());
        let json = self.get(&path, declared(snapshot.targets_length(), MAX_TARGETS_BYTES)).await?;
        let targets = root.targets(&json, snapshot, now).map_err(|fault| self.fault(fault))?;
        Ok((targets, json))
    }

    async fn with_fingerprint(
        self,
        first: Vec<u8>,
        wanted: Option<&Digest>,
    ) -> Result<Found, TufError> {
        let of = |json: &[u8]| HashAlgorithm::Sha256.digest(json);
        let first_one = of(&first);
        let wanted = wanted.copied().unwrap_or(first_one);
        let mut candidate = Some(first);
        for version in 2..=MAX_ROOT_STEPS + 1 {
            match candidate {
                Some(root) if of(&root) == wanted => {
                    return Ok(Found { base: self.base, root, fingerprint: wanted });
                }
                Some(_) => candidate = self.root(version).await?,
                None => break,
            }
        }
        let url = self.base.to_string();
        Err(TufError::NoSuchRoot { url, given: Box::new(wanted), first: Box::new(first_one) })
    }

    /// A root, when there is one of this version: 404 is how a repository says that there is none.
    async fn root(&self, version: u64) -> Result<Option<Vec<u8>>, TufError> {
        match self.get(&format!("{version}.root.json"), MAX_ROOT_BYTES).await {
            Ok(json) => Ok(Some(json)),
            Err(HttpError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn get(&self, path: &str, cap: usize) -> Result<Vec<u8>, HttpError> {
        let endpoint = self.base.join(&format!("/{path}"));
        let request = Request {
            service: Service::TrustRepository,
            endpoint: &endpoint,
            body: None,
            accept: "*/*",
            cap,
            limit: LIMIT,
        };
        self.http.send(&request).await
    }

    fn fault(&self, fault: TufFault) -> TufError {
        TufError::Fault { url: self.base.to_string(), fault }
    }
}

/// What the repository vouched for when it was last asked: `held`, judged again from the pinned
/// root on. That the timestamp may have ended is the one thing that is passed over, and
/// [`Contents::fresh_until`] says it.
///
/// # Errors
/// [`TufError::Held`], [`TufError::NotHeld`].
pub fn last_known(
    fingerprint: &Digest,
    held: &Metadata,
    wanted: &[&'static str],
    now: i64,
) -> Result<Contents, TufError> {
    let (chain, _) = held_roots(fingerprint, held)?;
    let root_version = chain.version();
    let root = chain.newest(now).map_err(TufError::Held)?;
    let part = |json: &Option<Vec<u8>>, name: &str| {
        json.clone().ok_or_else(|| TufError::NotHeld(name.to_owned()))
    };
    let timestamp =
        root.held_timestamp(&part(&held.timestamp, "timestamp.json")?).map_err(TufError::Held)?;
    let snapshot = root
        .snapshot(
            &part(&held.snapshot, "snapshot.json")?,
            &timestamp.last_known_snapshot(),
            None,
            now,
        )
        .map_err(TufError::Held)?;
    let targets = root
        .targets(&part(&held.targets, "targets.json")?, &snapshot, now)
        .map_err(TufError::Held)?;
    let mut files = BTreeMap::new();
    for name in wanted {
        let Some(listed) = targets.file(name) else { continue };
        let file = at_hand(held, &listed).ok_or_else(|| TufError::NotHeld((*name).to_owned()))?;
        files.insert(*name, file);
    }
    Ok(Contents {
        metadata: held.clone(),
        root_version,
        timestamp_version: timestamp.version(),
        fresh_until: timestamp.expires(),
        lives_until: root.expires().min(snapshot.expires()).min(targets.expires()),
        files,
    })
}

impl Contents {
    /// A file that was wanted, when it is listed.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(VerifiedFile::bytes)
    }

    /// A file that was wanted and must be there.
    ///
    /// # Errors
    /// [`TufError::NotListed`].
    pub fn required(&self, name: &'static str) -> Result<&[u8], TufError> {
        self.file(name).ok_or(TufError::NotListed { name })
    }
}

fn held_roots(
    fingerprint: &Digest,
    held: &Metadata,
) -> Result<(RootChain, Vec<Vec<u8>>), TufError> {
    let (pinned, later) =
        held.roots.split_first().ok_or_else(|| TufError::NotHeld("root.json".to_owned()))?;
    let mut chain = RootChain::pinned(pinned, fingerprint).map_err(TufError::Held)?;
    for json in later {
        chain = chain.step(json).map_err(TufError::Held)?;
    }
    Ok((chain, held.roots.clone()))
}

fn at_hand(held: &Metadata, listed: &Listed<'_>) -> Option<VerifiedFile> {
    held.files.iter().find_map(|bytes| listed.check(bytes).ok())
}

/// The length that was signed, where it was, and never more than the cap.
fn declared(length: Option<u64>, cap: usize) -> usize {
    length.and_then(|length| usize::try_from(length).ok()).map_or(cap, |length| length.min(cap))
}

/// A client that was away for longer than this many roots pins anew.
const MAX_ROOT_STEPS: u64 = 256;
/// Largest file that is got, in bytes.
const MAX_FILE: usize = formats::limits::MAX_TRUSTED_ROOT_BYTES;
const LIMIT: Duration = Duration::from_secs(10);
