//! The repository as clients see it: read by tough's own client wherever one would, on a clock
//! that the test moves.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use reqwest::Url;
use time::OffsetDateTime;
use tough::schema::RoleType;
use tough::{ExpirationEnforcement, RepositoryLoader};

use super::config::DAY_SECONDS;
use super::keys::Keyring;
use super::publish::{missing_targets, plan, update};
use super::repository::{Repository, Write, write_all};
use super::serve::Shelf;
use super::targets::{TargetFile, published};
use super::{TufError, fingerprint, first_root, folder, offline, publish, renew, rotate};
use crate::ceremony::{self, Plan};
use crate::config::{FILE_NAME, Urls};
use crate::instance::Instance;
use crate::keys::Role;
use crate::trust::TrustFiles;

/// An instance folder, not yet published.
struct Bench {
    folder: tempfile::TempDir,
    born: i64,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let born = OffsetDateTime::now_utc().unix_timestamp();
        let base = "http://localhost:8700".to_owned();
        let urls = Urls {
            log: base.clone(),
            ct: format!("{base}/ct"),
            tsa: format!("{base}/api/v1/timestamp"),
            ca: base,
            tuf: None,
        };
        let plan = Plan {
            name: "Test".to_owned(),
            address: "127.0.0.1:8700".parse().unwrap(),
            urls,
            development: false,
        };
        let bench = Self { folder, born };
        // The certificates start before every moment that a test asks about.
        let then = OffsetDateTime::from_unix_timestamp(born - 40 * DAY_SECONDS).unwrap();
        ceremony::init(&bench.dir(), &plan, then).unwrap();
        TrustFiles::of(&bench.instance(), None).write(&bench.instance().public()).unwrap();
        bench
    }

    fn published(now: impl Fn(i64) -> i64) -> Self {
        let bench = Self::new();
        publish(&bench.instance(), now(bench.born)).unwrap();
        bench
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("instance")
    }

    fn instance(&self) -> Instance {
        Instance::open(&self.dir(), self.born).unwrap()
    }

    fn repository(&self) -> Repository {
        Repository::read(&folder(&self.dir())).unwrap().unwrap()
    }

    /// Root, targets, snapshot, timestamp.
    fn versions(&self) -> [u64; 4] {
        let repository = self.repository();
        let current = repository.current.as_ref().unwrap();
        [
            repository.root().version.get(),
            current.targets.role.version.get(),
            current.snapshot.role.version.get(),
            current.timestamp.role.version.get(),
        ]
    }

    /// Adds a table to ca.toml.
    fn configure(&self, text: &str) {
        let path = self.dir().join(FILE_NAME);
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}\n{text}\n")).unwrap();
    }

    fn files(&self, now: i64) -> Vec<TargetFile> {
        published(&self.instance().public(), now).unwrap()
    }

    fn plan(&self, files: Option<&[TargetFile]>, now: i64) -> Vec<Write> {
        let config = self.instance().config.tuf;
        let repository = Repository::read(&folder(&self.dir())).unwrap();
        let root = repository.as_ref().map(Repository::root);
        let keyring = Keyring::read(&self.dir(), &config, root).unwrap();
        let mut writes = missing_targets(&folder(&self.dir()), files.unwrap_or_default());
        writes.extend(plan(repository.as_ref(), &config, &keyring, files, now).unwrap());
        writes
    }
}

/// What a client that knows `root` makes of a repository: the bytes of the trust root.
async fn client(root: &[u8], folder: &Path) -> Result<Vec<u8>, tough::error::Error> {
    client_that(ExpirationEnforcement::Safe, root, folder).await
}

