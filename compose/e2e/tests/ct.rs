//! The certificate transparency log: RFC 6962 and static-ct-api over the same tree.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::answer::refused;
use e2e::ct::{Entry, POISON, Reader, SCT_LIST, Sct, log_key, size};
use e2e::der::Certificate;
use e2e::instance::Instance;
use e2e::issue::certificate;
use e2e::log::{pieces, tile_path};
use e2e::merkle::{Hash, consistent, included, leaf_hash, roots};
use e2e::note::{Checkpoint, tree_head_holds};
use e2e::openssl::Desk;
use e2e::{b64, hex, sha256, unb64};
use serde_json::{Value, json};

const ALICE: &str = "alice@example.com";

/// The body of a submission.
fn submission(chain: &[&[u8]]) -> Value {
    json!({ "chain": chain.iter().map(|der| b64(der)).collect::<Vec<_>>() })
}

/// The precertificate that was logged for a certificate.
fn precertificate(server: &Instance, leaf: &[u8]) -> Vec<u8> {
    let index = Sct::embedded(leaf).leaf_index();
    let (_, extra) = entry(server, index);
    Reader(&extra).vector(3).to_vec()
}

fn entry(server: &Instance, index: u64) -> (Vec<u8>, Vec<u8>) {
    let answer = server.json(&format!("/ct/v1/get-entries?start={index}&end={index}"));
    let bytes = |name: &str| unb64(answer["entries"][0][name].as_str().unwrap());
    (bytes("leaf_input"), bytes("extra_data"))
}

#[test]
fn scts_hold_for_both_submissions() {
    let server = Instance::shared();
    let (_, chain) = certificate(&server, ALICE);
    let key = log_key(&server);
    let embedded = Sct::embedded(&chain[0]);
    let precert_entry = Entry::precert_of(&chain[0], &chain[1]);
    embedded.must_hold(&precert_entry, &key);
    for prefix in ["/ct/v1", "/ct/ct/v1"] {
        // With and without the root, which a client may leave out.
        for above in [2, 1] {
            let mut whole: Vec<&[u8]> = vec![&chain[0]];
            whole.extend(chain[1..=above].iter().map(Vec::as_slice));
            let answer = server.post(&format!("{prefix}/add-chain"), &[], &submission(&whole));
            let sct = Sct::answered(&answer.expect(200).json());
            sct.must_hold(&Entry::X509(&chain[0]), &key);
            let (leaf, _) = entry(&server, sct.leaf_index());
            assert_eq!(leaf, Entry::X509(&chain[0]).leaf(sct.timestamp_ms, &sct.extensions));

            let precert = precertificate(&server, &chain[0]);
            whole[0] = &precert;
            let answer = server.post(&format!("{prefix}/add-pre-chain"), &[], &submission(&whole));
            let sct = Sct::answered(&answer.expect(200).json());
            sct.must_hold(&precert_entry, &key);
            let fields = |sct: &Sct| (sct.timestamp_ms, sct.leaf_index());
            assert_eq!(fields(&sct), fields(&embedded), "a repeated submission keeps both");
        }
    }
}

