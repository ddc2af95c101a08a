//! The laws of the house, kept by the build: what may depend on what.
//!
//! They read `cargo metadata` (resolved, normal dependencies) and `Cargo.lock`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Package name to the names of its normal dependencies, over the whole graph as it is resolved
/// for the machine that runs this. Whole, it would have to be downloaded for every platform.
fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform"])
        .arg(host())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (package["id"].as_str().unwrap(), package["name"].as_str().unwrap()))
        .collect();
    let mut graph = BTreeMap::<String, BTreeSet<String>>::new();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let name = names[node["id"].as_str().unwrap()];
        let dependencies = graph.entry(name.to_owned()).or_default();
        for dependency in node["deps"].as_array().unwrap() {
            let normal = dependency["dep_kinds"]
                .as_array()
                .unwrap()
                .iter()
                .any(|kind| kind["kind"].is_null());
            if normal {
                dependencies.insert(names[dependency["pkg"].as_str().unwrap()].to_owned());
            }
        }
    }
    graph
}

fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

/// Everything that a build of `selection` compiles into it, as `cargo tree` resolves it: metadata
/// also lists optional dependencies that no feature turns on.
fn built(selection: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges=normal", "--prefix=none"])
        .args(["--format={p}"])
        .args(selection)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(ToOwned::to_owned).collect()
}

#[test]
fn pure_crates_stay_pure() {
    for package in ["merkle", "formats", "verify"] {
        let reached = built(&["--package", package]);
        assert!(reached.contains("sha2"), "{package} was resolved");
        for banned in BANNED_FROM_PURE {
            assert!(!reached.contains(*banned), "{package} reaches {banned}");
        }
    }
}

#[test]
fn the_ban_bites_where_the_banned_are_used() {
    for (package, banned) in [("ca", "tokio"), ("fetch", "reqwest"), ("tlog", "rusqlite")] {
        let reached = built(&["--package", package]);
        assert!(reached.contains(banned), "{package} should reach {banned}");
    }
}

#[test]
fn arrows_point_down() {
    let graph = graph();
    for (package, allowed) in ARROWS {
        for dependency in graph[*package].iter().filter(|name| OURS.contains(&name.as_str())) {
            assert!(allowed.contains(&dependency.as_str()), "{package} may not use {dependency}");
        }
    }
}

#[test]
fn nothing_depends_on_a_binary() {
    for (package, dependencies) in graph() {
        for binary in ["ca", "signer", "verifier"] {
            assert!(!dependencies.contains(binary), "{package} depends on {binary}");
        }
    }
}

#[test]
fn one_tls_stack_one_json_library() {
    let built = built(&["--workspace"]);
    for banned in ["openssl", "openssl-sys", "native-tls", "simd-json", "sonic-rs"] {
        assert!(!built.contains(banned), "{banned} is built");
    }
    for wanted in ["rustls", "aws-lc-rs", "serde_json"] {
        assert!(built.contains(wanted), "{wanted} is no longer built");
    }
}

#[test]
fn end_to_end_tests_use_no_package_of_ours() {
    let manifest = include_str!("../Cargo.toml");
    for ours in OURS.iter().filter(|name| **name != "e2e") {
        let line = format!("{ours}.workspace");
        assert!(!manifest.lines().any(|l| l.starts_with(&line)), "e2e depends on {ours}");
    }
}

/// Two providers in one process make jsonwebtoken panic; and the rsa crate leaks private keys
/// through its timing, so it may come in for public keys alone.
#[test]
fn one_provider_no_private_rsa() {
    assert!(!built(&["--workspace"]).contains("ring"), "a second cryptographic provider");
    let graph = graph();
    let users: Vec<&String> = graph
        .iter()
        .filter(|(_, dependencies)| dependencies.contains("rsa"))
        .map(|(package, _)| package)
        .collect();
    assert_eq!(users, ["openidconnect"], "which verifies with it, and holds no private key");
}

