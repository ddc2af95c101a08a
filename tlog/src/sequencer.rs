//! The one writer. [`Sequencer::commit`] is the whole story of an entry from accepted to
//! published, with what a crash leaves behind beside each step; opening a log and recovering after
//! a failed commit go through the same [`load`].

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use merkle::note::NoteVerifier;

use crate::birth::BirthError;
use crate::edge::{AllNodes, Edge};
use crate::engine::{Clock, OpenError, Settings, Shared, SubmitError, TreeConfig, View, lock};
use crate::entry::Tree;
use crate::highwater::{HighWater, Mark};
use crate::metrics::Metrics;
use crate::plan::Plan;
use crate::queue::{Job, Queue, Taken};
use crate::scrub;
use crate::signer::check_head;
use crate::store::{Commit, CommitError, Head, Store, StoreError, StoredEntry};

/// The writer's own state. Readers see only the [`View`]s that it publishes.
pub(crate) struct Sequencer {
    shared: Arc<Shared>,
    configs: BTreeMap<Tree, TreeConfig>,
    settings: Settings,
    high_water: Option<HighWater>,
    high_water_due: Option<Instant>,
    /// A commit's outcome could not be learned. What the views show may be behind the store, so
    /// they are loaded again before anything else is done.
    stale: bool,
    /// The last commit failed: what is due is then tried again at leisure.
    failing: bool,
    /// For each tree the entries of its last commit that have not been read back yet.
    unread: BTreeMap<Tree, (u64, usize)>,
}

/// What a caller gets: its entry, and the view that covers it.
pub(crate) struct Answer {
    pub(crate) entry: StoredEntry,
    pub(crate) duplicate: bool,
    pub(crate) view: Arc<View>,
}

impl Sequencer {
    /// Commits a batch and answers all who wait for it.
    fn commit_and_answer(&mut self, batch: Vec<Job>) {
        let count = batch.len();
        let outcome = self.commit(&batch);
        let last = match &outcome {
            Ok(plan) => plan.failure().map_or(Ok(()), Err),
            Err(error) => Err(error.clone()),
        };
        self.failing = last.is_err();
        *lock(&self.shared.last_commit) = last;
        match outcome {
            Ok(plan) => plan.answer(batch, &self.shared),
            Err(error) => Plan::refuse(batch, &error),
        }
        self.shared.queue.done(count);
    }

    fn commit(&mut self, batch: &[Job]) -> Result<Plan, SubmitError> {
        let mut moved = None;
        let began = Instant::now();
        // A replica that is a little faster can be first many times in a row, but not for long.
        let attempts = (0..).take_while(|n| *n < MIN_ATTEMPTS || began.elapsed() < MAX_PATIENCE);
        for attempt in attempts {
            // 0. After a commit of unknown outcome the store is asked first. Until it answers,
            //    nothing is signed: the head it may hold is one that we must build on.
            if self.stale {
                self.reload()?;
            }

            // 1. Places. In memory only: a crash here loses nothing but unanswered requests.
            //    Dedup asks the store and this batch, never a memory of earlier tries, so an
            //    entry whose commit failed is simply new again.
            let now = (self.shared.clock)();
            let mut plan = Plan::make(&self.shared, batch, now);
            self.resign_old_heads(&mut plan, now);
            self.read_back(&mut plan);
            if attempt == 0 && plan.is_behind() {
                self.stale = true;
                continue;
            }
            if !plan.has_work() {
                return Ok(plan);
            }

            // 2. Heads are signed. They are in memory only: a crash loses them, and none of them
            //    was shown, so a later run may sign another head of the same size.
            for tree in plan.trees() {
                let signed = match self.configs.get(&tree) {
                    Some(config) => plan.sign(tree, &*config.signer),
                    None => Err(SubmitError::NoSuchTree { tree }),
                };
                if let Err(error) = signed {
                    plan.fail(tree, &error);
                }
            }
            let commit = plan.take_commit(batch);
            if commit == Commit::default() {
                return Ok(plan);
            }

            // 3. The commit: entries, tiles, keys and heads in one transaction, if every head is
            //    still the one that we built on. A crash before it: as if the requests never
            //    came. A crash after it: the batch is logged under a head that nobody has seen
            //    yet; it is loaded at the next start, and a repeated request finds its entry.
            let started = Instant::now();
            let result = self.shared.store.commit(&commit);
            self.shared.metrics.committed(started.elapsed(), commit.audit.len(), result.is_ok());
            match result {
                Ok(()) => {}
                Err(CommitError::HeadMoved { tree }) => {
                    // Another replica was first. Our heads were never shown: drop them, build
                    // on what is there now, and find its entries in dedup.
                    self.shared.metrics.heads_moved.fetch_add(1, Relaxed);
                    self.stale = true;
                    moved = Some(tree);
                    continue;
                }
                Err(CommitError::NotPersisted(error)) => return Err(error.into()),
                Err(CommitError::Unknown(error)) => {
                    // The store may hold our heads or not, and only it can say. If it can't be
                    // asked now, it is asked before the next batch; the callers are told of an
                    // error and find their entries, if they are there, when they try again.
                    tracing::warn!(%error, "a commit has an unknown outcome; asking the store");
                    self.stale = true;
                    if !plan.is_stored(&*self.shared.store)? {
                        return Err(error.into());
                    }
                }
            }

            // 4. The heads are shown. Only now, and from one place, so that no reader and no
            //    caller ever holds a head that a crash could take back.
            self.stale = false;
            for (tree, view) in plan.views() {
                self.publish(tree, view);
            }

            // 5. The high-water mark follows. A crash before it is written leaves an older mark,
            //    which is still a true one.
            self.raise_high_water();
            self.remember_unread(&plan);
            return Ok(plan);
            // 6. The answers go out (`commit_and_answer`). A crash before them: the caller sees a
            //    broken connection, tries again, and is answered with the entry it has.
        }
        self.stale = true;
        Err(moved.map_or(SubmitError::Stopped, |tree| SubmitError::HeadKeptMoving { tree }))
    }