async fn client_that(
    expiry: ExpirationEnforcement,
    root: &[u8],
    folder: &Path,
) -> Result<Vec<u8>, tough::error::Error> {
    let url = |path: &Path| Url::from_directory_path(path).unwrap();
    let repository = RepositoryLoader::new(&root, url(folder), url(&folder.join("targets")))
        .expiration_enforcement(expiry)
        .load()
        .await?;
    let name = tough::TargetName::new("trusted_root.json").unwrap();
    let stream = repository.read_target(&name).await?.expect("the trust root is a target");
    tough::IntoVec::into_vec(stream).await
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("targets")).unwrap();
    for below in ["", "targets"] {
        for entry in fs::read_dir(from.join(below)).unwrap().map(Result::unwrap) {
            if entry.path().is_file() {
                fs::copy(entry.path(), to.join(below).join(entry.file_name())).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_client_follows_from_the_first_root() {
    let bench = Bench::published(|born| born);
    let root = first_root(&bench.dir()).unwrap();
    let served = client(&root, &folder(&bench.dir())).await.unwrap();
    assert_eq!(served, fs::read(bench.dir().join("public/trusted_root.json")).unwrap());

    let stranger = Bench::published(|born| born);
    let other = first_root(&stranger.dir()).unwrap();
    assert!(client(&other, &folder(&bench.dir())).await.is_err(), "another instance's root");
    assert_ne!(fingerprint(&bench.dir()).unwrap(), fingerprint(&stranger.dir()).unwrap());
}

#[tokio::test]
async fn what_expired_while_the_server_was_down_is_renewed_at_its_start() {
    let bench = Bench::published(|born| born - 8 * DAY_SECONDS);
    let root = first_root(&bench.dir()).unwrap();
    let refused = client(&root, &folder(&bench.dir())).await;
    assert!(matches!(
        refused,
        Err(tough::error::Error::ExpiredMetadata { role: RoleType::Timestamp, .. })
    ));
    publish(&bench.instance(), bench.born).unwrap();
    client(&root, &folder(&bench.dir())).await.unwrap();
    assert_eq!(bench.versions(), [1, 1, 2, 2], "the snapshot had aged too, the targets had not");
}

#[test]
fn each_role_is_renewed_when_a_quarter_of_its_life_is_over() {
    let bench = Bench::published(|born| born);
    let day = |days: i64| bench.born + days * DAY_SECONDS;
    let mut seen = Vec::new();
    for (now, name) in [
        (day(0), "at once"),
        (day(1) + DAY_SECONDS / 2, "timestamp not yet due"),
        (day(1) + DAY_SECONDS * 3 / 4, "timestamp due"),
        (day(5) + DAY_SECONDS / 4, "snapshot due"),
        (day(22) + DAY_SECONDS / 2, "targets due"),
        (day(183), "root due"),
    ] {
        renew(&bench.instance(), now).unwrap();
        seen.push((name, bench.versions()));
    }
    assert_eq!(
        seen,
        [
            ("at once", [1, 1, 1, 1]),
            ("timestamp not yet due", [1, 1, 1, 1]),
            ("timestamp due", [1, 1, 1, 2]),
            ("snapshot due", [1, 1, 2, 3]),
            ("targets due", [1, 2, 3, 4]),
            ("root due", [2, 3, 4, 5]),
        ]
    );
}

#[test]
fn nothing_is_written_when_nothing_changed() {
    let bench = Bench::published(|born| born);
    let now = bench.born + 60;
    assert!(bench.plan(Some(&bench.files(now)), now).is_empty());
    bench.configure("[tuf.timestamp]\ndays = 1");
    let renewed = bench.plan(Some(&bench.files(now)), now);
    assert_eq!(renewed.len(), 1, "a shorter life in ca.toml holds at once");
    assert_eq!(renewed[0].path, Path::new("timestamp.json"));
}

/// A machine stops after each of the writes of a publication. A client that walks from the first
/// root is served the old or the new state, whole, and the next start completes the new one.
#[tokio::test]
async fn a_stop_between_any_two_writes_leaves_a_repository_that_clients_accept() {
    for (scenario, now) in [("new targets", 0), ("everything is renewed", 200 * DAY_SECONDS)] {
        let bench = Bench::published(|born| born);
        let now = bench.born + now;
        let mut files = bench.files(now);
        if scenario == "new targets" {
            files[0].bytes.push(b' ');
        }
        let files = Some(&files[..]);
        let root = first_root(&bench.dir()).unwrap();
        let writes = bench.plan(files, now);
        assert!(writes.len() >= 4, "{scenario}: each role is written");
        let before = bench.versions();
        let kept = bench.folder.path().join("kept");
        copy(&folder(&bench.dir()), &kept);
        for stopped in 0..=writes.len() {
            fs::remove_dir_all(folder(&bench.dir())).unwrap();
            copy(&kept, &folder(&bench.dir()));
            write_all(&folder(&bench.dir()), &writes[..stopped]).unwrap();
            // The moved clock is ours alone: to the client nothing has expired.
            client(&root, &folder(&bench.dir()))
                .await
                .unwrap_or_else(|error| panic!("{scenario}, {stopped} writes: {error}"));
            update(&bench.dir(), &bench.instance().config.tuf, files, now).unwrap();
            client(&root, &folder(&bench.dir())).await.unwrap();
            let after = bench.versions();
            assert!(after[1..].iter().zip(&before[1..]).all(|(new, old)| *new == old + 1));
            assert!(bench.plan(files, now).is_empty(), "{scenario}, {stopped} writes: complete");
        }
    }
}

#[tokio::test]
async fn a_stop_while_it_is_born_is_made_good() {
    let bench = Bench::new();
    let files = bench.files(bench.born);
    super::repository::Lock::take(&folder(&bench.dir())).unwrap();
    let writes = bench.plan(Some(&files), bench.born);
    let empty = bench.folder.path().join("empty");
    copy(&folder(&bench.dir()), &empty);
    for stopped in 0..writes.len() {
        fs::remove_dir_all(folder(&bench.dir())).unwrap();
        copy(&empty, &folder(&bench.dir()));
        write_all(&folder(&bench.dir()), &writes[..stopped]).unwrap();
        publish(&bench.instance(), bench.born).unwrap();
        let root = first_root(&bench.dir()).unwrap();
        client(&root, &folder(&bench.dir())).await.unwrap();
    }
}

/// `served_root_equals_running_keys`, for the keys of the repository itself.
#[test]
fn keys_that_are_not_the_roots_are_refused() {
    let bench = Bench::published(|born| born);
    for role in [Role::Tuf, Role::TufRoot] {
        let path = role.path(&bench.dir());
        let aside = bench.folder.path().join("aside.pem");
        fs::rename(&path, &aside).unwrap();
        ceremony::add_key(&bench.dir(), role).unwrap();
        let swapped = publish(&bench.instance(), bench.born);
        match role {
            Role::Tuf => assert!(matches!(swapped, Err(TufError::NotOurRoot { .. }))),
            // A root key that no root names signs nothing; the one it names may be elsewhere.
            _ => assert!(swapped.is_ok()),
        }
        fs::rename(&aside, &path).unwrap();
        publish(&bench.instance(), bench.born).unwrap();
    }
    assert_eq!(bench.versions(), [1, 1, 1, 1]);

    fs::copy(Role::Ct.path(&bench.dir()), Role::Tuf.path(&bench.dir())).unwrap();
    let shared = publish(&bench.instance(), bench.born);
    assert!(matches!(shared, Err(TufError::SharedKey { role: RoleType::Targets })));
}

#[test]
fn a_threshold_that_ca_toml_changed_waits_for_a_root() {
    let bench = Bench::published(|born| born);
    ceremony::add_key(&bench.dir(), Role::TufRoot).unwrap_err();
    let second = bench.dir().join("keys/tuf-second.pem");
    let first = Role::TufRoot.path(&bench.dir());
    let aside = bench.dir().join("keys/aside.pem");
    fs::rename(&first, &aside).unwrap();
    ceremony::add_key(&bench.dir(), Role::TufRoot).unwrap();
    fs::rename(&first, &second).unwrap();
    fs::rename(&aside, &first).unwrap();

    bench.configure(
        "[tuf.root]\nkeys = [\"keys/tuf-root.pem\", \"keys/tuf-second.pem\"]\nthreshold = 2",
    );
    let refused = publish(&bench.instance(), bench.born);
    assert!(matches!(refused, Err(TufError::NotOurRoot { .. })));
    assert_eq!(bench.versions(), [1, 1, 1, 1]);
    assert_eq!(offline::advance(&bench.instance(), bench.born).unwrap().get(), 2);
    publish(&bench.instance(), bench.born).unwrap();
    assert_eq!(bench.versions(), [2, 1, 1, 1]);

    // One of the two is carried away: nothing renews the root any more, and it can be signed there.
    fs::rename(&second, bench.folder.path().join("second.pem")).unwrap();
    let gone = publish(&bench.instance(), bench.born);
    assert!(matches!(gone, Err(TufError::File { .. })), "ca.toml names a file that is not there");
}

#[tokio::test]
async fn a_root_is_signed_elsewhere() {
    let bench = Bench::published(|born| born);
    let trusted = first_root(&bench.dir()).unwrap();
    let elsewhere = bench.folder.path().join("tuf-root.pem");
    fs::rename(Role::TufRoot.path(&bench.dir()), &elsewhere).unwrap();
    let now = bench.born + 200 * DAY_SECONDS;
    publish(&bench.instance(), now).unwrap();
    assert_eq!(bench.versions()[0], 1, "its key is not here");

    let instance = bench.instance();
    let exported = offline::export(&instance, now).unwrap();
    let unsigned = offline::import(&instance, &exported, now);
    assert!(matches!(unsigned, Err(TufError::Unsigned { role: RoleType::Root, .. })));
    let by_a_stranger = offline::sign(&exported, &Role::Log.path(&bench.dir())).unwrap();
    let stranger = offline::import(&instance, &by_a_stranger, now);
    assert!(matches!(stranger, Err(TufError::Unsigned { role: RoleType::Root, .. })));

    let signed = offline::sign(&exported, &elsewhere).unwrap();
    let late = offline::import(&instance, &signed, now + 365 * DAY_SECONDS);
    assert!(matches!(late, Err(TufError::RootExpired)));
    assert_eq!(bench.versions()[0], 1, "what was refused changed nothing");
    assert_eq!(offline::import(&instance, &signed, now).unwrap().get(), 2);
    let again = offline::import(&instance, &signed, now);
    assert!(matches!(again, Err(TufError::RootVersion { .. })), "no root is published twice");
    client(&trusted, &folder(&bench.dir())).await.unwrap();
}

#[test]
fn an_imported_root_must_name_the_keys_of_this_folder() {
    let bench = Bench::published(|born| born);
    let instance = bench.instance();
    let exported = offline::export(&instance, bench.born).unwrap();
    let aside = bench.dir().join("keys/tuf-old.pem");
    fs::rename(Role::Tuf.path(&bench.dir()), aside).unwrap();
    ceremony::add_key(&bench.dir(), Role::Tuf).unwrap();
    let stale = offline::import(&instance, &exported, bench.born);
    assert!(matches!(stale, Err(TufError::AnotherRoot)));
}

/// The old key lies beside the new one: what is signed by both is there before the root that
/// names the new one, and a client gets through wherever the machine stops.
#[tokio::test]
async fn a_replaced_online_key_is_followed_by_clients() {
    let bench = Bench::published(|born| born);
    let trusted = first_root(&bench.dir()).unwrap();
    let old = bench.dir().join("keys/tuf-old.pem");
    fs::rename(Role::Tuf.path(&bench.dir()), &old).unwrap();
    ceremony::add_key(&bench.dir(), Role::Tuf).unwrap();
    let kept = bench.folder.path().join("kept");
    copy(&folder(&bench.dir()), &kept);
    assert_eq!(offline::advance(&bench.instance(), bench.born).unwrap().get(), 2);
    let done = bench.folder.path().join("done");
    copy(&folder(&bench.dir()), &done);
    client(&trusted, &done).await.unwrap();
    assert_eq!(bench.versions(), [2, 2, 2, 2]);

    // All but the new root: its write is the last one.
    fs::remove_file(folder(&bench.dir()).join("2.root.json")).unwrap();
    client(&trusted, &folder(&bench.dir())).await.unwrap();
    assert_eq!(offline::advance(&bench.instance(), bench.born).unwrap().get(), 2);
    client(&trusted, &folder(&bench.dir())).await.unwrap();

    // Without the old key the root comes first, and a start signs the rest.
    fs::remove_dir_all(folder(&bench.dir())).unwrap();
    copy(&kept, &folder(&bench.dir()));
    fs::remove_file(&old).unwrap();
    assert_eq!(offline::advance(&bench.instance(), bench.born).unwrap().get(), 2);
    client(&trusted, &folder(&bench.dir())).await.unwrap();
    let new_root = fs::read(folder(&bench.dir()).join("2.root.json")).unwrap();
    fs::remove_dir_all(folder(&bench.dir())).unwrap();
    copy(&kept, &folder(&bench.dir()));
    fs::write(folder(&bench.dir()).join("2.root.json"), new_root).unwrap();
    publish(&bench.instance(), bench.born).unwrap();
    assert_eq!(bench.versions(), [2, 2, 2, 2]);
    client(&trusted, &folder(&bench.dir())).await.unwrap();
}

#[tokio::test]
async fn a_replaced_root_key_is_followed_by_clients() {
    let bench = Bench::published(|born| born);
    let trusted = first_root(&bench.dir()).unwrap();
    let path = Role::TufRoot.path(&bench.dir());
    let aside = bench.dir().join("keys/tuf-root-old.pem");
    fs::rename(&path, &aside).unwrap();
    ceremony::add_key(&bench.dir(), Role::TufRoot).unwrap();
    assert_eq!(offline::replace_root_key(&bench.instance(), bench.born).unwrap().get(), 2);
    fs::remove_file(&aside).unwrap();
    publish(&bench.instance(), bench.born).unwrap();
    assert_eq!(offline::advance(&bench.instance(), bench.born).unwrap().get(), 3);
    client(&trusted, &folder(&bench.dir())).await.unwrap();
}

#[tokio::test]
async fn rotated_keys_are_followed_by_clients() {
    let bench = Bench::published(|born| born);
    let (dir, trusted) = (bench.dir(), first_root(&bench.dir()).unwrap());
    let before = [Role::TufRoot, Role::Tuf].map(|role| fs::read(role.path(&dir)).unwrap());
    rotate::rotate(&bench.instance(), bench.born).unwrap();
    let after = [Role::TufRoot, Role::Tuf].map(|role| fs::read(role.path(&dir)).unwrap());
    assert!(before[0] != after[0] && before[1] != after[1], "both keys are new");
    client(&trusted, &folder(&dir)).await.unwrap();

    // Nothing needs the old keys any more, and a second time is as good as the first.
    for name in ["tuf-root-of-root-1.pem", "tuf-of-root-1.pem"] {
        fs::remove_file(dir.join("keys").join(name)).unwrap();
    }
    publish(&bench.instance(), bench.born).unwrap();
    rotate::rotate(&bench.instance(), bench.born).unwrap();
    assert_eq!(bench.versions()[0], 3);
    client(&trusted, &folder(&dir)).await.unwrap();
}

#[test]
fn keys_that_cannot_be_rotated_stay_where_they_are() {
    let bench = Bench::published(|born| born);
    let (dir, born) = (bench.dir(), bench.born);
    let (root, aside) = (Role::TufRoot.path(&dir), dir.join("tuf-root.pem"));
    let online = fs::read(Role::Tuf.path(&dir)).unwrap();
    fs::rename(&root, &aside).unwrap();
    let refused = rotate::rotate(&bench.instance(), born);
    assert!(matches!(refused, Err(TufError::RootKeyElsewhere)), "{refused:?}");

    // Another key in its place cannot sign for the root that clients have.
    ceremony::add_key(&dir, Role::TufRoot).unwrap();
    let stranger = fs::read(&root).unwrap();
    assert!(rotate::rotate(&bench.instance(), born).is_err());
    assert_eq!(fs::read(&root).unwrap(), stranger, "put back");
    assert_eq!(fs::read(Role::Tuf.path(&dir)).unwrap(), online, "put back");
    fs::rename(&aside, &root).unwrap();

    let mut instance = bench.instance();
    instance.config.tuf.snapshot.keys = Some(vec!["keys/tuf.pem".into()]);
    let refused = rotate::rotate(&instance, born);
    let listed = matches!(refused, Err(TufError::KeysListed { role: RoleType::Snapshot }));
    assert!(listed, "{refused:?}");
    assert_eq!(bench.versions()[0], 1, "nothing was published");
}

#[test]
fn tuf_metadata_are_bounded_and_sane() {
    let bench = Bench::published(|born| born);
    let repository = bench.repository();
    let current = repository.current.as_ref().unwrap();
    let timestamp = &current.timestamp.role.meta["snapshot.json"];
    assert_eq!(timestamp.length, Some(current.snapshot.bytes.len() as u64));
    let snapshot = &current.snapshot.role.meta["targets.json"];
    assert_eq!(snapshot.length, Some(current.targets.bytes.len() as u64));
    for file in [timestamp, snapshot] {
        assert_eq!(file.hashes.as_ref().unwrap().sha256.len(), 32, "a strong hash");
    }
    assert!(current.targets.role.delegations.is_none(), "targets are top-level only");
    for bytes in [&repository.roots[0].bytes, &current.targets.bytes, &current.timestamp.bytes] {
        let value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        let expires = value["signed"]["expires"].as_str().unwrap();
        assert!(expires.ends_with('Z') && !expires.contains('.'), "{expires}: whole seconds, UTC");
        assert!(bytes.len() < 16 * 1024);
    }
    let changed = folder(&bench.dir()).join("1.snapshot.json");
    let mut bytes = fs::read(&changed).unwrap();
    bytes.push(b'\n');
    fs::write(&changed, bytes).unwrap();
    let refused = Repository::read(&folder(&bench.dir()));
    assert!(matches!(refused, Err(TufError::Differs { .. })));
}

#[test]
fn older_clients_find_their_targets() {
    let bench = Bench::published(|born| born);
    let found: BTreeMap<String, String> = bench
        .files(bench.born)
        .into_iter()
        .filter_map(|file| {
            let custom = file.custom?.to_value();
            let text = |name: &str| custom[name].as_str().unwrap().to_owned();
            Some((file.name, format!("{} {} {}", text("usage"), text("status"), text("uri"))))
        })
        .collect();
    let base = "http://localhost:8700";
    let expected = [
        ("ctfe.pub", format!("CTFE Active {base}/ct")),
        ("rekor.pub", format!("Rekor Active {base}")),
        ("fulcio_v1.crt.pem", format!("Fulcio Active {base}")),
        ("fulcio_intermediate_v1.crt.pem", format!("Fulcio Active {base}")),
        ("tsa_leaf.crt.pem", format!("TSA Active {base}/api/v1/timestamp")),
        ("tsa_root.crt.pem", format!("TSA Active {base}/api/v1/timestamp")),
    ];
    assert_eq!(found, expected.map(|(name, custom)| (name.to_owned(), custom)).into());
}

#[test]
fn a_retired_log_key_has_a_number_and_is_expired() {
    let bench = Bench::published(|born| born);
    let path = bench.instance().public().join("trusted_root.json");
    let mut root =
        formats::trusted_root::TrustedRoot::from_json(&fs::read(&path).unwrap()).unwrap();
    let retired = formats::trusted_root::TransparencyLog {
        key: bench.instance().issuing().public_key().unwrap(),
        log_id: [7; 32],
        ..root.logs[0].clone()
    };
    root.logs.insert(0, retired);
    root.logs[0].window.end = Some(bench.born - 1);
    fs::write(&path, root.to_json()).unwrap();
    let status: Vec<(String, String)> = bench
        .files(bench.born)
        .into_iter()
        .filter(|file| file.name.starts_with("rekor"))
        .map(|file| (file.name, file.custom.unwrap().to_value()["status"].to_string()))
        .collect();
    assert_eq!(
        status,
        [
            ("rekor.pub".to_owned(), "\"Active\"".to_owned()),
            ("rekor_2.pub".to_owned(), "\"Expired\"".to_owned()),
        ]
    );
}

#[test]
fn an_instance_from_before_tuf_gets_its_keys_once() {
    let bench = Bench::new();
    for role in [Role::Tuf, Role::TufRoot] {
        fs::remove_file(role.path(&bench.dir())).unwrap();
    }
    publish(&bench.instance(), bench.born).unwrap();
    fs::remove_file(Role::Tuf.path(&bench.dir())).unwrap();
    let lost = publish(&bench.instance(), bench.born);
    assert!(matches!(lost, Err(TufError::File { .. })), "a key that was pinned is not made again");
}

#[test]
fn an_ageing_root_is_said_weeks_ahead() {
    let bench = Bench::published(|born| born);
    let shelf = Shelf::open(&folder(&bench.dir())).unwrap();
    let expiries = shelf.expiries().unwrap();
    let said = |days_left: i64| {
        let now = bench.born + (365 - days_left) * DAY_SECONDS;
        let about_root = |lines: Vec<String>| lines.iter().any(|line| line.contains("root"));
        (about_root(expiries.warnings(now)), about_root(expiries.problems(now)))
    };
    assert_eq!(said(61), (false, false));
    assert_eq!(said(59), (true, false));
    assert_eq!(said(8), (true, false));
    assert_eq!(said(6), (false, true));
    assert_eq!(said(-1), (false, true));
}