#[test]
fn ct_takes_only_ours() {
    let server = Instance::dev();
    let (_, chain) = certificate(&server, ALICE);
    let other = Instance::dev();
    let (_, foreign) = certificate(&other, ALICE);
    let precert = precertificate(&server, &chain[0]);
    let foreign_precert = precertificate(&other, &foreign[0]);
    let before = size(&server);
    let [leaf, issuing, root] = [&chain[0][..], &chain[1][..], &chain[2][..]];
    let tsa = server.get("/api/v1/timestamp/certchain").expect(200).text();
    let tsa = e2e::der::all_pem(&tsa);
    let mut flipped = leaf.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let mut stretched = leaf.to_vec();
    stretched.push(0);
    for (what, chain) in [
        ("nothing", vec![]),
        ("a foreign chain", foreign.iter().map(Vec::as_slice).collect()),
        ("a foreign leaf under our CA", vec![&foreign[0][..], issuing, root]),
        ("our leaf under a foreign CA", vec![leaf, &foreign[1], &foreign[2]]),
        ("the root in between", vec![leaf, root, issuing]),
        ("the issuing CA twice", vec![leaf, issuing, issuing]),
        ("a signature that is off", vec![&flipped, issuing, root]),
        ("a byte after the certificate", vec![&stretched, issuing, root]),
        ("the TSA's certificate", vec![&tsa[0], &tsa[1]]),
        ("a root too many", vec![leaf, issuing, root, root]),
    ] {
        let response = server.post("/ct/v1/add-chain", &[], &submission(&chain));
        assert_eq!(response.status, 400, "{what}: {}", response.text());
        refused(&response, 400, "chain");
    }
    for (what, path, chain) in [
        ("a precertificate to add-chain", "add-chain", vec![&precert[..], issuing, root]),
        ("a certificate to add-pre-chain", "add-pre-chain", vec![leaf, issuing, root]),
        (
            "a foreign precertificate",
            "add-pre-chain",
            vec![&foreign_precert, &foreign[1], &foreign[2]],
        ),
        ("one under our CA", "add-pre-chain", vec![&foreign_precert, issuing, root]),
    ] {
        let response = server.post(&format!("/ct/v1/{path}"), &[], &submission(&chain));
        assert_eq!(response.status, 400, "{what}: {}", response.text());
        refused(&response, 400, "chain");
    }
    for body in [
        json!({}),
        json!([]),
        json!({ "chain": "x" }),
        json!({ "chain": [7] }),
        json!({ "chain": ["%"] }),
        json!({ "chain": [""] }),
        json!({ "chain": [b64(leaf)], "x": 1 }),
        json!({ "chain": vec![b64(leaf); 50] }),
    ] {
        refused(&server.post("/ct/v1/add-chain", &[], &body), 400, "");
    }
    assert_eq!(size(&server), before, "nothing was logged");
    let good = server.post("/ct/v1/add-chain", &[], &submission(&[leaf, issuing, root]));
    assert_eq!(good.status, 200, "the passing twin: {}", good.text());
}

#[test]
fn get_roots_names_our_root() {
    let server = Instance::shared();
    let (_, chain) = certificate(&server, ALICE);
    for prefix in ["/ct/v1", "/ct/ct/v1"] {
        let roots = server.json(&format!("{prefix}/get-roots"));
        let roots: Vec<Vec<u8>> = roots["certificates"]
            .as_array()
            .unwrap()
            .iter()
            .map(|root| unb64(root.as_str().unwrap()))
            .collect();
        assert_eq!(roots, [chain[2].clone()]);
    }
}

#[test]
fn heads_and_proofs() {
    let server = Instance::dev();
    let key = log_key(&server);
    let sth = |server: &Instance| -> (u64, Hash) {
        let sth = server.json("/ct/v1/get-sth");
        let size = sth["tree_size"].as_u64().unwrap();
        let time = sth["timestamp"].as_u64().unwrap();
        let root: Hash = unb64(sth["sha256_root_hash"].as_str().unwrap()).try_into().unwrap();
        let signature = unb64(sth["tree_head_signature"].as_str().unwrap());
        tree_head_holds(time, size, &root, &signature, &key);
        assert!(time.abs_diff(e2e::now() * 1000) < 60_000);
        (size, root)
    };
    let mut heads = vec![sth(&server)];
    assert_eq!(heads[0].0, 1, "the log is born with one entry");
    let mut scts = Vec::new();
    for number in 0..12 {
        let (_, chain) = certificate(&server, &format!("user{number}@example.com"));
        let sct = Sct::embedded(&chain[0]);
        let leaf = Entry::precert_of(&chain[0], &chain[1]).leaf(sct.timestamp_ms, &sct.extensions);
        scts.push((sct.leaf_index(), leaf_hash(&leaf)));
        heads.push(sth(&server));
    }
    let (size, root) = *heads.last().unwrap();
    assert_eq!(size, 13);
    for (at, (first, old)) in heads.iter().enumerate() {
        for (second, new) in &heads[at..] {
            let path = format!("/ct/v1/get-sth-consistency?first={first}&second={second}");
            let proof = hashes(&server.json(&path)["consistency"]);
            assert!(consistent(*first, *second, old, new, &proof), "{first} to {second}");
        }
    }
    for (index, hash) in &scts {
        let query = b64(hash).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let path = format!("/ct/v1/get-proof-by-hash?hash={query}&tree_size={size}");
        let answer = server.json(&path);
        assert_eq!(answer["leaf_index"], *index);
        assert!(included(*index, size, hash, &hashes(&answer["audit_path"]), &root));
        let small = format!("/ct/v1/get-proof-by-hash?hash={query}&tree_size={index}");
        assert!(matches!(server.get(&small).status, 400 | 404), "not in a tree so small");
    }
    let unknown = b64(&sha256(b"x")).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let path = format!("/ct/v1/get-proof-by-hash?hash={unknown}&tree_size={size}");
    assert!(matches!(server.get(&path).status, 400 | 404));
    for query in [
        "get-sth-consistency?first=2&second=1",
        "get-sth-consistency?first=1&second=99",
        "get-sth-consistency?first=-1&second=1",
        "get-sth-consistency?first=x&second=1",
        "get-sth-consistency?first=1",
        "get-sth-consistency",
        "get-sth-consistency?first=1&first=2&second=3",
        "get-entries?start=3&end=2",
        "get-entries?start=99&end=99",
        "get-entries?start=0",
        "get-entries?start=0&end=18446744073709551616",
        "get-proof-by-hash?hash=AAAA&tree_size=1",
        "get-proof-by-hash?hash=&tree_size=1",
        "get-proof-by-hash?tree_size=1",
    ] {
        refused(&server.get(&format!("/ct/v1/{query}")), 400, "");
    }
}