    /// Heads of idle trees are signed anew, so that a fresh checkpoint shows a living log. The
    /// same compare-and-swap commit as for entries: a replica can't be overwritten by it.
    fn resign_old_heads(&self, plan: &mut Plan, now: u64) {
        for (tree, view) in self.due(now) {
            plan.touch(tree, &view, now);
        }
    }

    fn due(&self, now: u64) -> Vec<(Tree, Arc<View>)> {
        let views = self.shared.trees.keys().filter_map(|t| Some((*t, self.shared.view(*t)?)));
        let due = views.filter(|(tree, view)| {
            let age = now.saturating_sub(view.head.head.timestamp_ms);
            age >= self.settings.resign_after_ms && self.shared.damage(*tree).is_none()
        });
        due.collect()
    }

    /// Before a head is signed over them, entries of the commit before are read back and hashed
    /// again (Yeti 2022 signed over a flipped bit and could never prove that entry). Not all in a
    /// large batch: under load it is a sample of [`READ_BACK`], so that the cost per entry stays
    /// under a microsecond; the background scrubber ([`crate::scrub`]) goes over all of them.
    /// Known damage stops the tree too.
    fn read_back(&mut self, plan: &mut Plan) {
        for tree in plan.trees() {
            if let Some((first, count)) = self.unread.remove(&tree)
                && let Some(view) = self.shared.view(tree)
            {
                scrub::read_back(&self.shared, &view, tree, first, count.min(READ_BACK));
            }
            if let Some(damage) = self.shared.damage(tree) {
                plan.fail(tree, &SubmitError::Damaged(damage));
            }
        }
    }

    fn remember_unread(&mut self, plan: &Plan) {
        for (tree, first, count) in plan.new_entries() {
            self.unread.insert(tree, (first, count));
        }
    }

    /// Opens every tree, and creates those that were never born. Creation is a commit like any
    /// other, on the head `None`: of two writers on a fresh store one wins, and the other finds
    /// the log made.
    pub(crate) fn open(
        store: Arc<dyn Store>,
        trees: Vec<TreeConfig>,
        clock: Clock,
        settings: Settings,
        queue: Queue,
    ) -> Result<Self, OpenError> {
        let high_water = settings.high_water.as_deref().map(HighWater::read).transpose()?;
        let mut views = BTreeMap::new();
        for config in &trees {
            succeed(&*store, config, clock(), high_water.as_ref())?;
            let mut view = load(&*store, config)?;
            check_mark(&*store, config.tree, view.as_ref(), high_water.as_ref())?;
            if view.is_none() {
                create(&*store, config, clock())?;
                view = load(&*store, config)?;
            }
            let size = view.as_ref().map_or(0, |view| view.edge.size());
            let missing = OpenError::RootMismatch { tree: config.tree, size };
            views.insert(config.tree, RwLock::new(Arc::new(view.ok_or(missing)?)));
        }
        let shared = Arc::new(Shared {
            store,
            queue,
            trees: views,
            damage: Mutex::default(),
            last_commit: Mutex::new(Ok(())),
            metrics: Metrics::default(),
            clock,
        });
        let configs = trees.into_iter().map(|config| (config.tree, config)).collect();
        let mut sequencer = Self {
            shared,
            configs,
            settings,
            high_water,
            high_water_due: None,
            stale: false,
            failing: false,
            unread: BTreeMap::new(),
        };
        sequencer.raise_high_water();
        sequencer.write_high_water()?;
        Ok(sequencer)
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let shared = self.shared.clone();
        let _abandon = OnExit(&shared);
        loop {
            match shared.queue.take(self.settings.max_batch, self.patience()) {
                Taken::Batch(batch) => self.commit_and_answer(batch),
                Taken::Idle => self.idle(),
                Taken::Closed => break,
            }
            if self.high_water_due.is_some_and(|due| due <= Instant::now()) {
                self.try_write_high_water();
            }
        }
        if self.high_water_due.is_some() {
            self.try_write_high_water();
        }
    }

