//! The tables, and the steps from one version of them to the next.

use rusqlite::{Connection, TransactionBehavior};

use super::failed;
use crate::store::StoreError;

/// Brings a database to the newest version: creates it when empty, migrates an older one, refuses
/// a newer one and one that is not ours. Answers the version it had.
pub(super) fn prepare(connection: &mut Connection, path: &str) -> Result<i64, StoreError> {
    apply(connection, path, STEPS)
}

fn apply(connection: &mut Connection, path: &str, steps: &[&str]) -> Result<i64, StoreError> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed("opening the database"))?;
    let pragma = |name| transaction.query_row(name, [], |row| row.get::<_, i64>(0));
    let found = pragma("PRAGMA user_version").map_err(failed("reading the schema version"))?;
    let application =
        pragma("PRAGMA application_id").map_err(failed("reading the application id"))?;
    let tables = pragma("SELECT count(*) FROM sqlite_schema").map_err(failed("listing tables"))?;
    if application != APPLICATION_ID && (application != 0 || found != 0 || tables != 0) {
        return Err(StoreError::NotOurs { path: path.into(), found: application });
    }
    let known = steps.len() as i64;
    let Some(pending) = usize::try_from(found).ok().and_then(|done| steps.get(done..)) else {
        return Err(StoreError::NewerSchema { found, known });
    };
    for step in pending {
        transaction.execute_batch(step).map_err(failed("migrating the schema"))?;
    }
    if !pending.is_empty() {
        let stamp =
            format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {known}");
        transaction.execute_batch(&stamp).map_err(failed("stamping the schema version"))?;
    }
    transaction.commit().map_err(failed("migrating the schema"))?;
    Ok(found)
}

/// "PARA": tells our databases from other people's.
const APPLICATION_ID: i64 = 0x5041_5241;

/// One step for each version, from the empty database on. Never edited, only added to.
const STEPS: &[&str] = &[include_str!("schema_1.sql")];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> i64 {
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_older_schema_is_migrated_step_by_step() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert_eq!(apply(&mut connection, "x", &["CREATE TABLE a (x)"]), Ok(0));
        let steps = ["CREATE TABLE a (x)", "ALTER TABLE a ADD y", "CREATE TABLE b (z)"];
        assert_eq!(apply(&mut connection, "x", &steps), Ok(1));
        assert_eq!(version(&connection), 3);
        connection.execute("INSERT INTO a (x, y) VALUES (1, 2)", []).unwrap();
        assert_eq!(apply(&mut connection, "x", &steps), Ok(3));
    }

    #[test]
    fn a_failed_step_leaves_the_older_schema() {
        let mut connection = Connection::open_in_memory().unwrap();
        apply(&mut connection, "x", &["CREATE TABLE a (x)"]).unwrap();
        let steps = ["", "CREATE TABLE b (x)", "this is no SQL"];
        assert!(apply(&mut connection, "x", &steps).is_err());
        assert_eq!(version(&connection), 1);
        assert!(connection.execute("INSERT INTO b VALUES (1)", []).is_err());
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        prepare(&mut connection, "x").unwrap();
        let newer = STEPS.len() as i64 + 1;
        connection.execute_batch(&format!("PRAGMA user_version = {newer}")).unwrap();
        let refused = StoreError::NewerSchema { found: newer, known: STEPS.len() as i64 };
        assert_eq!(prepare(&mut connection, "x"), Err(refused));
    }

    #[test]
    fn a_database_of_another_program_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE songs (title)").unwrap();
        let refused = StoreError::NotOurs { path: "x".into(), found: 0 };
        assert_eq!(prepare(&mut connection, "x"), Err(refused));
    }
}
