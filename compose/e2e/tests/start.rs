//! How an instance is made, started and stopped, and which folders are refused.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use e2e::instance::{Instance, NotStarted};
use e2e::issue::certificate;
use e2e::key::Key;
use e2e::process::ca;
use e2e::provider::free_port;
use e2e::{log, openssl, rekor, token};
use tempfile::TempDir;

/// Runs a command that must fail with exit code 1 and one message; answers standard error.
fn fails(arguments: &[&str]) -> String {
    let output = ca(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(stderr.contains("error: "), "{stderr}");
    stderr
}

/// `ca init` into a new folder, listening on a free port.
fn init() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("instance").to_str().unwrap().to_owned();
    let port = free_port();
    let output = ca(&["init", &dir, "--listen", &format!("127.0.0.1:{port}")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    edit(Path::new(&dir), |text| {
        text.replace("127.0.0.1:2112", &format!("127.0.0.1:{}", free_port()))
    });
    (folder, dir)
}

fn edit(dir: &Path, change: impl FnOnce(String) -> String) {
    let path = dir.join("ca.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, change(text)).unwrap();
}

/// A folder that `ca dev` made and has left.
fn stopped_dev() -> e2e::instance::Stopped {
    Instance::dev().terminate()
}

fn refused(started: Result<Instance, NotStarted>) -> String {
    match started {
        Ok(_) => panic!("it started"),
        Err(NotStarted { code, stderr }) => {
            assert_eq!(code, Some(1), "{stderr}");
            assert!(stderr.contains("error: "), "{stderr}");
            stderr
        }
    }
}

#[test]
fn init_makes_an_instance_once() {
    let (_folder, dir) = init();
    let dir_path = Path::new(&dir);
    let before = fs::read(dir_path.join("keys/log.pem")).unwrap();
    let stderr = fails(&["init", &dir]);
    assert!(stderr.contains("already"), "{stderr}");
    assert_eq!(fs::read(dir_path.join("keys/log.pem")).unwrap(), before);

    let other = TempDir::new().unwrap();
    fs::write(other.path().join("a letter"), "dear").unwrap();
    let stderr = fails(&["init", other.path().to_str().unwrap()]);
    assert!(stderr.contains("not empty"), "{stderr}");
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 1);

    for name in ["trusted_root.json", "signing_config.v0.2.json", "client_trust_config.json"] {
        let text = fs::read(dir_path.join("public").join(name)).unwrap();
        serde_json::from_slice::<serde_json::Value>(&text).unwrap();
    }
}

#[test]
fn keys_are_private() {
    let server = Instance::dev();
    let mut seen = 0;
    for entry in fs::read_dir(server.dir().join("keys")).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 7, "root, issuing, ct, log, tsa-root, tsa, dev-oidc: only {seen}");
    for name in ["root", "issuing", "ct", "log", "tsa-root", "tsa"] {
        let pem = fs::read_to_string(server.dir().join(format!("keys/{name}.pem"))).unwrap();
        let desk = openssl::Desk::new();
        desk.put("key.pem", pem);
        let text = desk.ok(&["pkey", "-in", "key.pem", "-text", "-noout"]);
        assert!(text.contains("prime256v1"), "{name}: {text}");
    }
}

#[test]
fn admin_and_metrics_closed() {
    let stopped = stopped_dev();
    for name in ["issuing", "ct", "log", "tsa", "dev-oidc"] {
        let key = stopped.dir().join(format!("keys/{name}.pem"));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let stderr = refused(Instance::dev_in(stopped.dir()));
        assert!(stderr.contains(&format!("{name}.pem")) && stderr.contains("644"), "{stderr}");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    }
    drop(stopped.restart());

    let (_folder, dir) = init();
    let server = Instance::serve_in(Path::new(&dir)).unwrap();
    assert_eq!(server.get("/metrics").status, 404, "metrics have a listener of their own");
    assert!(server.metrics().contains("fulcio_new_certs"));
}

#[test]
fn an_instance_keeps_its_address() {
    let server = Instance::dev();
    let port = server.port();
    let config = fs::read_to_string(server.dir().join("ca.toml")).unwrap();
    assert!(config.contains(&format!("address = \"127.0.0.1:{port}\"")), "{config}");
    let stopped = server.terminate();
    let dir = stopped.dir().to_str().unwrap().to_owned();
    let other = format!("127.0.0.1:{}", free_port());
    let stderr = fails(&["dev", &dir, "--listen", &other]);
    assert!(stderr.contains(&other) && stderr.contains(&port.to_string()), "{stderr}");
    let server = stopped.restart();
    assert_eq!(server.port(), port);
}

#[test]
fn dev_listens_on_loopback_only() {
    let folder = TempDir::new().unwrap();
    for address in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
        let dir = folder.path().join("never");
        let stderr = fails(&["dev", dir.to_str().unwrap(), "--listen", address]);
        assert!(stderr.contains(address), "{stderr}");
        assert!(!dir.exists(), "nothing was made");
    }
    let stopped = stopped_dev();
    edit(stopped.dir(), |text| text.replace("127.0.0.1:", "0.0.0.0:"));
    let stderr = refused(Instance::dev_in(stopped.dir()));
    assert!(stderr.contains("listen.address") || stderr.contains("loopback"), "{stderr}");
    edit(stopped.dir(), |text| text.replace("[urls]", "behind_proxy = true\n[urls]"));
    refused(Instance::dev_in(stopped.dir()));
}

