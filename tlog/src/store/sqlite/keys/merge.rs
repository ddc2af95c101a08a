//! Several runs made into one of the next level, a few records in each commit.

use rusqlite::Connection;

use super::run::{Family, Output, Run, chunk_after, set_garbage};
use crate::store::StoreError;

/// A merge under way, in memory: a crash leaves an unfinished output, which is deleted.
pub(super) struct Merge {
    inputs: Vec<Input>,
    output: Output,
    done: bool,
}

impl Merge {
    pub(super) fn start(
        connection: &Connection,
        id: i64,
        inputs: Vec<Run>,
    ) -> Result<Self, StoreError> {
        let records = inputs.iter().map(|run| run.records()).sum();
        let (family, level) = inputs.first().map_or((Family::Dedup, 0), |r| (r.family, r.level));
        let output = Output::start(connection, id, family, level + 1, records)?;
        let inputs = inputs.into_iter().map(|run| Input::open(connection, run.id, family.width()));
        Ok(Self { inputs: inputs.collect::<Result<_, _>>()?, output, done: false })
    }

    pub(super) fn family(&self) -> Family {
        self.output.family
    }

    pub(super) fn level(&self) -> u8 {
        self.output.level
    }

    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// Moves up to `count` records.
    pub(super) fn advance(
        &mut self,
        connection: &Connection,
        count: usize,
    ) -> Result<(), StoreError> {
        for _ in 0..count {
            let heads = self.inputs.iter_mut().filter(|input| input.head().is_some());
            let Some(least) = heads.min_by(|a, b| a.head().cmp(&b.head())) else {
                self.done = true;
                return Ok(());
            };
            if let Some(record) = least.head() {
                self.output.push(connection, record)?;
            }
            least.next(connection)?;
        }
        Ok(())
    }

    /// Makes the output live and its inputs garbage; answers the new run and the old ones.
    pub(super) fn finish(self, connection: &Connection) -> Result<(Run, Vec<i64>), StoreError> {
        let run = self.output.finish(connection)?;
        let inputs: Vec<i64> = self.inputs.iter().map(|input| input.run).collect();
        for input in &inputs {
            set_garbage(connection, *input)?;
        }
        Ok((run, inputs))
    }
}

/// Reads a run from its beginning.
struct Input {
    run: i64,
    width: usize,
    first: Vec<u8>,
    records: Vec<u8>,
    at: usize,
}

impl Input {
    fn open(connection: &Connection, run: i64, width: usize) -> Result<Self, StoreError> {
        let (first, records) = chunk_after(connection, run, &[])?.unwrap_or_default();
        Ok(Self { run, width, first, records, at: 0 })
    }

    fn head(&self) -> Option<&[u8]> {
        self.records.get(self.at..self.at + self.width)
    }

    fn next(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.at += self.width;
        if self.at >= self.records.len() {
            let next = chunk_after(connection, self.run, &self.first)?;
            (self.first, self.records) = next.unwrap_or_default();
            self.at = 0;
        }
        Ok(())
    }
}
