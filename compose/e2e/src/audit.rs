//! The audit record as it lies in the store.

use std::path::Path;

use serde_json::Value;

/// The rows of an instance that was stopped, oldest first: JSON objects, whatever the table is
/// called.
///
/// # Panics
/// When there is no such table.
#[must_use]
pub fn rows(dir: &Path) -> Vec<Value> {
    let database = rusqlite::Connection::open(dir.join("log.db")).expect("a database");
    let (table, column): (String, String) = database
        .query_row(
            "SELECT m.name, p.name FROM sqlite_schema m, pragma_table_info(m.name) p \
             WHERE m.type = 'table' AND m.name LIKE '%audit%' AND p.type LIKE 'BLOB%' \
             AND p.name NOT LIKE '%hash%' AND p.name NOT LIKE '%chain%' AND p.name NOT LIKE '%link%'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("a table of audit rows");
    let query = format!("SELECT {column} FROM {table} ORDER BY rowid");
    let mut statement = database.prepare(&query).expect("a query");
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).expect("rows");
    rows.map(|row| serde_json::from_slice(&row.expect("a row")).expect("JSON")).collect()
}