    fn idle(&mut self) {
        if !self.due((self.shared.clock)()).is_empty() {
            self.commit_and_answer(Vec::new());
        }
    }

    /// How long to wait for work: until something is due, and not too briefly when it failed.
    fn patience(&self) -> Duration {
        let now = (self.shared.clock)();
        let least = if self.failing { MAX_PATIENCE } else { MIN_PATIENCE };
        let views = self.shared.trees.keys().filter(|tree| self.shared.damage(**tree).is_none());
        let due = views.filter_map(|tree| self.shared.view(*tree)).map(|view| {
            let at = view.head.head.timestamp_ms.saturating_add(self.settings.resign_after_ms);
            Duration::from_millis(at.saturating_sub(now)).max(least)
        });
        let mark = self.high_water_due.map(|at| at.saturating_duration_since(Instant::now()));
        due.chain(mark).min().unwrap_or(MAX_PATIENCE).min(MAX_PATIENCE)
    }

    /// Loads every tree as at start. A store that went back, or to another history, is refused
    /// here for the same reason: what we have shown is the mark.
    fn reload(&mut self) -> Result<(), SubmitError> {
        for (tree, config) in &self.configs {
            let refused = |error: OpenError| {
                tracing::error!(%error, %tree, "the log can't be loaded again");
                match error {
                    OpenError::Store(error) => error.into(),
                    OpenError::Nodes { error, .. } => error.into(),
                    _ => SubmitError::Store(StoreError::Corrupt { tree: *tree, what: "a head" }),
                }
            };
            let view = load(&*self.shared.store, config).map_err(refused)?;
            let seen = self.shared.view(*tree);
            let seen = seen.map(|view| Mark::of(&view.head.head));
            let view = continues(&*self.shared.store, *tree, view, seen).map_err(refused)?;
            if let Some(view) = view {
                self.publish(*tree, Arc::new(view));
            }
        }
        self.unread.clear();
        self.stale = false;
        Ok(())
    }

    fn publish(&self, tree: Tree, view: Arc<View>) {
        if let Some(shown) = self.shared.trees.get(&tree) {
            *shown.write().unwrap_or_else(PoisonError::into_inner) = view;
        }
    }

    fn raise_high_water(&mut self) {
        let Some(high_water) = &mut self.high_water else { return };
        for tree in self.shared.trees.keys() {
            if let Some(view) = self.shared.view(*tree)
                && high_water.raise(*tree, Mark::of(&view.head.head))
                && self.high_water_due.is_none()
            {
                self.high_water_due = Some(Instant::now() + self.settings.high_water_interval);
            }
        }
    }

    fn try_write_high_water(&mut self) {
        if let Err(error) = self.write_high_water() {
            // Not a reason to stop: the log itself is whole. The next commit tries again.
            tracing::warn!(%error, "the high-water mark was not written");
        }
    }

    fn write_high_water(&mut self) -> Result<(), OpenError> {
        self.high_water_due = None;
        self.high_water.as_ref().map_or(Ok(()), |high_water| Ok(high_water.write()?))
    }
}

/// Loads one tree: its head, which must be signed by our key, and its edge, which must give the
/// root of that head. `None` when it was never born.
fn load(store: &dyn Store, config: &TreeConfig) -> Result<Option<View>, OpenError> {
    load_as_of(store, config.tree, &*config.verifier)
}