#[test]
fn dev_listens_on_both_loopbacks() {
    let server = Instance::dev();
    let v6 = std::net::SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 0));
    if TcpListener::bind(v6).is_err() {
        return;
    }
    let address = std::net::SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, server.port()));
    let mut connection = e2e::http::Connection::open_at(address).unwrap();
    assert_eq!(connection.send("GET", "/healthz", &[], b"").unwrap().status, 200);
}

#[test]
fn serve_never_believes_everyone() {
    let (_folder, dir) = init();
    let stderr = fails(&["dev", &dir]);
    assert!(stderr.contains("not made by `ca dev`"), "{stderr}");
    let stderr = fails(&["token", &dir, "--email", "alice@example.com"]);
    assert!(stderr.contains("development"), "{stderr}");

    let server = Instance::serve_in(Path::new(&dir)).unwrap();
    for path in [
        "/oidc/dev/token?email=alice@example.com",
        "/oidc/.well-known/openid-configuration",
        "/oidc/jwks",
        "/oidc/auth",
    ] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    assert_eq!(server.json("/api/v2/configuration")["issuers"], serde_json::json!([]));
    drop(server);

    // The development issuer of a folder that `ca dev` made is gone in `ca serve`, too.
    let dev = Instance::dev();
    let good = token::token(&dev, "alice@example.com");
    let stopped = dev.terminate();
    edit(stopped.dir(), |text| {
        text.replace("127.0.0.1:2112", &format!("127.0.0.1:{}", free_port()))
    });
    // Either it does not serve such a folder at all, or it serves it without the provider.
    if let Ok(server) = Instance::serve_in(stopped.dir()) {
        assert_eq!(server.get("/oidc/jwks").status, 404);
        let answer = e2e::issue::with_token(&server, &good, "alice@example.com");
        e2e::answer::refused(&answer, 400, "iss");
        let config = fs::read_to_string(stopped.dir().join("ca.toml")).unwrap();
        let issuer = format!("{}/oidc", server.base());
        drop(server);
        let table = format!(
            "{config}\n[[issuer]]\nurl = \"{issuer}\"\nclient_id = \"sigstore\"\ntype = \"email\"\n"
        );
        fs::write(stopped.dir().join("ca.toml"), table).unwrap();
        let stderr = refused(Instance::serve_in(stopped.dir()));
        assert!(stderr.contains(&issuer), "{stderr}");
    }
}

