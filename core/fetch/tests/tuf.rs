//! What went wrong in other TUF clients, tried on ours, from the first trust to the next start: the
//! repository is real, its keys are real, and it is asked over HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod repository;

use std::fs;
use std::path::Path;

use fetch::http::Http;
use fetch::named::command::{self, Order, Tool};
use fetch::named::flags::TrustUrl;
use fetch::named::{Current, Home, Name, NamedError};
use fetch::tuf::TufError;
use formats::json::JsonError;
use formats::tuf::{Role, TufFormatError};
use serde_json::{Value, json};
use verify::tuf::TufFault;

use repository::{Key, Made, NOW, PAST, envelope, hex, with_signatures};

const TOOL: Tool = Tool { name: "verifier", next: "" };

/// A user's settings, in a folder that goes with the test.
struct User {
    folder: tempfile::TempDir,
    home: Home,
}

impl User {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("paraph"));
        Self { folder, home }
    }

    async fn trust(&self, made: &Made) -> Result<(), NamedError> {
        let flags = TrustUrl {
            url: Some(made.url()),
            fingerprint: Some(made.fingerprint()),
            name: Some("made".into()),
            no_default: false,
        };
        command::run(TOOL, &Order::Trust(&flags), &self.home, NOW).await.map(|_| ())
    }

    /// Each call is a new start: everything is read back.
    async fn update(&self) -> Result<Current, NamedError> {
        self.home.open(&name())?.update(&Http::new(), NOW).await
    }

    fn offline(&self) -> Result<Current, NamedError> {
        self.home.open(&name())?.offline(NOW)
    }

    /// Everything that is stored, by path.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        collect(self.folder.path(), &mut found);
        found.sort();
        found
    }
}

fn collect(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.push((path.to_string_lossy().into_owned(), fs::read(&path).unwrap()));
        }
    }
}

fn name() -> Name {
    Name::parse("made").unwrap()
}

