//! What one commit will do, worked out in memory: which entries of a batch are new and where they
//! go, which are known, and which can't be taken.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::edge::{Edge, NodeError};
use crate::engine::{Shared, SubmitError, View};
use crate::entry::{Accepted, Sequenced, Tree};
use crate::queue::Job;
use crate::sequencer::Answer;
use crate::signer::HeadSigner;
use crate::store::{
    Commit, Head, Issuer, NewEntry, SignedHead, Store, StoreError, StoredEntry, TreeCommit,
};

/// The plan of a batch, one place for each job of it.
#[derive(Default)]
pub(crate) struct Plan {
    parts: BTreeMap<Tree, Part>,
    places: Vec<Place>,
    failed: BTreeMap<Tree, SubmitError>,
    issuers: Vec<Issuer>,
    has_rows: bool,
    behind: bool,
}

/// What is new in one tree.
struct Part {
    expected: Option<Arc<SignedHead>>,
    edge: Edge,
    timestamp_ms: u64,
    entries: Vec<NewEntry>,
    stored: Vec<StoredEntry>,
    by_identity: HashMap<[u8; 32], usize>,
    view: Option<Arc<View>>,
}

/// Where one job of the batch ended up.
enum Place {
    /// An entry of this batch; `duplicate` when an earlier job of the batch brought it.
    New { tree: Tree, at: usize, duplicate: bool },
    /// The log has it.
    Known { tree: Tree, entry: StoredEntry },
    /// Not taken.
    Refused(SubmitError),
    /// An audit row or a value.
    Row,
}

impl Plan {
    /// Works out the places of a batch.
    pub(crate) fn make(shared: &Shared, batch: &[Job], now: u64) -> Self {
        let mut plan = Self::default();
        for job in batch {
            let place = match job {
                Job::Entry { entry, .. } => {
                    plan.place(shared, entry, now).unwrap_or_else(Place::Refused)
                }
                Job::Audit { .. } | Job::Value { .. } => {
                    plan.has_rows = true;
                    Place::Row
                }
            };
            plan.places.push(place);
        }
        plan
    }

    fn place(&mut self, shared: &Shared, entry: &Accepted, now: u64) -> Result<Place, SubmitError> {
        let (tree, identity) = (entry.tree(), entry.identity());
        let view = shared.view(tree).ok_or(SubmitError::NoSuchTree { tree })?;
        if let Some(part) = self.parts.get(&tree)
            && let Some(at) = part.by_identity.get(identity).copied()
        {
            return match part.stored.get(at) {
                Some(stored) if entry.is(stored) => Ok(Place::New { tree, at, duplicate: true }),
                _ => Err(SubmitError::IdentityCollision {
                    tree,
                    index: view.edge.size() + at as u64,
                }),
            };
        }
        if let Some(index) = shared.store.find_duplicate(tree, identity)? {
            let stored = shared.store.entries(tree, index, 1)?.into_iter().next();
            let stored = stored.filter(|stored| stored.index == index);
            let stored = stored.ok_or(NodeError::MissingEntry { tree, index })?;
            // Beyond what we show: another replica logged it.
            self.behind |= index >= view.edge.size();
            // 256 bits do not collide by chance, but a key index that was damaged or tampered
            // with leads here too: never answer with an entry that is not the one asked about.
            if !entry.is(&stored) {
                return Err(SubmitError::IdentityCollision { tree, index });
            }
            return Ok(Place::Known { tree, entry: stored });
        }
        let part = self.parts.entry(tree).or_insert_with(|| Part::after(&view, now));
        let at = part.add(entry)?;
        self.issuers.extend(entry.issuers.iter().cloned());
        Ok(Place::New { tree, at, duplicate: false })
    }

    /// Makes sure that a tree gets a new head, even without new entries.
    pub(crate) fn touch(&mut self, tree: Tree, view: &View, now: u64) {
        self.parts.entry(tree).or_insert_with(|| Part::after(view, now));
    }