#[test]
fn no_config_no_trust() {
    let folder = TempDir::new().unwrap();
    let stderr = refused(Instance::serve_in(&folder.path().join("nothing")));
    assert!(stderr.contains("ca.toml") && stderr.contains("ca init"), "{stderr}");

    let (_folder, dir) = init();
    let dir = Path::new(&dir);
    let issuer = "\n[[issuer]]\nurl = \"https://issuer.example\"\nclient_id = \"sigstore\"\n\
                  type = \"email\"\n";
    let good = fs::read_to_string(dir.join("ca.toml")).unwrap();
    for (text, named) in [
        (good.replace("name =", "nmae ="), "nmae"),
        (good.replace("[listen]\n", "[listen]\nadress = \"127.0.0.1:1\"\n"), "adress"),
        (good.replace("[urls]\n", "[urls]\nrekor = \"http://localhost:1\"\n"), "rekor"),
        (format!("{good}{}", issuer.replace("client_id", "cilent_id")), "cilent_id"),
        (format!("{good}{}", issuer.replace("\"email\"", "\"e-mail\"")), "e-mail"),
        (format!("{good}{}", issuer.replace("https:", "http:")), "issuer.example"),
        (format!("{good}{issuer}{issuer}"), "twice"),
    ] {
        fs::write(dir.join("ca.toml"), text).unwrap();
        let stderr = refused(Instance::serve_in(dir));
        assert!(stderr.contains(named), "{named}: {stderr}");
    }
    fs::write(dir.join("ca.toml"), &good).unwrap();
    drop(Instance::serve_in(dir).unwrap());
}

#[test]
fn names_unique() {
    let (_folder, dir) = init();
    let dir = Path::new(&dir);
    let good = fs::read_to_string(dir.join("ca.toml")).unwrap();
    let log = good.lines().find(|line| line.starts_with("log = ")).unwrap();
    let ct = good.lines().find(|line| line.starts_with("ct = ")).unwrap();
    fs::write(dir.join("ca.toml"), good.replace(ct, &log.replace("log = ", "ct = "))).unwrap();
    let stderr = refused(Instance::serve_in(dir));
    assert!(stderr.contains("urls.ct"), "{stderr}");
    let ca = good.lines().find(|line| line.starts_with("ca = ")).unwrap();
    let with_path = ca.trim_end_matches('"').to_owned() + "/fulcio\"";
    fs::write(dir.join("ca.toml"), good.replace(ca, &with_path)).unwrap();
    let stderr = refused(Instance::serve_in(dir));
    assert!(stderr.contains("urls.ca"), "a path on the CA's URL: {stderr}");
}

#[test]
fn served_root_equals_running_keys() {
    let stopped = stopped_dev();
    for name in ["log", "ct"] {
        let key = stopped.dir().join(format!("keys/{name}.pem"));
        let original = fs::read(&key).unwrap();
        fs::write(&key, fresh_key()).unwrap();
        let stderr = refused(Instance::dev_in(stopped.dir()));
        assert!(stderr.contains("trusted_root.json"), "{name}: {stderr}");
        fs::write(&key, original).unwrap();
    }
    let root = stopped.dir().join("public/trusted_root.json");
    let original = fs::read_to_string(&root).unwrap();
    fs::write(&root, original.replace("localhost", "127.0.0.1")).unwrap();
    let stderr = refused(Instance::dev_in(stopped.dir()));
    assert!(stderr.contains("trusted_root.json"), "{stderr}");
    fs::write(&root, &original).unwrap();

    let dir = stopped.dir().to_path_buf();
    let server = stopped.restart();
    assert_eq!(server.get("/trusted_root.json").expect(200).text(), original);
    for name in ["signing_config.v0.2.json", "client_trust_config.json"] {
        let file = fs::read_to_string(dir.join("public").join(name)).unwrap();
        assert_eq!(server.get(&format!("/{name}")).expect(200).text(), file, "{name}");
    }
    let printed = ca(&["trust", dir.to_str().unwrap(), "--file", "trusted-root"]);
    assert_eq!(String::from_utf8_lossy(&printed.stdout).trim_end(), original.trim_end());
}

