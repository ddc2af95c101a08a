//! What can be wrong with a store.

use merkle::tile::TileId;
use thiserror::Error;

use crate::entry::Tree;
use crate::signer::HeadError;
use crate::store::StoreError;

/// One disagreement, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "every field is a tree, an index, a tile, or what the check said")]
pub enum Finding {
    /// A tree that ought to be there was never born, or its head is lost.
    #[error("tree {tree}: there is no head")]
    NoHead { tree: Tree },
    /// There is a tree, but no key was given to check its head with.
    #[error("tree {tree}: there is a head, but no key to check it with")]
    NoKey { tree: Tree },
    /// The head's row can't be read.
    #[error("tree {tree}: the head can't be read: {error}")]
    HeadUnreadable { tree: Tree, error: StoreError },
    /// The head is not one that our key signed.
    #[error("tree {tree}: the head is not one that our key signed: {reason}")]
    HeadNotOurs { tree: Tree, reason: HeadError },
    /// The time beside the head is not the one that was signed.
    #[error("tree {tree}: the time beside the head is not the one that was signed")]
    HeadTime { tree: Tree },
    /// The entries do not give the root that was signed.
    #[error("tree {tree}: the first {size} entries do not give the signed root")]
    RootDiffers { tree: Tree, size: u64 },
    /// Entries from here on can't be read.
    #[error("tree {tree}: entries from {index} on can't be read: {error}")]
    EntriesUnreadable { tree: Tree, index: u64, error: StoreError },
    /// An entry below the head is not there.
    #[error("tree {tree}: entry {index} is missing")]
    EntryMissing { tree: Tree, index: u64 },
    /// An entry does not give the leaf hash that was signed.
    #[error("tree {tree}: entry {index} is not what was logged")]
    EntryDiffers { tree: Tree, index: u64 },
    /// An entry is not one that this dialect writes.
    #[error("tree {tree}: entry {index} is malformed")]
    EntryMalformed { tree: Tree, index: u64 },
    /// An entry is stored that no head covers.
    #[error("tree {tree}: entry {index} is beyond the head")]
    EntryBeyondHead { tree: Tree, index: u64 },
    /// The certificate stored beside an entry is not signed by its issuer.
    #[error(
        "tree {tree}: the certificate of entry {index} is not signed by the issuer stored for it"
    )]
    NotSigned { tree: Tree, index: u64 },
    /// An issuer that an entry refers to is not there, or is another.
    #[error("tree {tree}: an issuer of entry {index} is missing")]
    IssuerMissing { tree: Tree, index: u64 },
    /// An issuer is not the certificate that its fingerprint says.
    #[error("issuer {}: the certificate has another fingerprint", hex(fingerprint))]
    IssuerDiffers { fingerprint: [u8; 32] },
    /// A full tile is not there.
    #[error("tree {tree}: tile {}/{} is missing", tile.level, tile.index)]
    TileMissing { tree: Tree, tile: TileId },
    /// A full tile can't be read.
    #[error("tree {tree}: tile {}/{} can't be read: {error}", tile.level, tile.index)]
    TileUnreadable { tree: Tree, tile: TileId, error: StoreError },
    /// A full tile is not what the entries give, and these give the signed root.
    #[error("tree {tree}: tile {}/{} is not what its entries give", tile.level, tile.index)]
    TileDiffers { tree: Tree, tile: TileId },
    /// A tile is stored that no head covers.
    #[error("tree {tree}: tile {}/{} is beyond the head", tile.level, tile.index)]
    TileBeyondHead { tree: Tree, tile: TileId },
    /// An entry can't be found as a duplicate.
    #[error("tree {tree}: the dedup key of entry {index} is missing")]
    DedupMissing { tree: Tree, index: u64 },
    /// A dedup key leads to an entry that does not have it.
    #[error("tree {tree}: a dedup key leads to entry {index}, which does not have it")]
    DedupWrong { tree: Tree, index: u64 },
    /// An entry can't be found by one of its search keys.
    #[error("tree {tree}: a search key of entry {index} is missing")]
    SearchMissing { tree: Tree, index: u64 },
    /// A search key leads to an entry that does not have it.
    #[error("tree {tree}: a search key leads to entry {index}, which does not have it")]
    SearchWrong { tree: Tree, index: u64 },
    /// A row of the store makes no sense.
    #[error("table {table}: {what}")]
    Malformed { table: &'static str, what: &'static str },
    /// Keys, tiles or issuers can't be listed.
    #[error("the store's rows can't be listed: {error}")]
    RowsUnreadable { error: StoreError },
    /// The hash of an audit row is not the one over the row before it and itself.
    #[error("audit row {number}: the chain is broken here")]
    AuditBroken { number: u64 },
    /// Audit rows can't be read.
    #[error("audit rows from {number} on can't be read: {error}")]
    AuditUnreadable { number: u64, error: StoreError },
}

fn hex(fingerprint: &[u8; 32]) -> String {
    formats::digest::Digest::sha256(*fingerprint).to_hex()
}