fn load_as_of(
    store: &dyn Store,
    tree: Tree,
    verifier: &dyn NoteVerifier,
) -> Result<Option<View>, OpenError> {
    let Some(signed) = store.load(tree)? else { return Ok(None) };
    check_head(&signed, verifier).map_err(|reason| OpenError::HeadNotOurs { tree, reason })?;
    let size = signed.head.size;
    let edge = Edge::load(store, tree, size).map_err(|error| OpenError::Nodes { tree, error })?;
    let root = edge.root().map_err(|error| OpenError::Nodes { tree, error })?;
    if root != signed.head.root {
        return Err(OpenError::RootMismatch { tree, size });
    }
    Ok(Some(View { head: Arc::new(signed), edge }))
}

/// After a rotation the stored head is the last one of the key before: the same tree gets a head
/// of our key, by the same compare-and-swap as any other, before a reader or caller can see it.
/// From then on the old key opens nothing here: its server finds a head that is not its own, and
/// stops. A crash before the commit leaves the old head, and the next start does this again.
fn succeed(
    store: &dyn Store,
    config: &TreeConfig,
    now: u64,
    high_water: Option<&HighWater>,
) -> Result<(), OpenError> {
    let Some(previous) = &config.previous else { return Ok(()) };
    let Err(OpenError::HeadNotOurs { .. }) = load(store, config) else { return Ok(()) };
    let Ok(Some(view)) = load_as_of(store, config.tree, &**previous) else { return Ok(()) };
    // An old head is a true one of the old key too: the mark tells a store that went back.
    check_mark(store, config.tree, Some(&view), high_water)?;
    let commit =
        Plan::of_succession(config.tree, &view, now, &*config.signer).map_err(OpenError::Create)?;
    match store.commit(&commit) {
        Ok(()) | Err(CommitError::HeadMoved { .. }) => Ok(()),
        // Whether it is there or not, `load` finds what is.
        Err(CommitError::Unknown(_)) => Ok(()),
        Err(CommitError::NotPersisted(error)) => Err(OpenError::Store(error)),
    }
}

/// The commit that creates a tree: its first entry and its first head.
fn create(store: &dyn Store, config: &TreeConfig, now: u64) -> Result<(), OpenError> {
    let birth = (config.birth)()?;
    if birth.tree() != config.tree {
        let (expected, found) = (config.tree, birth.tree());
        return Err(BirthError::WrongTree { expected, found }.into());
    }
    let commit = Plan::of_birth(&birth, now, &*config.signer).map_err(OpenError::Create)?;
    match store.commit(&commit) {
        Ok(()) | Err(CommitError::HeadMoved { .. }) => Ok(()),
        // If it is there after all, `load` finds it; if not, nobody has seen it.
        Err(CommitError::Unknown(error) | CommitError::NotPersisted(error)) => {
            if store.load(config.tree)?.is_some() { Ok(()) } else { Err(OpenError::Store(error)) }
        }
    }
}

fn check_mark(
    store: &dyn Store,
    tree: Tree,
    view: Option<&View>,
    high_water: Option<&HighWater>,
) -> Result<(), OpenError> {
    let mark = high_water.and_then(|high_water| high_water.mark(tree));
    continues(store, tree, view, mark).map(|_| ())
}

/// Whether a loaded tree is the one that was seen, or a later state of it.
fn continues<V: std::borrow::Borrow<View>>(
    store: &dyn Store,
    tree: Tree,
    view: Option<V>,
    seen: Option<Mark>,
) -> Result<Option<V>, OpenError> {
    let Some(seen) = seen else { return Ok(view) };
    let stored = view.as_ref().map_or(0, |view| view.borrow().edge.size());
    let Some(view) = view.filter(|_| stored >= seen.size) else {
        return Err(OpenError::RolledBack { tree, stored, seen: seen.size });
    };
    let nodes = AllNodes::new(&view.borrow().edge, store, tree);
    let root = merkle::merkle::root(seen.size, &nodes);
    let then = root.map_err(|error| OpenError::Nodes { tree, error })?;
    if then != seen.root {
        return Err(OpenError::Forked { tree, size: seen.size });
    }
    drop(nodes);
    Ok(Some(view))
}

impl Mark {
    fn of(head: &Head) -> Self {
        Self { size: head.size, root: head.root }
    }
}

/// However the thread ends, nobody is left waiting.
struct OnExit<'a>(&'a Shared);

impl Drop for OnExit<'_> {
    fn drop(&mut self) {
        self.0.queue.abandon();
    }
}

const MIN_ATTEMPTS: usize = 64;
const READ_BACK: usize = 64;
const MIN_PATIENCE: Duration = Duration::from_millis(20);
const MAX_PATIENCE: Duration = Duration::from_secs(10);
