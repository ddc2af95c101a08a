//! The TUF repository on the wire: what is there, how long it may be kept, and nothing beside it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use e2e::answer::refused;
use e2e::http::Response;
use e2e::instance::Instance;
use e2e::process::ca;
use e2e::{hex, sha256};

fn cache(response: &Response) -> &str {
    response.header("cache-control").expect("says how long it may be kept")
}

#[test]
fn the_repository_is_served_as_it_lies_there() {
    let server = Instance::shared();
    let timestamp = server.get("/tuf/timestamp.json").expect(200);
    assert_eq!(timestamp.header("content-type"), Some("application/json"));
    let snapshot = format!(
        "{}.snapshot.json",
        timestamp.json()["signed"]["meta"]["snapshot.json"]["version"].as_u64().unwrap()
    );
    let snapshot = server.get(&format!("/tuf/{snapshot}")).expect(200);
    let named = &timestamp.json()["signed"]["meta"]["snapshot.json"];
    assert_eq!(named["length"], snapshot.body.len());
    assert_eq!(named["hashes"]["sha256"], hex(&sha256(&snapshot.body)));
    let version = snapshot.json()["signed"]["meta"]["targets.json"]["version"].as_u64().unwrap();
    let targets = server.get(&format!("/tuf/{version}.targets.json")).expect(200);
    let root = server.get("/tuf/1.root.json").expect(200);
    for metadata in [&timestamp, &snapshot, &targets, &root] {
        assert_eq!(cache(metadata), "no-cache");
    }

    let targets = targets.json()["signed"]["targets"].clone();
    for name in ["trusted_root.json", "signing_config.v0.2.json", "paraph_instance.v1.json"] {
        let digest = targets[name]["hashes"]["sha256"].as_str().unwrap();
        let file = server.get(&format!("/tuf/targets/{digest}.{name}")).expect(200);
        assert_eq!(hex(&sha256(&file.body)), digest);
        assert_eq!(file.body, server.get(&format!("/{name}")).expect(200).body);
        assert!(cache(&file).contains("immutable"));
    }
    let end = server.get("/tuf/2.root.json");
    refused(&end, 404, "");
    assert_eq!(cache(&end), "no-cache", "there may be one tomorrow");
}

#[test]
fn tuf_paths_never_reach_the_disk() {
    let server = Instance::shared();
    let targets = server.get("/tuf/1.targets.json").expect(200).json();
    let digest =
        targets["signed"]["targets"]["ctfe.pub"]["hashes"]["sha256"].as_str().unwrap().to_owned();
    server.get(&format!("/tuf/targets/{digest}.ctfe.pub")).expect(200);
    for path in [
        "/tuf/../ca.toml".to_owned(),
        "/tuf/%2e%2e/ca.toml".to_owned(),
        "/tuf/..%2fkeys%2ftuf.pem".to_owned(),
        "/tuf/..%5ckeys%5ctuf.pem".to_owned(),
        "/tuf/%252e%252e/keys/tuf.pem".to_owned(),
        "/tuf/targets/../../keys/tuf.pem".to_owned(),
        "/tuf/targets/%2e%2e/%2e%2e/keys/tuf.pem".to_owned(),
        "/tuf/targets/..%2f1.root.json".to_owned(),
        "/tuf//1.root.json".to_owned(),
        "/tuf/./1.root.json".to_owned(),
        "/tuf/01.root.json".to_owned(),
        "/tuf/+1.root.json".to_owned(),
        "/tuf/1.root.json%00".to_owned(),
        "/tuf/1.root.json/".to_owned(),
        "/tuf/root.json".to_owned(),
        "/tuf/.lock".to_owned(),
        "/tuf/timestamp.new".to_owned(),
        "/tuf/targets".to_owned(),
        "/tuf/targets/".to_owned(),
        "/tuf/targets/ctfe.pub".to_owned(),
        format!("/tuf/targets/{}.ctfe.pub", digest.to_uppercase()),
        format!("/tuf/targets/{digest}.rekor.pub"),
        format!("/tuf/targets/{digest}"),
    ] {
        let response = server.get(&path);
        refused(&response, 404, "");
        assert!(!response.text().contains("PRIVATE"), "{path}");
    }
}

/// What a person compares is the digest of what a client fetches.
#[test]
fn the_fingerprint_is_that_of_the_served_root() {
    let server = Instance::shared();
    let said = ca(&["trust", server.dir().to_str().unwrap(), "--file", "root"]);
    let root = server.get("/tuf/1.root.json").expect(200);
    assert_eq!(said.stdout, root.body);
    let stderr = String::from_utf8(said.stderr).unwrap();
    let fingerprint = hex(&sha256(&root.body));
    for line in [
        format!("fingerprint {fingerprint}"),
        format!("  signer trust {} --fingerprint {fingerprint}", server.base()),
    ] {
        assert!(stderr.lines().any(|said| said == line), "{line} is not in {stderr}");
    }
}

#[test]
fn a_root_published_beside_the_server_is_served() {
    let server = Instance::dev();
    assert_eq!(server.get("/tuf/2.root.json").status, 404);
    let done = ca(&["tuf", "root", server.dir().to_str().unwrap()]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let served = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(200));
        server.get("/tuf/2.root.json").status == 200
    });
    assert!(served, "{}", server.log());
    let file = fs::read(server.dir().join("tuf/2.root.json")).unwrap();
    assert_eq!(server.get("/tuf/2.root.json").expect(200).body, file);
}