/// Archive readers, verifiers that accept forgeries, and what else has no business here.
#[test]
fn forbidden_code_absent() {
    let built = built(&["--workspace", "--edges=normal,build,dev"]);
    for banned in ["sigstore", "tar", "tokio-tar", "zip", "flate2", "brotli", "zstd"] {
        assert!(!built.contains(banned), "{banned} is built");
    }
}

/// A crate that was never looked at must not slip in by a name that looks like another's.
#[test]
fn no_surprise_crates() {
    let reviewed: BTreeSet<&str> = include_str!("data/reviewed-crates.txt").lines().collect();
    let locked: BTreeSet<&str> = include_str!("../../../Cargo.lock")
        .lines()
        .filter_map(|line| line.strip_prefix("name = "))
        .map(|name| name.trim_matches('"'))
        .collect();
    let surprises: Vec<_> = locked.difference(&reviewed).collect();
    assert!(surprises.is_empty(), "look at these, then add them to the list: {surprises:?}");
    let gone: Vec<_> = reviewed.difference(&locked).collect();
    assert!(gone.is_empty(), "no longer used; take them off the list: {gone:?}");
}

/// Versions below which a known hole is open.
#[test]
fn advisory_floors() {
    let lock = include_str!("../../../Cargo.lock");
    let mut name = "";
    let mut found = BTreeMap::<&str, Vec<[u64; 3]>>::new();
    for line in lock.lines() {
        if let Some(value) = line.strip_prefix("name = ") {
            name = value.trim_matches('"');
        } else if let Some(value) = line.strip_prefix("version = ") {
            found.entry(name).or_default().push(version(value.trim_matches('"')));
        }
    }
    for (package, floor) in FLOORS {
        for version in found.get(package).into_iter().flatten() {
            assert!(version >= floor, "{package} {version:?} is below {floor:?}");
        }
    }
    assert!(found.contains_key("aws-lc-sys") && found.contains_key("h2"), "floors check nothing");
}

fn version(text: &str) -> [u64; 3] {
    let core = text.split(['-', '+']).next().unwrap();
    let mut parts = core.split('.').map(|part| part.parse().unwrap());
    [parts.next().unwrap(), parts.next().unwrap_or(0), parts.next().unwrap_or(0)]
}

const OURS: [&str; 11] = [
    "ca",
    "signer",
    "verifier",
    "tlog",
    "merkle",
    "formats",
    "verify",
    "fetch",
    "e2e",
    "bench",
    "providers",
];

const ARROWS: &[(&str, &[&str])] = &[
    ("merkle", &[]),
    ("formats", &["merkle"]),
    ("verify", &["formats", "merkle"]),
    ("fetch", &["verify", "formats", "merkle"]),
    ("tlog", &["verify", "formats", "merkle"]),
    ("ca", &["tlog", "verify", "formats", "merkle"]),
    ("signer", &["fetch", "verify", "formats", "merkle"]),
    ("verifier", &["fetch", "verify", "formats", "merkle"]),
];

/// Async runtimes, HTTP, databases and randomness.
const BANNED_FROM_PURE: &[&str] = &[
    "tokio",
    "async-std",
    "smol",
    "futures-executor",
    "hyper",
    "reqwest",
    "axum",
    "ureq",
    "curl",
    "rusqlite",
    "libsqlite3-sys",
    "tokio-postgres",
    "sqlx",
    "redb",
    "rand",
    "getrandom",
    "rand_chacha",
    "rcgen",
];

const FLOORS: &[(&str, [u64; 3])] = &[
    ("rustls-webpki", [0, 103, 13]),
    ("aws-lc-sys", [0, 39, 0]),
    ("h2", [0, 4, 16]),
    ("bytes", [1, 11, 1]),
    ("time", [0, 3, 47]),
    ("tokio-postgres", [0, 7, 18]),
    ("postgres-protocol", [0, 6, 12]),
    ("idna", [1, 0, 3]),
    ("tracing-subscriber", [0, 3, 20]),
    ("jsonwebtoken", [10, 3, 0]),
];