#[track_caller]
fn fault<T>(outcome: Result<T, NamedError>) -> TufFault {
    match outcome.err().expect("it was accepted") {
        NamedError::Tuf {
            fault: TufError::Fault { fault, .. } | TufError::Held(fault), ..
        } => fault,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn what_is_trusted_once_is_kept_up_to_date() {
    let (user, mut made) = (User::new(), Made::new());
    user.trust(&made).await.unwrap();
    assert_eq!(user.home.default_name().unwrap(), Some(name()));
    let held = user.offline().unwrap();
    assert_eq!(held.contents.file("trusted_root.json"), Some(&*made.files["trusted_root.json"]));
    assert_eq!(held.trusted_root().unwrap().logs.len(), 2);

    made.publish_next_root(|keys| _ = keys.insert("timestamp", Key::new()));
    made.files.insert("signing_config.v0.2.json".into(), b"{}".to_vec());
    made.publish_next();
    let current = user.update().await.unwrap();
    assert_eq!((current.contents.root_version, current.contents.timestamp_version), (2, 2));
    assert_eq!(user.offline().unwrap().contents.file("signing_config.v0.2.json"), Some(&b"{}"[..]));

    // Nothing new costs two requests: is there a next root, and which snapshot.
    made.served.asked.lock().unwrap().clear();
    user.update().await.unwrap();
    assert_eq!(*made.served.asked.lock().unwrap(), ["/tuf/3.root.json", "/tuf/timestamp.json"]);
}

#[tokio::test]
async fn another_fingerprint_is_another_root() {
    let (user, made) = (User::new(), Made::new());
    let flags = TrustUrl {
        url: Some(made.url()),
        fingerprint: Some("0".repeat(64)),
        name: None,
        no_default: false,
    };
    let refused = command::run(TOOL, &Order::Trust(&flags), &user.home, NOW).await.unwrap_err();
    assert_eq!(refused.code(), "fingerprint");
    assert!(refused.to_string().contains(&made.fingerprint()), "{refused}");
    assert_eq!(user.files(), []);
    // Without one, and without a terminal, nobody has compared anything.
    let flags = TrustUrl { fingerprint: None, ..flags };
    let refused = command::run(TOOL, &Order::Trust(&flags), &user.home, NOW).await.unwrap_err();
    let found = made.fingerprint();
    assert_eq!(refused, NamedError::NotCompared { url: format!("{}/", made.url()), found });
    assert_eq!(user.files(), []);
}

#[tokio::test]
async fn a_later_root_can_be_pinned() {
    let (user, mut made) = (User::new(), Made::new());
    // The first one is of a form that nobody reads any more.
    made.put("1.root.json", b"{}".to_vec());
    made.versions.insert("root", 2);
    let root = envelope(&made.root(), &[&made.keys["root"]]);
    let fingerprint = hex(&<sha2::Sha256 as sha2::Digest>::digest(&root));
    made.put("2.root.json", root);
    let flags = TrustUrl {
        url: Some(format!("{}/tuf", made.url())),
        fingerprint: Some(fingerprint),
        name: Some("made".into()),
        no_default: true,
    };
    command::run(TOOL, &Order::Trust(&flags), &user.home, NOW).await.unwrap();
    assert_eq!(user.offline().unwrap().contents.root_version, 2);
    assert_eq!(user.home.default_name().unwrap(), None);
    // The same mirror, trusted by the first root, is refused for what that root is.
    let refused = user.trust(&made).await;
    let expected = TufFormatError::Json { role: Role::Root, fault: missing("signed") };
    assert_eq!(fault(refused), expected.into());
}

#[tokio::test]
async fn roots_never_take_each_others_name() {
    let (user, one, other) = (User::new(), Made::new(), Made::new());
    user.trust(&one).await.unwrap();
    let before = user.files();
    let taken = NamedError::Taken { name: "made".into(), url: format!("{}/", one.url()) };
    assert_eq!(user.trust(&other).await, Err(taken));
    assert_eq!(user.files(), before);
    user.trust(&one).await.unwrap();
    user.home.remove(&name()).unwrap();
    assert_eq!(user.home.default_name(), Ok(None));
    user.trust(&other).await.unwrap();
}

#[tokio::test]
async fn threshold_of_distinct_keys() {
    let sign = |made: &Made, root: &Value, signatures: &[Value]| {
        made.put("1.root.json", with_signatures(root, signatures));
    };
    let not_signed = |valid| TufFault::NotSigned { role: Role::Root, root: 1, needed: 2, valid };
    let made = Made::new();
    let (first, second) = (&made.keys["root"], Key::of(&rcgen::PKCS_ED25519));
    let mut root = made.root();
    root["keys"][&second.id] = second.json();
    root["roles"]["root"] = json!({"keyids": [first.id, second.id], "threshold": 2});
    sign(&made, &root, &[first.sign(&root), second.sign(&root)]);
    assert_eq!(User::new().trust(&made).await, Ok(()));
    // One key that signed twice.
    sign(&made, &root, &[first.sign(&root), first.sign(&root)]);
    assert_eq!(fault(User::new().trust(&made).await), not_signed(1));
    // One that has not signed yet, as the public Sigstore leaves its place.
    let place = json!({"keyid": second.id, "sig": ""});
    sign(&made, &root, &[first.sign(&root), place]);
    assert_eq!(fault(User::new().trust(&made).await), not_signed(1));
    // A signature of the second key under the first one's id, and a key that the role does not have.
    sign(&made, &root, &[first.sign(&root), second.sign_as(&first.id, &root)]);
    assert_eq!(fault(User::new().trust(&made).await), not_signed(1));
    sign(&made, &root, &[first.sign(&root), made.keys["targets"].sign(&root)]);
    assert_eq!(fault(User::new().trust(&made).await), not_signed(1));
    // One key under two ids.
    root["keys"]["alias"] = first.json();
    root["roles"]["root"] = json!({"keyids": [first.id, "alias"], "threshold": 2});
    sign(&made, &root, &[first.sign(&root), first.sign_as("alias", &root)]);
    assert_eq!(fault(User::new().trust(&made).await), not_signed(1));
    // One id twice in the role.
    root["roles"]["root"] = json!({"keyids": [first.id, first.id], "threshold": 2});
    sign(&made, &root, &[first.sign(&root), first.sign(&root)]);
    let twice = TufFormatError::KeyTwice { role: Role::Root };
    assert_eq!(fault(User::new().trust(&made).await), twice.into());
}

#[tokio::test]
async fn root_steps_by_one() {
    let (user, mut made) = (User::new(), Made::new());
    user.trust(&made).await.unwrap();
    let before = user.files();
    let (old, new) = (Key::new(), Key::new());
    let old = std::mem::replace(made.keys.get_mut("root").unwrap(), old);

    // Version 3 where version 2 must stand.
    made.versions.insert("root", 3);
    let root = made.root();
    made.put("2.root.json", envelope(&root, &[&old, &made.keys["root"]]));
    let skipped = TufFault::RootVersion { expected: 2, found: 3 };
    assert_eq!(fault(user.update().await), skipped);
    assert_eq!(user.files(), before);

    // Signed by the old key alone, by the new one alone, by a third.
    made.versions.insert("root", 2);
    let root = made.root();
    let new_root = &made.keys["root"];
    for (keys, by) in [(vec![&old], 2), (vec![new_root], 1), (vec![&new, new_root], 1)] {
        made.put("2.root.json", envelope(&root, &keys));
        let half = TufFault::NotSigned { role: Role::Root, root: by, needed: 1, valid: 0 };
        assert_eq!(fault(user.update().await), half);
        // After a restart, the old root is still the one that is trusted.
        assert_eq!(user.files(), before);
        assert_eq!(user.offline().unwrap().contents.root_version, 1);
    }
    made.put("2.root.json", envelope(&root, &[&old, new_root]));
    assert_eq!(user.update().await.unwrap().contents.root_version, 2);
}

#[tokio::test]
async fn rollback_and_freeze() {
    let (user, mut made) = (User::new(), Made::new());
    user.trust(&made).await.unwrap();
    let first = made.served_file("timestamp.json");
    made.publish_next();
    user.update().await.unwrap();
    let before = user.files();

    // An older timestamp; a newer one that names an older snapshot; a newer snapshot that names
    // older targets.
    made.put("timestamp.json", first);
    let rollback = |role, held, found| TufFault::Rollback { role, held, found };
    assert_eq!(fault(user.update().await), rollback(Role::Timestamp, 2, 1));
    made.versions.extend([("timestamp", 3), ("snapshot", 1), ("targets", 2)]);
    made.publish();
    assert_eq!(fault(user.update().await), rollback(Role::Snapshot, 2, 1));
    made.versions.extend([("timestamp", 3), ("snapshot", 3), ("targets", 1)]);
    made.publish();
    assert_eq!(fault(user.update().await), rollback(Role::Targets, 2, 1));
    // Nothing was stored, so that the next start refuses it too.
    assert_eq!(user.files(), before);
    assert_eq!(fault(user.update().await), rollback(Role::Targets, 2, 1));

    // Frozen: each of the roles, past its end.
    made.versions.extend([("timestamp", 3), ("snapshot", 3), ("targets", 3)]);
    for (role, name) in
        [(Role::Timestamp, "timestamp"), (Role::Snapshot, "snapshot"), (Role::Targets, "targets")]
    {
        let lives = made.expires.insert(name, PAST).unwrap();
        made.publish();
        let expired = TufFault::Expired { role, version: 3, since: NOW };
        assert_eq!(fault(user.update().await), expired);
        assert_eq!(user.files(), before);
        made.expires.insert(name, lives);
    }
    made.publish();
    user.update().await.unwrap();

    // Expiry binds what is held, too: the root's without exception.
    let end = user.offline().unwrap().contents.lives_until;
    let root = user.home.open(&name()).unwrap();
    assert!(root.offline(end - 1).is_ok());
    let since = end;
    let expired = TufFault::Expired { role: Role::Root, version: 1, since };
    assert_eq!(fault(root.offline(end)), expired);
    assert_eq!(fault(root.current(&Http::new(), end).await), expired);
}

/// A timestamp that has ended says that nobody may call the rest the newest any more. Whoever is
/// offline knows that; whoever is not must be told.
#[tokio::test]
async fn a_repository_that_is_silent_is_gone_on_without_until_the_timestamp_ends() {
    let (user, mut made) = (User::new(), Made::new());
    made.expires.insert("timestamp", "2027-01-15T09:00:00Z");
    made.publish();
    user.trust(&made).await.unwrap();
    let hour = NOW + 3600;
    let state = fs::read_to_string(user.home.path().join("trust/made/state.json")).unwrap();
    made.served.files.lock().unwrap().clear();
    made.served.asked.lock().unwrap().clear();

    let http = Http::new();
    let root = user.home.open(&name()).unwrap();
    // New enough not to be asked for; then asked for in vain.
    assert!(root.current(&http, NOW + 1799).await.unwrap().unreached.is_none());
    assert_eq!(made.served.asked.lock().unwrap().len(), 0);
    let current = root.current(&http, NOW + 1800).await.unwrap();
    assert!(matches!(current.unreached, Some(TufError::Http(_))));
    assert!(root.current(&http, hour - 1).await.is_ok());
    let stale = root.current(&http, hour).await.unwrap_err();
    assert_eq!(stale.code(), "trust-stale");
    assert!(stale.to_string().contains("2027-01-15T09:00:00Z"), "{stale}");
    made.served.asked.lock().unwrap().clear();
    assert!(root.offline(hour).is_ok());
    // A clock that went back does not make anything new.
    assert!(root.at_hand(NOW - 1).is_none());
    assert_eq!(made.served.asked.lock().unwrap().len(), 0);
    let after = fs::read_to_string(user.home.path().join("trust/made/state.json")).unwrap();
    assert_eq!(after, state);
}

#[tokio::test]
async fn delegations_not_followed() {
    let (user, mut made) = (User::new(), Made::new());
    let bytes = made.files.remove("trusted_root.json").unwrap();
    let role = Key::new();
    let delegations = |next: &str| {
        json!({
            "keys": { &role.id: role.json() },
            "roles": [{
                "name": next, "keyids": [role.id], "threshold": 1, "terminating": true,
                "paths": ["*"],
            }],
        })
    };
    let digest = hex(&<sha2::Sha256 as sha2::Digest>::digest(&bytes));
    let listed = json!({"length": bytes.len(), "hashes": {"sha256": digest}});
    // The file is only in a delegated role, and the roles lead to each other in a circle.
    let mut delegated = made.signed("targets", json!({ "delegations": delegations("one") }));
    delegated["targets"]["trusted_root.json"] = listed;
    made.put("1.one.json", envelope(&delegated, &[&role]));
    made.put(&format!("targets/{digest}.trusted_root.json"), bytes.clone());
    let mut top = made.targets();
    top["delegations"] = delegations("one");
    made.publish_targets(&top);
    let refused = user.trust(&made).await.unwrap_err();
    let not_listed = TufError::NotListed { name: "trusted_root.json" };
    assert!(matches!(refused, NamedError::Tuf { fault, .. } if fault == not_listed));
    assert!(!made.served.asked.lock().unwrap().iter().any(|path| path.contains("one")));
    assert_eq!(user.files(), []);
    // The same file, listed at the top beside the delegation.
    made.files.insert("trusted_root.json".into(), bytes);
    let mut top = made.targets();
    top["delegations"] = delegations("one");
    made.publish_targets(&top);
    user.trust(&made).await.unwrap();
}

#[tokio::test]
async fn target_names_are_not_paths() {
    let (user, mut made) = (User::new(), Made::new());
    let names =
        ["../../x", "/x", "C:\\x", "a%2f..", "..", "a\0b", "blobs", "instance.json", "../default"];
    for name in names {
        made.files.insert(name.into(), name.as_bytes().to_vec());
    }
    made.publish();
    user.trust(&made).await.unwrap();
    // Only what is looked for is got, and a file is called by its digest.
    let asked = made.served.asked.lock().unwrap().clone();
    let files = asked.iter().filter(|path| path.contains("/targets/")).count();
    assert_eq!(files, 1, "{asked:?}");
    let folder = user.home.path().join("trust/made");
    let expected = ["blobs", "instance.json", "lock", "state.json"];
    let mut found: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, expected);
    for entry in fs::read_dir(folder.join("blobs")).unwrap() {
        let path = entry.unwrap().path();
        let digest = hex(&<sha2::Sha256 as sha2::Digest>::digest(fs::read(&path).unwrap()));
        assert_eq!(path.file_name().unwrap().to_str(), Some(&*digest));
    }
    assert_eq!(fs::read_dir(user.folder.path()).unwrap().count(), 1);
    #[cfg(unix)]
    for folder in [user.home.path(), &folder, &folder.join("blobs")] {
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(folder).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
    }
}

#[tokio::test]
async fn tuf_metadata_bounded_and_sane() {
    // An endless timestamp stops at the cap.
    let made = Made::new();
    *made.served.endless.lock().unwrap() = Some("/tuf/timestamp.json".into());
    let refused = User::new().trust(&made).await.unwrap_err();
    assert!(refused.to_string().contains("more than 16384 bytes"), "{refused}");
    *made.served.endless.lock().unwrap() = None;
    // A file of another length than was signed stops there.
    let digest = hex(&<sha2::Sha256 as sha2::Digest>::digest(&made.files["trusted_root.json"]));
    let path = format!("targets/{digest}.trusted_root.json");
    let good = made.served_file(&path);
    made.put(&path, [&good[..], b" "].concat());
    let refused = User::new().trust(&made).await.unwrap_err();
    assert!(refused.to_string().contains(&format!("more than {} bytes", good.len())), "{refused}");
    let mut other = good.clone();
    other[0] ^= 1;
    made.put(&path, other);
    let digest = TufFault::Digest { name: "trusted_root.json".into() };
    assert_eq!(fault(User::new().trust(&made).await), digest);
    made.put(&path, good);
    assert_eq!(User::new().trust(&made).await, Ok(()));

    // Hashes without a hash, and with a weak one alone.
    let file = "trusted_root.json";
    for hashes in [json!({}), json!({"md5": "d41d8cd98f00b204e9800998ecf8427e"})] {
        let mut targets = made.targets();
        targets["targets"][file]["hashes"] = hashes;
        made.publish_targets(&targets);
        let weak = TufFormatError::NoStrongHash { role: Role::Targets, file: file.into() };
        assert_eq!(fault(User::new().trust(&made).await), weak.into());
    }
    made.publish();

    // Thresholds that anybody passes, or nobody.
    for threshold in [0, -1, 2] {
        let mut root = made.root();
        root["roles"]["targets"]["threshold"] = threshold.into();
        let role = Role::Targets;
        assert_eq!(
            fault(with_root(&root).await),
            TufFormatError::Threshold { role, threshold, keys: 1 }.into()
        );
    }
    let mut root = made.root();
    root["roles"].as_object_mut().unwrap().remove("timestamp");
    let none = TufFormatError::NoRole { role: Role::Timestamp };
    assert_eq!(fault(with_root(&root).await), none.into());
    let mut root = made.root();
    root["consistent_snapshot"] = false.into();
    assert_eq!(fault(with_root(&root).await), TufFormatError::NotConsistent.into());
    let mut root = made.root();
    root["_type"] = "targets".into();
    let other = TufFormatError::OtherType { role: Role::Root, found: "targets".into() };
    assert_eq!(fault(with_root(&root).await), other.into());
    let mut root = made.root();
    root["expires"] = "2027-03-01T00:00:00.5Z".into();
    let text = "2027-03-01T00:00:00.5Z".into();
    let expires = TufFormatError::Expires { role: Role::Root, text };
    assert_eq!(fault(with_root(&root).await), expires.into());
    let mut root = made.root();
    root["version"] = 0.into();
    let zero = TufFormatError::VersionZero { role: Role::Root };
    assert_eq!(fault(with_root(&root).await), zero.into());

    // Nothing that was signed, and a hundred thousand signatures of it.
    assert_eq!(
        fault(with_file(br#"{"signed":null,"signatures":[]}"#.to_vec()).await),
        TufFormatError::Json { role: Role::Root, fault: null_is_no_struct() }.into()
    );
    let root = made.root();
    let signature = made.keys["root"].sign(&root);
    let many = vec![signature; 65];
    assert_eq!(
        fault(with_file(with_signatures(&root, &many)).await),
        TufFormatError::TooManySignatures { role: Role::Root, count: 65 }.into()
    );
    let short = vec![json!({"keyid": "", "sig": ""}); 15_000];
    assert_eq!(
        fault(with_file(with_signatures(&root, &short)).await),
        TufFormatError::TooManySignatures { role: Role::Root, count: 15_000 }.into()
    );
    let endless = with_signatures(&root, &vec![json!({"keyid": "", "sig": ""}); 100_000]);
    let refused = with_file(endless).await.unwrap_err();
    assert!(refused.to_string().contains("more than 524288 bytes"), "{refused}");
    // One name twice, of which another reader takes the other.
    let twice = br#"{"signed":{},"signed":{},"signatures":[]}"#.to_vec();
    let twice_fault = JsonError::DuplicateMember { name: "signed".into() };
    assert_eq!(
        fault(with_file(twice).await),
        TufFormatError::Json { role: Role::Root, fault: twice_fault }.into()
    );
}

async fn with_root(root: &Value) -> Result<(), NamedError> {
    let made = Made::new();
    with_file(envelope(root, &[&made.keys["root"]])).await
}

/// Trusts a repository whose first root is this file, by its fingerprint.
async fn with_file(root: Vec<u8>) -> Result<(), NamedError> {
    let made = Made::new();
    made.put("1.root.json", root);
    User::new().trust(&made).await
}

fn missing(member: &str) -> JsonError {
    JsonError::Schema { message: format!("missing field `{member}` at line 1 column 2") }
}

fn null_is_no_struct() -> JsonError {
    JsonError::Schema {
        message: "signed: invalid type: null, expected struct WireHeader at line 1 column 14"
            .into(),
    }
}