fn hashes(value: &Value) -> Vec<Hash> {
    let list = value.as_array().unwrap_or_else(|| panic!("no list: {value}"));
    list.iter().map(|hash| unb64(hash.as_str().unwrap()).try_into().unwrap()).collect()
}

#[test]
fn get_entries_is_capped_and_in_order() {
    let server = Instance::dev();
    for number in 0..5 {
        let _issued = certificate(&server, &format!("user{number}@example.com"));
    }
    let size = size(&server);
    let answer = server.json(&format!("/ct/v1/get-entries?start=0&end={}", u64::MAX));
    let entries = answer["entries"].as_array().unwrap();
    assert_eq!(entries.len() as u64, size);
    let leaves: Vec<Hash> = entries
        .iter()
        .map(|entry| leaf_hash(&unb64(entry["leaf_input"].as_str().unwrap())))
        .collect();
    let sth = server.json("/ct/v1/get-sth");
    assert_eq!(sth["sha256_root_hash"], b64(roots(&leaves).last().unwrap()));
}

#[test]
fn static_ct_reads_the_same_tree() {
    let server = Instance::dev();
    let key = log_key(&server);
    let mut chains = Vec::new();
    for number in 0..6 {
        chains.push(certificate(&server, &format!("user{number}@example.com")).1);
    }
    let final_chain: Vec<&[u8]> = chains[0].iter().map(Vec::as_slice).collect();
    let _also = server.post("/ct/v1/add-chain", &[], &submission(&final_chain)).expect(200);
    let answer = server.get("/ct/checkpoint").expect(200);
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
    assert!(!answer.header("cache-control").unwrap_or_default().contains("immutable"));
    let checkpoint = Checkpoint::read(&answer.text());
    let origin = format!("localhost:{}/ct", server.port());
    let time = checkpoint.must_be_tree_head(&origin, &key);
    assert!(time.abs_diff(e2e::now() * 1000) < 60_000);

    let mut leaves = Vec::new();
    for (index, width) in pieces(checkpoint.size) {
        let tile = server.get(&format!("/ct/{}", tile_path("tile/data", index, width))).expect(200);
        assert!(tile.header("cache-control").unwrap().contains("immutable"));
        let mut reader = Reader(&tile.body);
        while !reader.0.is_empty() {
            leaves.push(tile_leaf(&mut reader, &server, leaves.len() as u64));
        }
        let hashes = server.get(&format!("/ct/{}", tile_path("tile/0", index, width))).expect(200);
        assert_eq!(hashes.body, leaves[(index * 256) as usize..].concat());
    }
    assert_eq!(leaves.len() as u64, checkpoint.size);
    assert_eq!(*roots(&leaves).last().unwrap(), checkpoint.root);
    for chain in &chains {
        let sct = Sct::embedded(&chain[0]);
        let leaf = Entry::precert_of(&chain[0], &chain[1]).leaf(sct.timestamp_ms, &sct.extensions);
        assert_eq!(leaves[sct.leaf_index() as usize], leaf_hash(&leaf));
        assert!(sct.timestamp_ms <= time, "no SCT is younger than the head over it");
    }
    for path in [
        "tile/entries/000.p/1",
        "tile/data/000",
        "tile/data/001.p/1",
        "tile/0/000.p/255",
        "issuer/00",
        &format!("issuer/{}", "0".repeat(64)),
    ] {
        refused(&server.get(&format!("/ct/{path}")), 404, "");
    }
    let issuing = hex(&sha256(&chains[0][1]));
    refused(&server.get(&format!("/ct/issuer/{}", issuing.to_uppercase())), 404, "");
}