#[test]
fn ca_files_consistent() {
    let stopped = stopped_dev();
    let at = |name: &str| stopped.dir().join(name);
    let keep = |names: &[&str]| -> Vec<Vec<u8>> {
        names.iter().map(|name| fs::read(at(name)).unwrap()).collect()
    };
    let files = ["keys/issuing.pem", "keys/tsa.pem", "keys/log.pem", "certs/issuing.pem"];
    let [issuing, tsa, log, certificate] = <[_; 4]>::try_from(keep(&files)).unwrap();

    fs::write(at("keys/issuing.pem"), fresh_key()).unwrap();
    let stderr = refused(Instance::dev_in(stopped.dir()));
    assert!(stderr.contains("keys/issuing.pem is not the key"), "{stderr}");
    fs::write(at("keys/issuing.pem"), &issuing).unwrap();

    fs::write(at("keys/log.pem"), &tsa).unwrap();
    let stderr = refused(Instance::dev_in(stopped.dir()));
    assert!(stderr.contains("the same key"), "{stderr}");
    fs::write(at("keys/log.pem"), &log).unwrap();

    fs::copy(at("certs/tsa.pem"), at("certs/issuing.pem")).unwrap();
    let stderr = refused(Instance::dev_in(stopped.dir()));
    assert!(stderr.contains("certs/issuing.pem"), "a leaf as the CA: {stderr}");
    fs::write(at("certs/issuing.pem"), &certificate).unwrap();

    let root = fs::read(at("certs/root.pem")).unwrap();
    fs::copy(at("certs/tsa-root.pem"), at("certs/root.pem")).unwrap();
    let stderr = refused(Instance::dev_in(stopped.dir()));
    assert!(stderr.contains("certs/issuing.pem"), "another root: {stderr}");
    fs::write(at("certs/root.pem"), root).unwrap();

    fs::remove_file(at("keys/ct.pem")).unwrap();
    let stderr = refused(Instance::dev_in(stopped.dir()));
    assert!(stderr.contains("ct.pem"), "{stderr}");
}

#[test]
fn the_roots_may_lie_elsewhere() {
    let stopped = stopped_dev();
    for name in ["root", "tsa-root"] {
        fs::remove_file(stopped.dir().join(format!("keys/{name}.pem"))).unwrap();
    }
    let server = stopped.restart();
    let _issued = certificate(&server, "alice@example.com");
}

#[test]
fn restored_backup_refused() {
    let server = Instance::dev();
    let key = Key::p256();
    let post = |server: &Instance, text: &str| {
        let answer = rekor::post(server, &rekor::hashed_rekord(&key, text.as_bytes()));
        assert_eq!(answer.status, 201, "{}", answer.text());
    };
    post(&server, "one");
    let stopped = server.terminate();
    let database = |name: &str| stopped.dir().join(name);
    let backup: Vec<(String, Vec<u8>)> = ["log.db", "log.db-wal", "log.db-shm"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), fs::read(database(name)).ok()?)))
        .collect();
    assert!(!backup.is_empty(), "the database is DIR/log.db");
    let dir = stopped.dir().to_path_buf();

    let server = stopped.restart();
    for text in ["two", "three", "four"] {
        post(&server, text);
    }
    // The second mark is renewed at most once a second.
    std::thread::sleep(Duration::from_millis(1200));
    post(&server, "five");
    let stopped = server.terminate();
    for name in ["log.db", "log.db-wal", "log.db-shm"] {
        let _absent = fs::remove_file(dir.join(name));
    }
    for (name, bytes) in backup {
        fs::write(dir.join(name), bytes).unwrap();
    }
    let stderr = refused(Instance::dev_in(stopped.dir()));
    assert!(stderr.contains('2') && stderr.contains('6'), "both sizes are printed: {stderr}");
}

#[test]
fn a_lost_database_is_not_a_new_log() {
    let server = Instance::dev();
    let answer = rekor::post(&server, &rekor::hashed_rekord(&Key::p256(), b"one"));
    assert_eq!(answer.status, 201);
    std::thread::sleep(Duration::from_millis(1100));
    let stopped = server.terminate();
    for name in ["log.db", "log.db-wal", "log.db-shm"] {
        let _absent = fs::remove_file(stopped.dir().join(name));
    }
    refused(Instance::dev_in(stopped.dir()));
}

#[test]
fn one_server_per_folder() {
    let server = Instance::dev();
    let stderr = refused(Instance::dev_in(server.dir()));
    assert!(stderr.contains(&server.port().to_string()) || stderr.contains("lock"), "{stderr}");
    assert_eq!(server.get("/readyz").status, 200, "the first one goes on");
}

