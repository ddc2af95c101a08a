//! Reads whole logs as their tiles tell them.

use crate::instance::Instance;
use crate::merkle::{Hash, leaf_hash, roots};
use crate::note::Checkpoint;

/// The path of a tile or an entry bundle (C2SP tlog-tiles): `kind/x001/x234/067`, with `.p/W` when
/// it is `width` < 256 wide.
#[must_use]
pub fn tile_path(kind: &str, index: u64, width: u64) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
    format!("{kind}/{path}{partial}")
}

/// A log read from its tiles: every entry hashed again, level 0 compared, roots recomputed.
pub struct Log {
    /// The checkpoint that was read first.
    pub checkpoint: Checkpoint,
    /// The bodies.
    pub entries: Vec<Vec<u8>>,
    /// The roots at all sizes up to the checkpoint's.
    pub roots: Vec<Hash>,
}

impl Log {
    /// Reads the artifact log.
    ///
    /// # Panics
    /// When the tiles, the entries and the checkpoint are not of one tree.
    #[must_use]
    pub fn read(instance: &Instance) -> Self {
        let mut connection = instance.connect();
        let mut get = |path: &str| {
            let response = connection.send("GET", path, &[], b"").expect("an answer");
            response.expect(200).body
        };
        let text = String::from_utf8(get("/checkpoint")).expect("text");
        let checkpoint = Checkpoint::read(&text);
        let mut entries = Vec::new();
        let mut leaves = Vec::new();
        for (index, width) in pieces(checkpoint.size) {
            let bundle = get(&format!("/{}", tile_path("tile/entries", index, width)));
            let bundle = unbundle(&bundle);
            assert_eq!(bundle.len() as u64, width);
            let hashes: Vec<Hash> = bundle.iter().map(|entry| leaf_hash(entry)).collect();
            let tile = get(&format!("/{}", tile_path("tile/0", index, width)));
            assert_eq!(tile, hashes.concat(), "tile {index} is not that of its entries");
            leaves.extend(hashes);
            entries.extend(bundle);
        }
        let roots = roots(&leaves);
        assert_eq!(*roots.last().expect("a root"), checkpoint.root, "the checkpoint's root");
        Self { checkpoint, entries, roots }
    }
}

/// Index and width of the tiles of level 0 of a tree.
pub fn pieces(size: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..size.div_ceil(256)).map(move |index| (index, (size - index * 256).min(256)))
}

/// The entries of a bundle.
///
/// # Panics
/// When it ends within one.
#[must_use]
pub fn unbundle(mut bundle: &[u8]) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bundle.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
        entries.push(entry.to_vec());
        bundle = rest;
    }
    assert!(bundle.is_empty(), "a stray byte at the end of a bundle");
    entries
}
