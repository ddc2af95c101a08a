//! The artifact log as readers see it: checkpoint, tiles and entry bundles, and nothing beside
//! them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::answer::refused;
use e2e::instance::Instance;
use e2e::key::Key;
use e2e::log::{Log, tile_path, unbundle};
use e2e::merkle::{leaf_hash, node_hash};
use e2e::note::Checkpoint;
use e2e::rekor::{Entry, hashed_rekord, log_key, post, published};
use serde_json::Value;

fn add(server: &Instance, body: &Value) -> Entry {
    let response = post(server, body).expect(201);
    published(&response.json(), &log_key(server))
}

#[test]
fn reads_with_and_without_the_prefix() {
    let server = Instance::shared();
    let entry = add(&server, &hashed_rekord(&Key::p256(), b"to be read"));
    for prefix in ["", "/api/v2"] {
        let answer = server.get(&format!("{prefix}/checkpoint")).expect(200);
        assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
        assert!(!answer.header("cache-control").unwrap().contains("immutable"));
        let checkpoint = Checkpoint::read(&answer.text());
        checkpoint.must_be_signed("localhost", &log_key(&server));
        assert!(checkpoint.size > entry.index);
        let size = checkpoint.size.min(255);
        let bundle = server.get(&format!("{prefix}/tile/entries/000.p/{size}")).expect(200);
        assert_eq!(bundle.header("content-type"), Some("application/octet-stream"));
        assert!(bundle.header("cache-control").unwrap().contains("immutable"));
        let entries = unbundle(&bundle.body);
        assert_eq!(entries[entry.index as usize], entry.body);
        let tile = server.get(&format!("{prefix}/tile/0/000.p/{size}")).expect(200);
        let hashes: Vec<u8> = entries.iter().flat_map(|entry| leaf_hash(entry)).collect();
        assert_eq!(tile.body, hashes);
        assert!(tile.header("cache-control").unwrap().contains("immutable"));
    }
}

#[test]
fn full_tiles_and_every_partial_one() {
    let server = Instance::dev();
    fill(&server, 300);
    let log = Log::read(&server);
    let size = log.checkpoint.size;
    assert!((300..512).contains(&size), "{size}");
    let leaves: Vec<_> = log.entries.iter().map(|entry| leaf_hash(entry)).collect();
    let full = server.get("/tile/0/000").expect(200);
    assert_eq!(full.body, leaves[..256].concat());
    assert!(full.header("cache-control").unwrap().contains("max-age=31536000"));
    let mut connection = server.connect();
    // A partial tile of a tree that once was is still there when the full one is.
    for width in [1_usize, 2, 3, 127, 128, 254, 255] {
        let path = format!("/tile/0/000.p/{width}");
        let tile = connection.send("GET", &path, &[], b"").unwrap().expect(200);
        assert_eq!(tile.body, leaves[..width].concat());
        let path = format!("/tile/entries/000.p/{width}");
        let bundle = connection.send("GET", &path, &[], b"").unwrap().expect(200);
        assert_eq!(unbundle(&bundle.body), log.entries[..width]);
    }
    let above = leaves[..256].to_vec();
    let mut row = above;
    while row.len() > 1 {
        row = row.chunks(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    assert_eq!(server.get("/tile/1/000.p/1").expect(200).body, row[0]);
    let beyond = size - 256 + 1;
    for path in [
        format!("tile/0/001.p/{beyond}"),
        format!("tile/entries/001.p/{beyond}"),
        "tile/0/001".to_owned(),
        "tile/0/002.p/1".to_owned(),
        "tile/1/000".to_owned(),
        "tile/1/000.p/2".to_owned(),
        "tile/2/000.p/1".to_owned(),
        "tile/entries/x001/000".to_owned(),
    ] {
        refused(&server.get(&format!("/{path}")), 404, "");
    }
    assert_eq!(tile_path("tile/0", 1_234_067, 8), "tile/0/x001/x234/067.p/8");
}

/// Adds entries until the log has at least so many.
fn fill(server: &Instance, count: usize) {
    let key = Key::p256();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let key = &key;
            scope.spawn(move || {
                let mut connection = server.connect();
                for number in 0..count.div_ceil(4) {
                    let body = hashed_rekord(key, format!("{thread}/{number}").as_bytes());
                    let headers = [("content-type", "application/json")];
                    let body = body.to_string();
                    let response =
                        connection.send("POST", "/api/v2/log/entries", &headers, body.as_bytes());
                    assert_eq!(response.unwrap().status, 201);
                }
            });
        }
    });
}

#[test]
fn tile_paths_have_one_spelling() {
    let server = Instance::shared();
    let _entry = add(&server, &hashed_rekord(&Key::p256(), b"paths"));
    for path in [
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/00/000",
        "tile/0/-01",
        "tile/0/+00",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.p/1/",
        "tile/0/000/",
        "tile/0",
        "tile/",
        "tile/64/000",
        "tile/8/000",
        "tile/0/x001/x002/x003/x004/x005/x006/x007/x008/000",
        "tile/entries/0",
        "tile/data/000",
        "tile/0/000.P/1",
        "tile/0/%30%30%30.p/1x",
        "tile/entries/000.p/300",
        "tile/0/99999999999999999999",
        "tile/0/\u{0660}",
        "tile//0/000.p/1",
        "tile/0//000.p/1",
        "Tile/0/000.p/1",
        "checkpoint/",
        "checkpoint/x",
        "tiles/0/000",
    ] {
        for prefix in ["", "api/v2/"] {
            let response = server.get(&format!("/{prefix}{path}"));
            assert_eq!(response.status, 404, "{prefix}{path}: {}", response.text());
            refused(&response, 404, "");
        }
    }
}

#[test]
fn paths_never_reach_the_disk() {
    let server = Instance::shared();
    for path in [
        "/tile/../ca.toml",
        "/tile/0/../../keys/log.pem",
        "/tile/%2e%2e/%2e%2e/keys/log.pem",
        "/tile/..%2f..%2fkeys%2flog.pem",
        "/tile/..%5c..%5ckeys%5clog.pem",
        "/tile/0/000%00",
        "/tile/%00",
        "/.state/x",
        "/tile/.state/treeState",
        "/tile/entries/../../log.db",
        "//etc/passwd",
        "/tile//etc/passwd",
        "/api/v2/tile/%252e%252e/x",
        "/ct/tile/../../ca.toml",
        "/ct/issuer/../../keys/ct.pem",
        "/ct/issuer/%2e%2e%2fkeys",
        "/..",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/tile/\\..\\..",
        "/public/../keys/log.pem",
        "/trusted_root.json/../keys/log.pem",
    ] {
        let response = server.get(path);
        assert_eq!(response.status, 404, "{path}: {}", response.text());
        assert!(!response.text().contains("PRIVATE"), "{path}");
        let message = response.json();
        assert!(message["message"].is_string(), "{path}");
    }
}

#[test]
fn conditional_and_head_requests() {
    let server = Instance::shared();
    let head = server.request("HEAD", "/checkpoint", &[], b"");
    assert_eq!(head.status, 200);
    assert!(head.body.is_empty());
    let get = server.request("GET", "/checkpoint", &[("if-none-match", "*")], b"");
    assert!(matches!(get.status, 200 | 304), "{}", get.status);
}
