//! A second mark of how far each tree has come, in a file outside the database. A database
//! restored from yesterday's backup is whole and correctly signed; only this file knows that later
//! heads were served, and that going on from the old one would fork the log.
//!
//! The file is replaced at most once a second and never flushed: it must survive a restore, not a
//! power cut, and a mark that is a second behind merely notices a little less.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use formats::digest::{Digest, HashAlgorithm};
use merkle::Hash;
use thiserror::Error;

use crate::entry::Tree;

/// The marks of all trees, with the file that holds them.
#[derive(Debug)]
pub(crate) struct HighWater {
    path: PathBuf,
    marks: BTreeMap<Tree, Mark>,
}

/// A size that a tree has had, and its root then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

impl HighWater {
    /// Reads the file; an absent file holds no marks.
    pub(crate) fn read(path: &Path) -> Result<Self, HighWaterError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(HighWaterError::Read { path: shown(path), error: error.kind() });
            }
        };
        let marks = text
            .lines()
            .map(|line| parse(line).ok_or_else(|| HighWaterError::Malformed { path: shown(path) }))
            .collect::<Result<_, _>>()?;
        Ok(Self { path: path.to_owned(), marks })
    }

    pub(crate) fn mark(&self, tree: Tree) -> Option<Mark> {
        self.marks.get(&tree).copied()
    }

    /// Raises the mark of a tree in memory; answers whether that changed it.
    pub(crate) fn raise(&mut self, tree: Tree, mark: Mark) -> bool {
        self.marks.insert(tree, mark) != Some(mark)
    }

    /// Replaces the file, by rename, so that a reader never sees half of it.
    pub(crate) fn write(&self) -> Result<(), HighWaterError> {
        let text: String = self
            .marks
            .iter()
            .map(|(tree, mark)| format!("{tree} {} {}\n", mark.size, mark.root))
            .collect();
        let beside = self.path.with_extension("new");
        fs::write(&beside, text)
            .and_then(|()| fs::rename(&beside, &self.path))
            .map_err(|error| HighWaterError::Write { path: shown(&self.path), error: error.kind() })
    }
}

fn parse(line: &str) -> Option<(Tree, Mark)> {
    let mut fields = line.split(' ');
    let tree = Tree::from_name(fields.next()?)?;
    let size = fields.next()?.parse().ok()?;
    let root =
        Hash::try_from(Digest::from_hex(HashAlgorithm::Sha256, fields.next()?).ok()?.as_bytes())
            .ok()?;
    fields.next().is_none().then_some((tree, Mark { size, root }))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The high-water file can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HighWaterError {
    /// It can't be read.
    #[error("can't read the high-water file {path}: {error}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        error: io::ErrorKind,
    },
    /// It can't be written.
    #[error("can't write the high-water file {path}: {error}")]
    Write {
        /// The file.
        path: String,
        /// Why.
        error: io::ErrorKind,
    },
    /// It holds something else than lines of tree, size and root.
    #[error(
        "the high-water file {path} is damaged; `ca fsck` tells whether the store is whole, and without this file a restored backup can't be noticed"
    )]
    Malformed {
        /// The file.
        path: String,
    },
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn marks_survive_and_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("high-water");
        let mut marks = HighWater::read(&path).unwrap();
        assert_eq!(marks.mark(Tree::Ct), None);
        let mark = Mark { size: 7, root: Hash::new([1; 32]) };
        assert!(marks.raise(Tree::Ct, mark));
        assert!(!marks.raise(Tree::Ct, mark));
        marks.write().unwrap();
        let again = HighWater::read(&path).unwrap();
        assert_eq!((again.mark(Tree::Ct), again.mark(Tree::Rekor2)), (Some(mark), None));
        let text = fs::read_to_string(&path).unwrap();
        for damaged in
            [text.replace("ct", "no"), text.replace('7', "x"), text.replace("01", "1"), text + "x"]
        {
            fs::write(&path, damaged).unwrap();
            let malformed = HighWaterError::Malformed { path: shown(&path) };
            assert_eq!(HighWater::read(&path).err(), Some(malformed));
        }
        let read = HighWater::read(folder.path());
        assert!(matches!(read, Err(HighWaterError::Read { .. })));
    }
}
