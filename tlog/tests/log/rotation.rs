//! A tree goes on under a new key: opened by the successor, refused to strangers and to the
//! predecessor.

use std::sync::Arc;

use merkle::merkle::{leaf_hash, verify_inclusion};
use merkle::note::NoteVerifier;
use tlog::Tree;
use tlog::engine::{Engine, OpenError, TreeConfig};
use tlog::signer::{HeadError, check_head};
use tlog::store::Store;
use tlog::store::memory::{Fault, MemoryStore};

use crate::support::{World, assert_whole, rekor_entry, submit};

type Verifier = Arc<dyn NoteVerifier + Send + Sync>;

fn open(
    world: &World,
    store: &Arc<MemoryStore>,
    previous: Option<&World>,
) -> Result<Engine, OpenError> {
    let former = previous.map(World::trees).unwrap_or_default();
    let verifier = |tree: Tree| -> Option<Verifier> {
        former.iter().find(|config| config.tree == tree).map(|config| config.verifier.clone())
    };
    let trees: Vec<TreeConfig> = world
        .trees()
        .into_iter()
        .map(|config| TreeConfig { previous: verifier(config.tree), ..config })
        .collect();
    Engine::open(store.clone(), trees, Arc::new(|| crate::support::START_MS), World::settings())
}

fn not_ours<T>(opened: Result<T, OpenError>) -> bool {
    matches!(opened.map(|_| ()), Err(OpenError::HeadNotOurs { reason: HeadError::Open(_), .. }))
}

#[test]
fn a_tree_goes_on_under_a_new_key() {
    let (old, store) = (World::new(), Arc::new(MemoryStore::new()));
    let engine = open(&old, &store, None).unwrap();
    let before = submit(&engine, rekor_entry(1)).unwrap();
    old.check(&before);
    let last = engine.head(Tree::Rekor2).unwrap();
    engine.shutdown();

    let new = World::new();
    let engine = open(&new, &store, Some(&old)).unwrap();
    let heads = [Tree::Rekor2, Tree::Ct].map(|tree| engine.head(tree).unwrap());
    for (config, head) in new.trees().iter().zip(&heads) {
        check_head(head, &*config.verifier).unwrap();
    }
    assert_eq!((heads[0].head.size, heads[0].head.root), (last.head.size, last.head.root));
    // What was handed out before holds as it did, and its entry is proved under the new key too.
    old.check(&before);
    let after = submit(&engine, rekor_entry(2)).unwrap();
    new.check(&after);
    assert_eq!(after.index(), before.index() + 1);
    let leaf = leaf_hash(before.body());
    let proof = engine.inclusion(Tree::Rekor2, before.index(), after.head().head.size);
    let (size, root) = (after.head().head.size, after.head().head.root);
    verify_inclusion(before.index(), size, &leaf, &proof.unwrap(), &root).unwrap();
    engine.shutdown();
    assert_whole(&new, &*store);
}

#[test]
fn a_stranger_opens_nothing() {
    let (old, store) = (World::new(), Arc::new(MemoryStore::new()));
    open(&old, &store, None).unwrap().shutdown();
    let (new, stranger) = (World::new(), World::new());
    let before = store.commits();
    assert!(not_ours(open(&new, &store, None)), "no predecessor was named");
    assert!(not_ours(open(&new, &store, Some(&stranger))), "and not this one");
    assert_eq!(store.commits(), before);
    open(&old, &store, None).unwrap().shutdown();
}

#[test]
fn the_predecessor_is_out() {
    let (old, store) = (World::new(), Arc::new(MemoryStore::new()));
    let engine = open(&old, &store, None).unwrap();
    let new = World::new();
    let successor = open(&new, &store, Some(&old)).unwrap();
    // A server that still runs with the old key finds another's head, and signs nothing over it.
    assert!(submit(&engine, rekor_entry(1)).is_err());
    new.check(&submit(&successor, rekor_entry(2)).unwrap());
    assert!(submit(&engine, rekor_entry(3)).is_err());
    engine.shutdown();
    successor.shutdown();
    assert!(not_ours(open(&old, &store, None)));
    open(&new, &store, None).unwrap().shutdown();
    assert_whole(&new, &*store);
}

#[test]
fn a_succession_that_was_cut_off_is_done_again() {
    for fault in [Fault::FailCleanly, Fault::FailAndDrop, Fault::FailButPersist] {
        let (old, store) = (World::new(), Arc::new(MemoryStore::new()));
        open(&old, &store, None).unwrap().shutdown();
        let new = World::new();
        store.inject([fault]);
        // Whatever it says, either the old head stands or the new one does.
        let _told = open(&new, &store, Some(&old)).map(|engine| engine.shutdown());
        store.heal();
        open(&new, &store, Some(&old)).unwrap().shutdown();
        let head = store.load(Tree::Rekor2).unwrap().unwrap();
        check_head(&head, &*new.rekor_tree().verifier).unwrap();
        assert_whole(&new, &*store);
    }
}
