//! Recomputes everything from the entries and says what does not agree: leaf hashes, tiles, root
//! and signed head; dedup and search keys in both directions; issuers; the chain of audit rows.
//!
//! Streams: the memory it takes does not grow with the log. Nothing is changed or repaired.
//!
//! Not noticed, because nothing else depends on them: changes to the small values, and audit rows
//! cut off at the end.

mod finding;
mod keys;

use std::collections::BTreeMap;
use std::sync::Arc;

use formats::certificate::Certificate;
use merkle::merkle::leaf_hash;
use merkle::note::{Note, NoteVerifier};
use merkle::tile::{TILE_WIDTH, TileId, tile_width};
use sha2::{Digest as _, Sha256};

use crate::ct::{self, StoredFault};
use crate::edge::Edge;
use crate::entry::Tree;
use crate::rekor2;
use crate::search::SearchKey;
use crate::signer::{check_head, split_tree_head};
use crate::store::{Row, SignedHead, Store, StoreError, StoredEntry, chain};

pub use finding::Finding;
use keys::{KeyRow, KeySums};

/// Checks a whole store. `verifiers` holds the key of each tree that ought to be there. Every
/// disagreement is shown to `report`; the answer says how much was looked at.
///
/// Blocks on the disk, for seconds per million entries (and longer for CT, where each stored
/// precertificate's signature is verified).
pub fn check(
    store: &dyn Store,
    verifiers: &BTreeMap<Tree, Arc<dyn NoteVerifier + Send + Sync>>,
    report: &mut dyn FnMut(Finding),
) -> Summary {
    let mut run = Run { store, report, findings: 0, issuers: BTreeMap::new() };
    let mut summary = Summary::default();
    let mut sums = KeySums::new();
    for tree in Tree::ALL {
        let verifier = verifiers.get(&tree).map(Arc::as_ref);
        let entries = run.tree(tree, verifier.map(|v| v as &dyn NoteVerifier), &mut sums);
        summary.entries.insert(tree, entries);
    }
    run.rows(&mut sums);
    run.keys(&sums);
    summary.audit_rows = run.audit();
    summary.findings = run.findings;
    summary
}

/// How much was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Entries under the head of each tree.
    pub entries: BTreeMap<Tree, u64>,
    /// Audit rows.
    pub audit_rows: u64,
    /// Findings that were reported.
    pub findings: u64,
}

struct Run<'a> {
    store: &'a dyn Store,
    report: &'a mut dyn FnMut(Finding),
    findings: u64,
    issuers: BTreeMap<[u8; 32], Option<Arc<Certificate>>>,
}