#[test]
fn nothing_is_read_from_the_working_folder() {
    let cwd = TempDir::new().unwrap();
    fs::write(cwd.path().join("ca.toml"), "this is no configuration").unwrap();
    fs::create_dir(cwd.path().join("keys")).unwrap();
    fs::write(cwd.path().join("keys/log.pem"), "nor is this a key").unwrap();
    let names = |path: &Path| -> Vec<_> {
        let mut names: Vec<_> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names(cwd.path());
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("instance");
    let arguments =
        [OsStr::new("dev"), dir.as_os_str(), OsStr::new("--listen"), OsStr::new("127.0.0.1:0")];
    let server = Instance::start_from(&dir, &arguments, cwd.path()).unwrap();
    let _issued = certificate(&server, "alice@example.com");
    assert_eq!(names(cwd.path()), before, "and nothing is left there");
}

#[test]
fn ready_soon_and_gone_soon() {
    let server = Instance::dev();
    assert!(server.ready_after() < Duration::from_secs(5), "{:?}", server.ready_after());
    assert_eq!(server.json("/readyz")["status"], "READY");
    assert_eq!(server.json("/healthz")["status"], "SERVING");
    let idle = server.connect();
    server.signal_stop();
    let (stopped, took) = server.wait_stopped();
    assert!(took < Duration::from_secs(10), "{took:?} with an idle connection open");
    drop(idle);
    let server = stopped.restart();
    assert!(server.ready_after() < Duration::from_secs(5), "{:?}", server.ready_after());
    assert_eq!(log::Log::read(&server).checkpoint.size, 1, "the log was born once");
}

#[test]
fn whoever_is_ready_stops_gracefully() {
    // A signal in the very moment of the ready line must find its handler, on a busy machine too.
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let _rest = Rest(&stop);
        let mut server = Instance::dev();
        for _ in 0..12 {
            server.signal_stop();
            let (stopped, _took) = server.wait_stopped();
            server = stopped.restart();
        }
    });
}

/// Sends the busy threads home, also when the test fails.
struct Rest<'a>(&'a AtomicBool);

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_temporary_instance_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let arguments = ["dev", "--listen", "127.0.0.1:0"].map(OsStr::new);
    let server = Instance::start(folder.path(), &arguments).unwrap();
    let scratch = server.scratch().to_path_buf();
    let made = |path: &Path| {
        fs::read_dir(path)
            .unwrap()
            .filter_map(Result::ok)
            .find(|entry| entry.file_name().to_string_lossy().starts_with("paraph"))
    };
    let dir = made(&scratch).expect("a folder in TMPDIR").path();
    let token = token::token(&server, "alice@example.com");
    assert_eq!(token.split('.').count(), 3);
    server.signal_stop();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let until = std::time::Instant::now() + Duration::from_secs(10);
            while dir.exists() && std::time::Instant::now() < until {
                std::thread::sleep(Duration::from_millis(20));
            }
            assert!(!dir.exists(), "{} is still there", dir.display());
        });
    });
    let _stopped = server.wait_stopped();
}

#[test]
fn tokens_of_the_command_line_are_good() {
    let server = Instance::dev();
    let dir = server.dir().to_str().unwrap();
    let output = ca(&["token", dir, "--email", "alice@example.com"]);
    assert!(output.status.success());
    let token = String::from_utf8(output.stdout).unwrap();
    let answer = e2e::issue::with_token(&server, token.trim(), "alice@example.com");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let output = ca(&["token", dir, "--email", "alice@example.com", "--aud", "other"]);
    let token = String::from_utf8(output.stdout).unwrap();
    let answer = e2e::issue::with_token(&server, token.trim(), "alice@example.com");
    e2e::answer::refused(&answer, 400, "aud");
}

#[test]
fn usage_mistakes_end_with_1() {
    for arguments in [vec!["nonsense"], vec!["init"], vec!["serve"], vec!["dev", "--listen", "x"]] {
        let output = ca(&arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    }
    for flag in ["--help", "--version"] {
        assert_eq!(ca(&[flag]).status.code(), Some(0));
    }
}

fn fresh_key() -> Vec<u8> {
    let desk = openssl::Desk::new();
    let curve = "ec_paramgen_curve:prime256v1";
    let _silent = desk.ok(&["genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-out", "key.pem"]);
    desk.get("key.pem")
}

#[test]
fn the_examples_in_the_configuration_work() {
    let (_folder, dir) = init();
    edit(Path::new(&dir), |text| {
        let (before, examples) = text.split_once("# [[issuer]]").expect("an example");
        let examples = format!("# [[issuer]]{examples}");
        let uncommented: Vec<&str> = examples
            .lines()
            .map(|line| line.trim_start_matches("# ").trim_start_matches('#'))
            .collect();
        format!("{before}{}\n", uncommented.join("\n"))
    });
    let output = ca(&["trust", &dir, "--file", "signing-config"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