    /// Whether a duplicate shows that another replica has moved a head.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind
    }

    pub(crate) fn has_work(&self) -> bool {
        !self.parts.is_empty() || self.has_rows
    }

    /// The trees that will get a new head.
    pub(crate) fn trees(&self) -> Vec<Tree> {
        self.parts.keys().copied().collect()
    }

    /// Signs the new head of a tree.
    pub(crate) fn sign(&mut self, tree: Tree, signer: &dyn HeadSigner) -> Result<(), SubmitError> {
        self.parts.get_mut(&tree).map_or(Ok(()), |part| part.sign(signer))
    }

    /// Takes a tree out of the plan; its new entries are answered with this error.
    pub(crate) fn fail(&mut self, tree: Tree, error: &SubmitError) {
        // Damage was reported when it was found.
        if !matches!(error, SubmitError::Damaged(_)) {
            tracing::error!(%error, %tree, "no head is signed");
        }
        self.parts.remove(&tree);
        self.failed.insert(tree, error.clone());
    }

    /// Why a tree was taken out, if one was.
    pub(crate) fn failure(&self) -> Option<SubmitError> {
        self.failed.values().next().cloned()
    }

    /// The transaction. Takes the new entries out of the plan.
    pub(crate) fn take_commit(&mut self, batch: &[Job]) -> Commit {
        let mut commit = Commit { issuers: std::mem::take(&mut self.issuers), ..Commit::default() };
        commit.issuers.sort_by_key(|issuer| issuer.fingerprint);
        commit.issuers.dedup();
        for (tree, part) in &mut self.parts {
            let Some(view) = &part.view else { continue };
            commit.trees.push(TreeCommit {
                tree: *tree,
                expected: part.expected.as_deref().cloned(),
                entries: std::mem::take(&mut part.entries),
                tiles: view.edge.completed().collect(),
                head: (*view.head).clone(),
            });
        }
        for (job, place) in batch.iter().zip(&self.places) {
            match job {
                Job::Entry { entry, .. } => {
                    if let (Some(row), Some(index)) = (&entry.audit, self.new_index(place)) {
                        commit.audit.push((row.0)(index));
                    }
                }
                Job::Audit { row, .. } => commit.audit.push(row.clone()),
                Job::Value { name, value, .. } => commit.values.push((name.clone(), value.clone())),
            }
        }
        commit
    }

    /// The index of an entry that this plan adds.
    fn new_index(&self, place: &Place) -> Option<u64> {
        let Place::New { tree, at, duplicate: false } = place else { return None };
        Some(self.parts.get(tree)?.stored.get(*at)?.index)
    }

    /// Whether the store holds exactly the heads that this plan signed. Signatures differ from
    /// run to run, so another writer's head of the same tree is not taken for ours.
    pub(crate) fn is_stored(&self, store: &dyn Store) -> Result<bool, StoreError> {
        for (tree, part) in &self.parts {
            let Some(view) = &part.view else { return Ok(false) };
            if store.load(*tree)?.as_ref() != Some(&*view.head) {
                return Ok(false);
            }
        }
        Ok(!self.parts.is_empty())
    }

    /// The views that a successful commit makes true.
    pub(crate) fn views(&self) -> impl Iterator<Item = (Tree, Arc<View>)> + '_ {
        self.parts.iter().filter_map(|(tree, part)| Some((*tree, part.view.clone()?)))
    }

    /// For each tree its first new entry and how many there are.
    pub(crate) fn new_entries(&self) -> impl Iterator<Item = (Tree, u64, usize)> + '_ {
        self.parts
            .iter()
            .filter_map(|(tree, part)| Some((*tree, part.stored.first()?.index, part.stored.len())))
    }

    /// Answers every job of the batch from the views that are published by now.
    pub(crate) fn answer(self, batch: Vec<Job>, shared: &Shared) {
        let Self { parts, places, failed, .. } = self;
        for (job, place) in batch.into_iter().zip(places) {
            let answered = match (job, place) {
                (Job::Entry { reply, .. }, place) => {
                    let answer = answer(place, &parts, &failed, shared);
                    reply.send(answer).is_ok()
                }
                (Job::Audit { reply, .. }, _) => reply.is_none_or(|r| r.send(Ok(())).is_ok()),
                (Job::Value { reply, .. }, _) => reply.send(Ok(())).is_ok(),
            };
            if !answered {
                shared.metrics.gone.fetch_add(1, Relaxed);
            }
        }
    }

    /// Answers every job of a batch with an error. A caller that hung up is no concern.
    pub(crate) fn refuse(batch: Vec<Job>, error: &SubmitError) {
        for job in batch {
            match job {
                Job::Entry { reply, .. } => drop(reply.send(Err(error.clone()))),
                Job::Audit { reply, .. } => drop(reply.map(|reply| reply.send(Err(error.clone())))),
                Job::Value { reply, .. } => drop(reply.send(Err(error.clone()))),
            }
        }
    }

    /// The transaction that creates a tree.
    pub(crate) fn of_birth(
        birth: &Accepted,
        now: u64,
        signer: &dyn HeadSigner,
    ) -> Result<Commit, SubmitError> {
        let mut part = Part::new(None, Edge::default(), now);
        part.add(birth)?;
        part.sign(signer)?;
        let issuers = birth.issuers.clone();
        let mut plan = Self { issuers, ..Self::default() };
        plan.parts.insert(birth.tree(), part);
        Ok(plan.take_commit(&[]))
    }

    /// The transaction that puts a head of this signer over a tree as it is.
    pub(crate) fn of_succession(
        tree: Tree,
        view: &View,
        now: u64,
        signer: &dyn HeadSigner,
    ) -> Result<Commit, SubmitError> {
        let mut plan = Self::default();
        plan.touch(tree, view, now);
        plan.sign(tree, signer)?;
        Ok(plan.take_commit(&[]))
    }
}