impl Run<'_> {
    /// One tree, from its entries up to its head; answers its size.
    fn tree(&mut self, tree: Tree, verifier: Option<&dyn NoteVerifier>, sums: &mut KeySums) -> u64 {
        let head = match self.store.load(tree) {
            Ok(head) => head,
            Err(error) => {
                self.found(Finding::HeadUnreadable { tree, error });
                return 0;
            }
        };
        let Some(signed) = head else {
            if verifier.is_some() {
                self.found(Finding::NoHead { tree });
            }
            self.beyond(tree, 0);
            return 0;
        };
        self.head(tree, &signed, verifier);
        let size = signed.head.size;
        let mut edge = Edge::default();
        let mut differing = Vec::new();
        let mut whole = true;
        while whole && edge.size() < size {
            whole = self.bundle(tree, size, &mut edge, &mut differing, sums);
        }
        if whole {
            let agrees = edge.root().is_ok_and(|root| root == signed.head.root);
            self.blame(tree, size, agrees, &differing);
        }
        self.beyond(tree, size);
        size
    }

    /// Up to 256 entries; answers whether they were all there.
    fn bundle(
        &mut self,
        tree: Tree,
        size: u64,
        edge: &mut Edge,
        differing: &mut Vec<(TileId, u16)>,
        sums: &mut KeySums,
    ) -> bool {
        let first = edge.size();
        let count = (size - first).min(WIDTH);
        let entries = match self.store.entries(tree, first, count as usize) {
            Ok(entries) => entries,
            Err(error) => {
                self.found(Finding::EntriesUnreadable { tree, index: first, error });
                return false;
            }
        };
        let mut next = edge.next();
        for index in first..first + count {
            let entry = entries.get((index - first) as usize).filter(|e| e.index == index);
            let Some(entry) = entry else {
                self.found(Finding::EntryMissing { tree, index });
                return false;
            };
            self.entry(tree, entry, sums);
            if next.push(leaf_hash(&entry.body)).is_err() {
                return false;
            }
        }
        for (id, bytes) in next.completed() {
            match self.store.tile(tree, id) {
                Ok(Some(stored)) if stored == bytes => {}
                Ok(Some(stored)) => differing.extend(positions(&stored, &bytes).map(|at| (id, at))),
                Ok(None) => self.found(Finding::TileMissing { tree, tile: id }),
                Err(error) => self.found(Finding::TileUnreadable { tree, tile: id, error }),
            }
        }
        *edge = next;
        true
    }

    /// An entry by itself: a body and extra of this dialect, with its keys.
    fn entry(&mut self, tree: Tree, entry: &StoredEntry, sums: &mut KeySums) {
        let index = entry.index;
        match derive(tree, entry) {
            Some((identity, search)) => sums.derived(tree, index, identity, &search),
            None => self.found(Finding::EntryMalformed { tree, index }),
        }
        if tree == Tree::Ct {
            let store = self.store;
            let issuers = &mut self.issuers;
            let mut issuer = |fingerprint: &[u8; 32]| {
                let load = || {
                    let der = store.issuer(fingerprint).ok().flatten()?;
                    Some(Arc::new(Certificate::from_der(&der).ok()?))
                };
                issuers.entry(*fingerprint).or_insert_with(load).clone()
            };
            match ct::verify_stored(entry, &mut issuer) {
                Ok(()) | Err(StoredFault::Malformed) => {}
                Err(StoredFault::NoIssuer) => self.found(Finding::IssuerMissing { tree, index }),
                Err(StoredFault::NotSigned) => self.found(Finding::NotSigned { tree, index }),
            }
        }
    }

    fn head(&mut self, tree: Tree, signed: &SignedHead, verifier: Option<&dyn NoteVerifier>) {
        match verifier.map(|verifier| check_head(signed, verifier)) {
            None => self.found(Finding::NoKey { tree }),
            Some(Err(reason)) => self.found(Finding::HeadNotOurs { tree, reason }),
            Some(Ok(()))
                if tree == Tree::Ct && signed_time(signed) != Some(signed.head.timestamp_ms) =>
            {
                self.found(Finding::HeadTime { tree });
            }
            Some(Ok(())) => {}
        }
    }

    /// Where recomputed and stored tiles differ, the root tells which of them is wrong.
    fn blame(&mut self, tree: Tree, size: u64, agrees: bool, differing: &[(TileId, u16)]) {
        if !agrees {
            self.found(Finding::RootDiffers { tree, size });
        }
        let mut last = None;
        for (tile, at) in differing {
            if agrees && last != Some(*tile) {
                self.found(Finding::TileDiffers { tree, tile: *tile });
            } else if !agrees && tile.level == 0 {
                let index = tile.index * WIDTH + u64::from(*at);
                self.found(Finding::EntryDiffers { tree, index });
            }
            last = Some(*tile);
        }
    }

    /// Nothing may be stored beyond the head.
    fn beyond(&mut self, tree: Tree, size: u64) {
        match self.store.entries(tree, size, 1) {
            Ok(rest) => {
                for entry in rest {
                    self.found(Finding::EntryBeyondHead { tree, index: entry.index });
                }
            }
            Err(error) => self.found(Finding::EntriesUnreadable { tree, index: size, error }),
        }
    }

    /// Every stored key, tile and issuer.
    fn rows(&mut self, sums: &mut KeySums) {
        let sizes = Tree::ALL.map(|tree| match self.store.load(tree) {
            Ok(Some(signed)) => (tree, signed.head.size),
            Ok(None) | Err(_) => (tree, 0),
        });
        let size_of = |tree| sizes.iter().find(|(found, _)| *found == tree).map_or(0, |(_, n)| *n);
        let mut found = Vec::new();
        let walked = self.store.walk(&mut |row| match row {
            Row::Dedup { .. } | Row::Search { .. } => sums.stored(&row),
            Row::Tile { tree, tile } if tile_width(size_of(tree), tile) == TILE_WIDTH => {}
            Row::Tile { tree, tile } => keep(&mut found, Finding::TileBeyondHead { tree, tile }),
            Row::Issuer(issuer) => {
                if <[u8; 32]>::from(Sha256::digest(&issuer.der)) != issuer.fingerprint {
                    let fingerprint = issuer.fingerprint;
                    keep(&mut found, Finding::IssuerDiffers { fingerprint });
                }
            }
            Row::Malformed { table, what } => keep(&mut found, Finding::Malformed { table, what }),
        });
        found.into_iter().for_each(|finding| self.found(finding));
        self.walked(walked);
    }

    /// Keys whose sums differ are gone over again, one by one, to name them.
    fn keys(&mut self, sums: &KeySums) {
        if sums.agree() {
            return;
        }
        let mut suspects = sums.suspects();
        for tree in Tree::ALL {
            let mut next = 0;
            while let Ok(entries) = self.store.entries(tree, next, WIDTH as usize)
                && let Some(last) = entries.last()
            {
                next = last.index.saturating_add(1);
                for entry in &entries {
                    if let Some((identity, search)) = derive(tree, entry) {
                        suspects.derived(tree, entry.index, identity, &search);
                    }
                }
            }
        }
        let walked = self.store.walk(&mut |row| suspects.stored(&row));
        self.walked(walked);
        for (row, surplus) in suspects.differing() {
            self.found(match (row, surplus > 0) {
                (KeyRow::Dedup { tree, index, .. }, false) => Finding::DedupMissing { tree, index },
                (KeyRow::Dedup { tree, index, .. }, true) => Finding::DedupWrong { tree, index },
                (KeyRow::Search { tree, index, .. }, false) => {
                    Finding::SearchMissing { tree, index }
                }
                (KeyRow::Search { tree, index, .. }, true) => Finding::SearchWrong { tree, index },
            });
        }
    }

    /// The chain of audit rows; answers how many there are.
    fn audit(&mut self) -> u64 {
        let (mut number, mut hash) = (0, [0; 32]);
        loop {
            let rows = match self.store.audit(number + 1, WIDTH as usize) {
                Ok(rows) => rows,
                Err(error) => {
                    self.found(Finding::AuditUnreadable { number: number + 1, error });
                    return number;
                }
            };
            if rows.is_empty() {
                return number;
            }
            for row in rows {
                hash = chain(&hash, &row.row);
                if row.number != number + 1 || row.hash != hash {
                    self.found(Finding::AuditBroken { number: row.number });
                    // Go on from what is stored, so that one bad row is one finding.
                    hash = row.hash;
                }
                number = row.number;
            }
        }
    }

    fn walked(&mut self, walked: Result<(), StoreError>) {
        if let Err(error) = walked {
            self.found(Finding::RowsUnreadable { error });
        }
    }

    fn found(&mut self, finding: Finding) {
        self.findings += 1;
        (self.report)(finding);
    }
}

