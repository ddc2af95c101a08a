//! The rows of a commit: written inside its transaction, and listed for a check.

use merkle::Hash;
use merkle::tile::TileId;
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest as _, Sha256};

use super::keys::Keys;
use super::{failed, index_of, signed};
use crate::entry::Tree;
use crate::store::{
    Commit, Head, Issuer, NewEntry, Row, SignedHead, StoreError, TreeCommit, chain,
};

/// Writes a whole commit inside the transaction; answers about how many bytes that was.
pub(super) fn write(
    connection: &Connection,
    keys: &mut Keys,
    commit: &Commit,
) -> Result<usize, StoreError> {
    let mut written = 0;
    for part in &commit.trees {
        write_entries(connection, part.tree, &part.entries)?;
        write_tiles(connection, part)?;
        keys.add(part.tree, &part.entries);
        write_head(connection, part.tree, &part.head)?;
        written += part.entries.iter().map(entry_bytes).sum::<usize>();
        written += part.tiles.iter().map(|(_, tile)| tile.len()).sum::<usize>();
    }
    keys.write(connection)?;
    write_audit(connection, &commit.audit)?;
    written += commit.audit.iter().map(Vec::len).sum::<usize>();
    for (name, value) in &commit.values {
        let sql = "INSERT INTO value (name, value) VALUES (?1, ?2)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        let mut statement = connection.prepare_cached(sql).map_err(failed("writing a value"))?;
        statement.execute(params![name, value]).map_err(failed("writing a value"))?;
    }
    for issuer in &commit.issuers {
        let sql = "INSERT INTO issuer (fingerprint, der) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        let mut statement = connection.prepare_cached(sql).map_err(failed("writing an issuer"))?;
        statement
            .execute(params![issuer.fingerprint, &*issuer.der])
            .map_err(failed("writing an issuer"))?;
    }
    Ok(written + HEAD_BYTES)
}

fn write_entries(
    connection: &Connection,
    tree: Tree,
    entries: &[NewEntry],
) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare_cached(match tree {
            Tree::Ct => "INSERT INTO entry_ct (idx, body, extra) VALUES (?1, ?2, ?3)",
            Tree::Rekor2 => "INSERT INTO entry_rekor2 (idx, body, extra) VALUES (?1, ?2, ?3)",
        })
        .map_err(failed("writing entries"))?;
    for entry in entries {
        statement
            .execute(params![signed(entry.index), &*entry.body, &*entry.extra])
            .map_err(failed("writing entries"))?;
    }
    Ok(())
}

fn write_tiles(connection: &Connection, part: &TreeCommit) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare_cached("INSERT INTO tile (id, hashes) VALUES (?1, ?2)")
        .map_err(failed("writing tiles"))?;
    for (id, hashes) in &part.tiles {
        statement
            .execute(params![tile_row(part.tree, *id), hashes])
            .map_err(failed("writing tiles"))?;
    }
    Ok(())
}

fn write_head(
    connection: &Connection,
    tree: Tree,
    signed_head: &SignedHead,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO head (tree, size, root, timestamp_ms, checkpoint, digest)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (tree) DO UPDATE SET size = excluded.size, root = excluded.root,
            timestamp_ms = excluded.timestamp_ms, checkpoint = excluded.checkpoint,
            digest = excluded.digest";
    let mut statement = connection.prepare_cached(sql).map_err(failed("writing a head"))?;
    let Head { size, root, timestamp_ms } = &signed_head.head;
    statement
        .execute(params![
            tree.id(),
            signed(*size),
            root.as_bytes(),
            signed(*timestamp_ms),
            signed_head.checkpoint,
            head_digest(tree, signed_head)
        ])
        .map_err(failed("writing a head"))?;
    Ok(())
}

/// What tells that no column of a head's row was changed by a failing disk. Whoever can write the
/// database can write this too; against them stands the log's signature.
fn head_digest(tree: Tree, signed: &SignedHead) -> [u8; 32] {
    Sha256::new()
        .chain_update([tree.id()])
        .chain_update(signed.head.size.to_be_bytes())
        .chain_update(signed.head.root.as_bytes())
        .chain_update(signed.head.timestamp_ms.to_be_bytes())
        .chain_update(&signed.checkpoint)
        .finalize()
        .into()
}