/// Reads one TileLeaf of static-ct-api; answers its leaf hash.
fn tile_leaf(reader: &mut Reader<'_>, server: &Instance, index: u64) -> Hash {
    let timestamp = reader.number(8);
    let kind = reader.number(2);
    let mut leaf = vec![0, 0];
    leaf.extend(timestamp.to_be_bytes());
    leaf.extend((kind as u16).to_be_bytes());
    if kind == 1 {
        leaf.extend(reader.take(32));
    }
    let body = reader.vector(3);
    leaf.extend(&(body.len() as u32).to_be_bytes()[1..]);
    leaf.extend(body);
    let extensions = reader.vector(2);
    leaf.extend((extensions.len() as u16).to_be_bytes());
    leaf.extend(extensions);
    let (header, position) = extensions.split_at(3);
    assert_eq!(header, [0, 0, 5]);
    assert_eq!(position, &index.to_be_bytes()[3..], "the leaf knows its place");
    if kind == 1 {
        let precert = reader.vector(3);
        assert_eq!(Certificate::read(precert).tbs_without(POISON), body);
    }
    let fingerprints = reader.vector(2);
    assert_eq!(fingerprints.len() % 32, 0);
    for fingerprint in fingerprints.chunks(32) {
        let issuer = server.get(&format!("/ct/issuer/{}", hex(fingerprint))).expect(200);
        assert_eq!(issuer.header("content-type"), Some("application/pkix-cert"));
        assert_eq!(sha256(&issuer.body), fingerprint);
    }
    leaf_hash(&leaf)
}

#[test]
fn openssl_reads_the_sct() {
    let server = Instance::shared();
    let (_, chain) = certificate(&server, ALICE);
    let sct = Sct::embedded(&chain[0]);
    let desk = Desk::new();
    desk.put("leaf.der", &chain[0]);
    let text = desk.ok(&["x509", "-inform", "DER", "-in", "leaf.der", "-noout", "-text"]);
    let text = text.replace([' ', '\n', ':'], "").to_uppercase();
    assert!(text.contains(&hex(&sct.log_id).to_uppercase()), "{text}");
    let log_id = sha256(&log_key(&server));
    let root = server.json("/trusted_root.json");
    assert_eq!(root["ctlogs"][0]["logId"]["keyId"], b64(&log_id));
    assert_eq!(root["ctlogs"][0]["baseUrl"], format!("{}/ct", server.base()));
    assert_eq!(root["tlogs"][0]["baseUrl"], server.base());
    let last = Certificate::read(&chain[0]);
    assert_eq!(last.extensions.last().unwrap().oid, SCT_LIST, "the SCTs come last");
}

#[test]
fn the_two_logs_are_two() {
    let server = Instance::shared();
    let artifact = Checkpoint::read(&server.get("/checkpoint").expect(200).text());
    let ct = Checkpoint::read(&server.get("/ct/checkpoint").expect(200).text());
    assert_eq!(artifact.origin, "localhost");
    assert_ne!(artifact.origin, ct.origin);
    assert_ne!(log_key(&server), e2e::rekor::log_key(&server));
    assert_ne!(artifact.signatures[0].1, ct.signatures[0].1);
}
