//! A TUF repository that is made for a test, with real keys, and served over HTTP on this machine.
//! Nothing of ours makes it: the canonical form is written here again.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// 2027-01-15T08:00:00Z
pub const NOW: i64 = 1_800_000_000;
pub const LATER: &str = "2027-03-01T00:00:00Z";
pub const PAST: &str = "2027-01-15T08:00:00Z";

pub const ROLES: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

pub struct Key {
    pair: KeyPair,
    pub id: String,
}

impl Key {
    pub fn new() -> Self {
        Self::of(&rcgen::PKCS_ECDSA_P256_SHA256)
    }

    pub fn of(algorithm: &'static rcgen::SignatureAlgorithm) -> Self {
        let pair = KeyPair::generate_for(algorithm).unwrap();
        let id = hex(&Sha256::digest(pair.subject_public_key_info()));
        Self { pair, id }
    }

    pub fn json(&self) -> Value {
        if self.pair.algorithm() == &rcgen::PKCS_ED25519 {
            let public = hex(self.pair.public_key_raw());
            return json!({"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public}});
        }
        let public = self.pair.public_key_pem();
        json!({"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": {"public": public}})
    }

    pub fn sign(&self, signed: &Value) -> Value {
        self.sign_as(&self.id, signed)
    }

    pub fn sign_as(&self, id: &str, signed: &Value) -> Value {
        json!({"keyid": id, "sig": hex(&self.pair.sign(&canonical(signed)).unwrap())})
    }
}

/// serde_json sorts members and writes no white space; of OLPC's form that leaves the escapes.
fn canonical(value: &Value) -> Vec<u8> {
    let text = value.to_string().replace("\\n", "\n").replace("\\u0000", "\0");
    assert!(text.is_ascii() && !text.contains("\\u"));
    text.into_bytes()
}

pub fn envelope(signed: &Value, keys: &[&Key]) -> Vec<u8> {
    let signatures: Vec<_> = keys.iter().map(|key| key.sign(signed)).collect();
    with_signatures(signed, &signatures)
}

pub fn with_signatures(signed: &Value, signatures: &[Value]) -> Vec<u8> {
    json!({"signed": signed, "signatures": signatures}).to_string().into_bytes()
}

pub struct Made {
    pub keys: BTreeMap<&'static str, Key>,
    pub versions: BTreeMap<&'static str, u64>,
    pub expires: BTreeMap<&'static str, &'static str>,
    pub files: BTreeMap<String, Vec<u8>>,
    pub served: Served,
}

impl Made {
    /// A repository with one key for each role, all at version 1, published at `/tuf`.
    pub fn new() -> Self {
        let root = include_bytes!("../../data/public-sigstore-trusted-root.json");
        let made = Self {
            keys: ROLES.into_iter().map(|role| (role, Key::new())).collect(),
            versions: ROLES.into_iter().map(|role| (role, 1)).collect(),
            expires: ROLES.into_iter().map(|role| (role, LATER)).collect(),
            files: [("trusted_root.json".to_owned(), root.to_vec())].into(),
            served: Served::start(),
        };
        made.put("1.root.json", envelope(&made.root(), &[&made.keys["root"]]));
        made.publish();
        made
    }

    pub fn url(&self) -> String {
        self.served.url.clone()
    }

    pub fn put(&self, path: &str, bytes: Vec<u8>) {
        self.served.files.lock().unwrap().insert(format!("/tuf/{path}"), bytes);
    }

    pub fn served_file(&self, path: &str) -> Vec<u8> {
        self.served.files.lock().unwrap()[&format!("/tuf/{path}")].clone()
    }

    pub fn fingerprint(&self) -> String {
        hex(&Sha256::digest(self.served_file("1.root.json")))
    }

    pub fn root(&self) -> Value {
        let keys: BTreeMap<_, _> =
            self.keys.values().map(|key| (key.id.clone(), key.json())).collect();
        let roles: BTreeMap<_, _> = self
            .keys
            .iter()
            .map(|(role, key)| (*role, json!({"keyids": [key.id], "threshold": 1})))
            .collect();
        self.signed("root", json!({"consistent_snapshot": true, "keys": keys, "roles": roles}))
    }

    /// What a role signs, with its version and expiry.
    pub fn signed(&self, role: &'static str, rest: Value) -> Value {
        let mut signed = rest;
        signed["_type"] = role.into();
        signed["spec_version"] = "1.0.31".into();
        signed["version"] = self.versions[role].into();
        signed["expires"] = self.expires[role].into();
        signed
    }

    pub fn targets(&self) -> Value {
        let files: BTreeMap<_, _> = self
            .files
            .iter()
            .map(|(name, bytes)| {
                let hashes = json!({"sha256": hex(&Sha256::digest(bytes))});
                (name.clone(), json!({"length": bytes.len(), "hashes": hashes}))
            })
            .collect();
        self.signed("targets", json!({ "targets": files }))
    }

    /// Signs and serves targets, snapshot, timestamp and files as they are now.
    pub fn publish(&self) {
        for (name, bytes) in &self.files {
            self.put(&format!("targets/{}.{name}", hex(&Sha256::digest(bytes))), bytes.clone());
        }
        self.publish_targets(&self.targets());
    }

    pub fn publish_targets(&self, targets: &Value) {
        let json = envelope(targets, &[&self.keys["targets"]]);
        let meta = json!({"targets.json": self.meta("targets", &json)});
        self.put(&format!("{}.targets.json", self.versions["targets"]), json);
        self.publish_snapshot(&self.signed("snapshot", json!({ "meta": meta })));
    }

    pub fn publish_snapshot(&self, snapshot: &Value) {
        let json = envelope(snapshot, &[&self.keys["snapshot"]]);
        let meta = json!({"snapshot.json": self.meta("snapshot", &json)});
        self.put(&format!("{}.snapshot.json", self.versions["snapshot"]), json);
        let timestamp = self.signed("timestamp", json!({ "meta": meta }));
        self.put("timestamp.json", envelope(&timestamp, &[&self.keys["timestamp"]]));
    }

    pub fn meta(&self, role: &str, json: &[u8]) -> Value {
        let hashes = json!({"sha256": hex(&Sha256::digest(json))});
        json!({"version": self.versions[role], "length": json.len(), "hashes": hashes})
    }

    /// The next version of all but the root, published.
    pub fn publish_next(&mut self) {
        for role in &ROLES[1..] {
            *self.versions.get_mut(role).unwrap() += 1;
        }
        self.publish();
    }

    /// The next root, signed by the root key before and by this one's; keys may have been changed
    /// by `change`.
    pub fn publish_next_root(&mut self, change: impl FnOnce(&mut BTreeMap<&'static str, Key>)) {
        let before = self.root_key();
        change(&mut self.keys);
        *self.versions.get_mut("root").unwrap() += 1;
        let root = self.root();
        let signatures = [self.keys["root"].sign(&root), before.sign(&root)];
        self.put(
            &format!("{}.root.json", self.versions["root"]),
            with_signatures(&root, &signatures),
        );
    }

    fn root_key(&self) -> Key {
        let key = &self.keys["root"];
        let pair = KeyPair::from_pem(&key.pair.serialize_pem()).unwrap();
        Key { pair, id: key.id.clone() }
    }
}

pub struct Served {
    url: String,
    pub files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    pub asked: Arc<Mutex<Vec<String>>>,
    /// An answer without end, instead of this file.
    pub endless: Arc<Mutex<Option<String>>>,
}

impl Served {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let served =
            Self { url, files: Arc::default(), asked: Arc::default(), endless: Arc::default() };
        let (files, asked, endless) =
            (served.files.clone(), served.asked.clone(), served.endless.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &files, &asked, &endless);
            }
        });
        served
    }
}

fn answer(
    mut stream: TcpStream,
    files: &Mutex<BTreeMap<String, Vec<u8>>>,
    asked: &Mutex<Vec<String>>,
    endless: &Mutex<Option<String>>,
) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(request) = lines.next() else { return };
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    while lines.next().is_some_and(|line| !line.is_empty()) {}
    asked.lock().unwrap().push(path.clone());
    if endless.lock().unwrap().as_deref() == Some(&path) {
        _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        while stream.write_all(&[b' '; 4096]).is_ok() {}
        return;
    }
    let found = files.lock().unwrap().get(&path).cloned();
    let status = if found.is_some() { "200 OK" } else { "404 Not Found" };
    let body = found.unwrap_or_default();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