fn write_audit(connection: &Connection, rows: &[Vec<u8>]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let last = connection
        .prepare_cached("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
        .and_then(|mut statement| {
            statement.query_row([], |row| Ok((index_of(row, 0)?, row.get(1)?))).optional()
        })
        .map_err(failed("reading the last audit row"))?;
    let (mut number, mut hash) = last.unwrap_or((0, [0; 32]));
    let mut statement = connection
        .prepare_cached("INSERT INTO audit (number, row, hash) VALUES (?1, ?2, ?3)")
        .map_err(failed("writing audit rows"))?;
    for row in rows {
        number += 1;
        hash = chain(&hash, row);
        statement
            .execute(params![signed(number), row, hash])
            .map_err(failed("writing audit rows"))?;
    }
    Ok(())
}

pub(super) fn head(connection: &Connection, tree: Tree) -> Result<Option<SignedHead>, StoreError> {
    let row = connection
        .prepare_cached(
            "SELECT size, root, timestamp_ms, checkpoint, digest FROM head WHERE tree = ?1",
        )
        .and_then(|mut statement| {
            let read = |row: &rusqlite::Row<'_>| {
                let root: [u8; 32] = row.get(1)?;
                let (size, timestamp_ms) = (index_of(row, 0)?, index_of(row, 2)?);
                let head = Head { size, root: Hash::new(root), timestamp_ms };
                let digest: [u8; 32] = row.get(4)?;
                Ok((SignedHead { head, checkpoint: row.get(3)? }, digest))
            };
            statement.query_row([tree.id()], read).optional()
        });
    match row.map_err(failed("reading a head"))? {
        Some((head, digest)) if head_digest(tree, &head) != digest => {
            Err(StoreError::Corrupt { tree, what: "a head" })
        }
        row => Ok(row.map(|(head, _)| head)),
    }
}

pub(super) fn walk_tiles(
    connection: &Connection,
    visit: &mut dyn FnMut(Row),
) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare("SELECT id FROM tile ORDER BY id").map_err(failed("listing tiles"))?;
    let mut rows = statement.query([]).map_err(failed("listing tiles"))?;
    while let Some(row) = rows.next().map_err(failed("listing tiles"))? {
        let id: i64 = row.get(0).map_err(failed("listing tiles"))?;
        let [tree, level, index @ ..] = id.to_be_bytes();
        let index = index.into_iter().fold(0, |index, byte| index << 8 | u64::from(byte));
        visit(match Tree::from_id(tree) {
            Some(tree) => Row::Tile { tree, tile: TileId { level, index } },
            None => Row::Malformed { table: "tile", what: "a tree that does not exist" },
        });
    }
    Ok(())
}

pub(super) fn walk_issuers(
    connection: &Connection,
    visit: &mut dyn FnMut(Row),
) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare("SELECT fingerprint, der FROM issuer")
        .map_err(failed("listing issuers"))?;
    let mut rows = statement.query([]).map_err(failed("listing issuers"))?;
    while let Some(row) = rows.next().map_err(failed("listing issuers"))? {
        let der: Vec<u8> = row.get(1).map_err(failed("listing issuers"))?;
        visit(match row.get(0) {
            Ok(fingerprint) => Row::Issuer(Issuer { fingerprint, der: der.into() }),
            Err(_) => Row::Malformed { table: "issuer", what: "a fingerprint of a wrong length" },
        });
    }
    Ok(())
}

pub(super) fn tile_row(tree: Tree, tile: TileId) -> i64 {
    i64::from(tree.id()) << 56 | i64::from(tile.level) << 48 | signed(tile.index)
}

fn entry_bytes(entry: &NewEntry) -> usize {
    entry.body.len() + entry.extra.len() + KEY_BYTES
}

/// About what an entry's keys take.
const KEY_BYTES: usize = 128;
/// About what the smallest commit writes: a page each for entry, keys and head.
const HEAD_BYTES: usize = 3 * super::PAGE_SIZE as usize;