impl Part {
    fn after(view: &View, now: u64) -> Self {
        // A clock that was set back does not move heads back in time.
        let timestamp_ms = now.max(view.head.head.timestamp_ms);
        Self::new(Some(view.head.clone()), view.edge.next(), timestamp_ms)
    }

    fn new(expected: Option<Arc<SignedHead>>, edge: Edge, timestamp_ms: u64) -> Self {
        let (entries, stored, by_identity) = (Vec::new(), Vec::new(), HashMap::new());
        Self { expected, edge, timestamp_ms, entries, stored, by_identity, view: None }
    }

    fn add(&mut self, entry: &Accepted) -> Result<usize, SubmitError> {
        let index = self.edge.size();
        if index >= MAX_SIZE {
            return Err(SubmitError::TreeFull { tree: entry.tree() });
        }
        let Sequenced { hash, entry } = entry.sequence(index, self.timestamp_ms);
        self.edge.push(hash)?;
        let at = self.stored.len();
        self.by_identity.insert(entry.dedup, at);
        self.stored.push(StoredEntry {
            index,
            body: entry.body.clone(),
            extra: entry.extra.clone(),
        });
        self.entries.push(entry);
        Ok(at)
    }

    fn sign(&mut self, signer: &dyn HeadSigner) -> Result<(), SubmitError> {
        let (size, root) = (self.edge.size(), self.edge.root()?);
        let head = Head { size, root, timestamp_ms: self.timestamp_ms };
        let head = Arc::new(SignedHead { head, checkpoint: signer.sign(&head)? });
        self.view = Some(Arc::new(View { head, edge: std::mem::take(&mut self.edge) }));
        Ok(())
    }
}

fn answer(
    place: Place,
    parts: &BTreeMap<Tree, Part>,
    failed: &BTreeMap<Tree, SubmitError>,
    shared: &Shared,
) -> Result<Answer, SubmitError> {
    let (tree, entry, duplicate) = match place {
        Place::New { tree, at, duplicate } => {
            let stored = parts.get(&tree).and_then(|part| part.stored.get(at));
            let Some(entry) = stored.cloned() else {
                return Err(failed.get(&tree).cloned().unwrap_or(SubmitError::Stopped));
            };
            (tree, entry, duplicate)
        }
        Place::Known { tree, entry } => (tree, entry, true),
        Place::Refused(error) => return Err(error),
        Place::Row => return Err(SubmitError::Stopped),
    };
    let counters = shared.metrics.tree(tree);
    if duplicate { &counters.duplicates } else { &counters.entries }.fetch_add(1, Relaxed);
    let view = shared.view(tree).ok_or(SubmitError::NoSuchTree { tree })?;
    Ok(Answer { entry, duplicate, view })
}

/// static-ct-api numbers leaves with 40 bits.
const MAX_SIZE: u64 = 1 << 40;