/// Identity and search keys of a stored entry; `None` when it is not one of its dialect.
fn derive(tree: Tree, entry: &StoredEntry) -> Option<([u8; 32], Vec<SearchKey>)> {
    match tree {
        Tree::Ct => ct::keys_of(entry),
        Tree::Rekor2 if entry.extra.is_empty() => {
            let search = rekor2::keys_of(&entry.body).ok()?;
            Some((Sha256::digest(&entry.body).into(), search))
        }
        Tree::Rekor2 => None,
    }
}

fn signed_time(signed: &SignedHead) -> Option<u64> {
    let note = Note::parse(&signed.checkpoint).ok()?;
    split_tree_head(&note.signatures().first()?.signature).map(|(time, _)| time)
}

/// Which hashes of two tiles differ.
fn positions<'a>(stored: &'a [u8], computed: &'a [u8]) -> impl Iterator<Item = u16> + 'a {
    let computed = computed.chunks_exact(32).zip(0..);
    computed.filter_map(|(hash, at)| {
        let start = usize::from(at) * 32;
        (stored.get(start..start + 32) != Some(hash)).then_some(at)
    })
}

fn keep(found: &mut Vec<Finding>, finding: Finding) {
    if found.len() < MAX_KEPT {
        found.push(finding);
    }
}

const WIDTH: u64 = TILE_WIDTH as u64;
const MAX_KEPT: usize = 1000;
