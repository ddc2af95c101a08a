//! What the documents say about the tree is true: every test that the threat model names is
//! there, and every file that the map names too.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Names of all `#[test]` and `#[tokio::test]` functions, and of those that proptest wraps.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in ["ca", "core", "tlog", "signer", "verifier", "compose"] {
        collect(&root().join(folder), &mut found);
    }
    found
}

fn collect(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                is_test |= line.starts_with("#[") && line.contains("test");
                let name = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "));
                if let Some(name) = name {
                    let name: String =
                        name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    if is_test {
                        found.insert(name);
                    }
                    is_test = false;
                }
            }
        }
    }
}

/// Every backquoted word of the second column of a table row: the tests that stand for the row.
fn named_in_table(document: &str) -> Vec<(String, String)> {
    let mut named = Vec::new();
    for line in document.lines().filter(|line| line.starts_with("| `")) {
        let mut columns = line.split('|').map(str::trim).skip(1);
        let (row, tests) = (columns.next().unwrap(), columns.next().unwrap_or_default());
        for test in tests.split('`').skip(1).step_by(2) {
            named.push((row.trim_matches('`').to_owned(), test.to_owned()));
        }
    }
    named
}

#[test]
fn every_test_of_the_threat_model_exists() {
    let document = fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    let tests = tests();
    let named = named_in_table(&document);
    assert!(named.len() > 80, "the table was read: {}", named.len());
    let missing: Vec<_> = named.iter().filter(|(_, test)| !tests.contains(test)).collect();
    assert!(missing.is_empty(), "named and not there: {missing:#?}");
}

#[test]
fn every_file_of_the_map_exists() {
    let document = fs::read_to_string(root().join("docs/map.md")).unwrap();
    let mut count = 0;
    for link in document.split("](").skip(1) {
        let target = link.split(')').next().unwrap().split('#').next().unwrap();
        if target.is_empty() || target.contains("://") {
            continue;
        }
        let path = root().join("docs").join(target);
        assert!(path.exists(), "the map leads to {target}, which is not there");
        count += 1;
    }
    assert!(count > 30, "the map was read: {count}");
}

#[test]
fn every_source_file_is_on_the_map() {
    let document = fs::read_to_string(root().join("docs/map.md")).unwrap();
    for package in [
        "ca",
        "tlog",
        "signer",
        "verifier",
        "core/merkle",
        "core/formats",
        "core/verify",
        "core/fetch",
    ] {
        for entry in fs::read_dir(root().join(package).join("src")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_file() && name != "lib.rs" {
                let link = format!("../{package}/src/{name})");
                assert!(document.contains(&link), "{package}/src/{name} is not on the map");
            }
        }
    }
}
