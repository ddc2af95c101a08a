//! Each place that has identity tokens of its own, simulated with its real variables and a token
//! service that is really asked.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[cfg(unix)]
#[path = "login/agent.rs"]
mod agent;
#[path = "login/stand_in.rs"]
mod stand_in;

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;
use stand_in::{StandIn, token};

fn whoami(variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("signer"))
        .arg("whoami")
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

#[track_caller]
fn is(variables: &[(&str, &str)], arguments: &[&str]) -> Value {
    let output = whoami(variables, &[arguments, &["--output", "json"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(output.stderr, b"");
    serde_json::from_str(&text).unwrap()
}

#[track_caller]
fn fails(variables: &[(&str, &str)], arguments: &[&str], said: &[&str]) {
    let output = whoami(variables, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(output.stdout, b"");
    for part in said {
        assert!(stderr.contains(part), "{part:?} not in {stderr}");
    }
    assert!(!stderr.contains(SECRET), "{stderr}");
}

fn job() -> String {
    token(
        "\"iss\":\"https://token.actions.githubusercontent.com\",\"sub\":\"repo:o/r:ref:x\",\
         \"aud\":\"sigstore\",\"job_workflow_ref\":\"o/r/.github/workflows/w.yml@refs/heads/main\"",
    )
}

fn machine(aud: &str) -> String {
    token(&format!("\"iss\":\"https://issuer.example\",\"sub\":\"m-1\",\"aud\":\"{aud}\""))
}

#[test]
fn a_github_job_asks_its_runner() {
    let service =
        StandIn::new(vec![("200 OK", format!("{{\"count\":1,\"value\":\"{}\"}}", job()))]);
    let url = format!("http://{}/token?api-version=2.0", service.host());
    let found = is(&[("GITHUB_ACTIONS", "true"), (GITHUB_URL, &url), (GITHUB_TOKEN, SECRET)], &[]);
    assert_eq!(found["schema"], "paraph.whoami.v1");
    assert_eq!(found["source"], "github-actions");
    assert_eq!(found["issuer"], "https://token.actions.githubusercontent.com");
    assert_eq!(found["identity"], "o/r/.github/workflows/w.yml@refs/heads/main");
    assert_eq!(found["expires"], 4_102_444_800_u64);
    let asked = service.asked();
    assert_eq!(asked.line, "GET /token?api-version=2.0&audience=sigstore");
    asked.has(&format!("authorization: bearer {SECRET}"));
    asked.has("accept: application/json");
}

#[test]
fn a_github_job_without_the_permission_is_told_the_line() {
    let said =
        ["[provider]", "may not ask for an identity token", "permissions: { id-token: write"];
    fails(&[("GITHUB_ACTIONS", "true"), ("CI", "true")], &[], &said);
}

/// Another client id than `sigstore` is asked for as it is.
#[test]
fn the_audience_is_the_instances_client_id() {
    let claims = "\"iss\":\"https://issuer.example\",\"sub\":\"s\",\"aud\":\"a b&c\"";
    let service = StandIn::new(vec![("200 OK", format!("{{\"value\":\"{}\"}}", token(claims)))]);
    let url = format!("http://{}/?x=y", service.host());
    let found = is(&[(GITHUB_URL, &url), (GITHUB_TOKEN, "t")], &["--oidc-client-id", "a b&c"]);
    assert_eq!(found["audience"], "a b&c");
    assert_eq!(service.asked().line, "GET /?x=y&audience=a+b%26c");
}

/// A service that answers with another audience's token gets it kept from the authority.
#[test]
fn token_goes_to_one_place() {
    let other = format!("{{\"value\":\"{}\"}}", machine("other"));
    let service = StandIn::new(vec![("200 OK", other)]);
    let url = format!("http://{}/", service.host());
    let said = ["[token-audience]", "GitHub Actions: ", "for other, not for \"sigstore\""];
    fails(&[(GITHUB_URL, &url), (GITHUB_TOKEN, SECRET)], &[], &said);

    // A redirect would carry the job's credential elsewhere.
    let elsewhere = StandIn::new(vec![("200 OK", String::new())]);
    let redirect = format!("307 Temporary Redirect\r\nlocation: http://{}/", elsewhere.host());
    let service = StandIn::new(vec![(redirect.leak(), String::new())]);
    let url = format!("http://{}/", service.host());
    fails(&[(GITHUB_URL, &url), (GITHUB_TOKEN, SECRET)], &[], &["[service-redirected]"]);
    assert!(elsewhere.is_silent());

    // Nor does it go over a network in clear.
    for url in ["http://token.example/", "http://10.0.0.1/", "http://169.254.169.254/"] {
        fails(&[(GITHUB_URL, url), (GITHUB_TOKEN, SECRET)], &[], &["[token-in-clear]"]);
    }
    let said = ["ACTIONS_ID_TOKEN_REQUEST_URL is not a URL that a token service can have"];
    fails(&[(GITHUB_URL, "file:///etc/passwd"), (GITHUB_TOKEN, SECRET)], &[], &said);
    fails(&[(GITHUB_URL, "ftp://localhost/"), (GITHUB_TOKEN, SECRET)], &[], &["[token-in-clear]"]);
}

#[test]
fn a_service_that_fails_is_asked_again_and_then_named() {
    let whole = format!("{{\"value\":\"{}\"}}", job());
    let service = StandIn::new(vec![("503 Busy", String::new()), ("200 OK", whole)]);
    let url = format!("http://{}/", service.host());
    is(&[(GITHUB_URL, &url), (GITHUB_TOKEN, "t")], &[]);

    let refused = "{\"message\":\"no such job\"}".to_owned();
    let service = StandIn::new(vec![("403 Forbidden", refused)]);
    let url = format!("http://{}/", service.host());
    let said = ["[service-refused]", "token service", "answered 403: no such job"];
    fails(&[(GITHUB_URL, &url), (GITHUB_TOKEN, SECRET)], &[], &said);

    let service = StandIn::new(vec![("200 OK", "{}".into())]);
    let url = format!("http://{}/?secret=x", service.host());
    fails(&[(GITHUB_URL, &url), (GITHUB_TOKEN, SECRET)], &[], &["[provider]", "does not parse"]);
}

#[test]
fn a_gitlab_job_has_its_token_in_a_variable() {
    let text = machine("sigstore");
    let found = is(&[("GITLAB_CI", "true"), ("SIGSTORE_ID_TOKEN", &text)], &[]);
    assert_eq!((&found["source"], &found["identity"]), (&"envvar".into(), &"m-1".into()));
    let text = machine("acme");
    let variables = [("GITLAB_CI", "true"), ("ACME_ID_TOKEN", &*text)];
    assert_eq!(is(&variables, &["--oidc-client-id", "acme"])["source"], "gitlab");
    fails(&[("GITLAB_CI", "true")], &[], &["SIGSTORE_ID_TOKEN is not set", "id_tokens: {"]);
}

#[test]
fn a_buildkite_job_asks_its_agents_api() {
    let answer = format!("{{\"token\":\"{}\"}}", machine("sigstore"));
    let service = StandIn::new(vec![("200 OK", answer)]);
    let endpoint = format!("http://{}/v3/", service.host());
    let job = "0183c4e6-c88c-xxxx-b15e-7801077a9181";
    let variables = [
        ("BUILDKITE", "true"),
        ("BUILDKITE_AGENT_ACCESS_TOKEN", SECRET),
        ("BUILDKITE_AGENT_ENDPOINT", &endpoint),
        ("BUILDKITE_JOB_ID", job),
    ];
    assert_eq!(is(&variables, &[])["source"], "buildkite-agent");
    let asked = service.asked();
    assert_eq!(asked.line, format!("POST /v3/jobs/{job}/oidc/tokens"));
    assert_eq!(asked.body, "{\"audience\":\"sigstore\"}");
    asked.has(&format!("authorization: Token {SECRET}"));
    asked.has("content-type: application/json");

    let mut other = variables;
    other[3].1 = "../../x";
    fails(&other, &[], &["BUILDKITE_JOB_ID has characters"]);
}

/// A folder with a program of this name, which prints its arguments into `asked` and this answer.
#[cfg(unix)]
fn program(name: &str, script: &str) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let asked = folder.path().join("asked");
    let text = format!("#!/bin/sh\nprintf '%s\\n' \"$@\" > {}\n{script}\n", asked.display());
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[cfg(unix)]
#[test]
fn a_job_without_an_api_runs_its_own_command() {
    let print = format!("echo {}", machine("sigstore"));
    for (variable, name, source, arguments) in [
        (
            "BUILDKITE",
            "buildkite-agent",
            "buildkite-agent",
            "oidc\nrequest-token\n--audience\nsigstore\n",
        ),
        ("CIRCLECI", "circleci", "circleci", "run\noidc\nget\n--claims\n{\"aud\":\"sigstore\"}\n"),
    ] {
        let folder = program(name, &print);
        let path = folder.path().to_str().unwrap();
        assert_eq!(is(&[(variable, "true"), ("PATH", path)], &[])["source"], source);
        assert_eq!(fs::read_to_string(folder.path().join("asked")).unwrap(), arguments);

        let folder = program(name, &format!("echo {SECRET}; exit 3"));
        let path = folder.path().to_str().unwrap();
        fails(&[(variable, "true"), ("PATH", path)], &[], &[name, "ended with 3", "[provider]"]);
        fails(&[(variable, "true"), ("PATH", "/nowhere")], &[], &[name, "cannot be run"]);
    }
}

#[cfg(unix)]
#[test]
fn circleci_gives_its_variables_token_when_its_audience_fits() {
    let text = machine("sigstore");
    let variables = [("CIRCLECI", "true"), ("CIRCLE_OIDC_TOKEN_V2", &*text), ("PATH", "/nowhere")];
    assert_eq!(is(&variables, &[])["source"], "circleci");
    let text = machine("org-id");
    let variables = [("CIRCLECI", "true"), ("CIRCLE_OIDC_TOKEN_V2", &*text), ("PATH", "/nowhere")];
    fails(&variables, &[], &["circleci: cannot be run"]);
}

#[test]
fn a_machine_of_google_asks_its_metadata_server() {
    let service = StandIn::new(vec![("200 OK", machine("sigstore"))]);
    let found = is(&[("GCE_METADATA_HOST", &service.host())], &[]);
    assert_eq!(found["source"], "google-workload-identity");
    let asked = service.asked();
    assert_eq!(
        asked.line,
        "GET /computeMetadata/v1/instance/service-accounts/default/identity?audience=sigstore\
         &format=full"
    );
    asked.has("metadata-flavor: Google");
    fails(&[("GCE_METADATA_HOST", "metadata.example")], &[], &["[token-in-clear]"]);
}

#[test]
fn a_google_service_account_is_impersonated() {
    let metadata = StandIn::new(vec![(
        "200 OK",
        format!("{{\"access_token\":\"{SECRET}\",\"expires_in\":3599,\"token_type\":\"Bearer\"}}"),
    )]);
    let answer = format!("{{\"token\":\"{}\"}}", machine("sigstore"));
    let google = StandIn::new(vec![("200 OK", answer)]);
    let base = format!("http://{}", google.host());
    let variables = [
        ("GOOGLE_SERVICE_ACCOUNT_NAME", "signer@p.iam.gserviceaccount.com"),
        ("GCE_METADATA_HOST", &metadata.host()),
        ("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", &base),
    ];
    assert_eq!(is(&variables, &[])["source"], "google-impersonate");
    let asked = metadata.asked();
    assert_eq!(asked.line, "GET /computeMetadata/v1/instance/service-accounts/default/token");
    asked.has("metadata-flavor: Google");
    let asked = google.asked();
    assert_eq!(
        asked.line,
        "POST /v1/projects/-/serviceAccounts/signer@p.iam.gserviceaccount.com:generateIdToken"
    );
    asked.has(&format!("authorization: Bearer {SECRET}"));
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(body, serde_json::json!({ "audience": "sigstore", "includeEmail": true }));

    fails(&[("GOOGLE_SERVICE_ACCOUNT_NAME", "a/b")], &[], &["has characters"]);
}

/// `is` and `fails` wait for the tool; the agent answers meanwhile.
#[cfg(unix)]
#[tokio::test]
async fn a_workload_asks_its_spiffe_agent() {
    let text = token(
        "\"iss\":\"https://spire.example\",\"sub\":\"spiffe://x.example/w\",\"aud\":[\"sigstore\"]",
    );
    let svid = |token: &str| {
        let parts = [
            agent::field(1, b"spiffe://x.example/w"),
            agent::field(2, token.as_bytes()),
            agent::field(3, b"hint"),
        ];
        agent::field(1, &parts.concat())
    };
    let folder = tempfile::tempdir().unwrap();
    let (listener, address) = agent::listen(folder.path());
    let answer = tokio::spawn(agent::agent(listener, svid(&text), "0"));
    let found =
        tokio::task::spawn_blocking(move || is(&[("SPIFFE_ENDPOINT_SOCKET", &address)], &[]));
    let found = found.await.unwrap();
    assert_eq!(
        (&found["source"], &found["identity"]),
        (&"spiffe".into(), &"spiffe://x.example/w".into())
    );
    let called = answer.await.unwrap();
    assert_eq!(called.line, "POST /SpiffeWorkloadAPI/FetchJWTSVID");
    assert_eq!(called.fields["workload.spiffe.io"], "true");
    assert_eq!(called.fields["content-type"], "application/grpc");
    assert_eq!(called.fields["te"], "trailers");
    let audience = agent::field(1, b"sigstore");
    assert_eq!(called.body, [&[0, 0, 0, 0, 10][..], &audience].concat());

    for (message, status, said) in [
        (svid(&text), "7", "gRPC status 7"),
        (Vec::new(), "0", "not a FetchJWTSVID answer"),
        (agent::field(1, &agent::field(1, b"x")), "0", "not a FetchJWTSVID answer"),
        (vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f], "0", "not a FetchJWTSVID answer"),
        (vec![0x08, 0x01], "0", "not a FetchJWTSVID answer"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (listener, address) = agent::listen(folder.path());
        let answer = tokio::spawn(agent::agent(listener, message, status));
        let failed = tokio::task::spawn_blocking(move || {
            fails(&[("SPIFFE_ENDPOINT_SOCKET", &address)], &[], &["[provider]", said]);
        });
        failed.await.unwrap();
        answer.await.unwrap();
    }
    fails(&[("SPIFFE_ENDPOINT_SOCKET", "unix:///nowhere/s")], &[], &["cannot be reached"]);
    fails(&[("SPIFFE_ENDPOINT_SOCKET", "tcp://10.0.0.1:1")], &[], &["not the address of a Unix"]);
}

#[test]
fn the_first_that_is_there_is_taken_unless_one_is_named() {
    let github = || StandIn::new(vec![("200 OK", format!("{{\"value\":\"{}\"}}", job()))]);
    let google = || StandIn::new(vec![("200 OK", machine("sigstore"))]);
    for (arguments, variable, source) in [
        (&[][..], "", "github-actions"),
        (&["--oidc-provider", "google"], "", "google-workload-identity"),
        (&["--oidc-provider", "github-actions"], "v", "github-actions"),
        (&[], "v", "envvar"),
        (&["--oidc-provider", "envvar"], "v", "envvar"),
        (&["--identity-token", "v", "--oidc-client-id", "sigstore"], "v", "flag"),
    ] {
        let (github, google) = (github(), google());
        let text = machine("sigstore");
        let url = format!("http://{}/", github.host());
        let host = google.host();
        let mut variables =
            vec![(GITHUB_URL, &*url), (GITHUB_TOKEN, "t"), ("GCE_METADATA_HOST", &host)];
        if variable == "v" {
            variables.push(("SIGSTORE_ID_TOKEN", &text));
        }
        let arguments: Vec<&str> =
            arguments.iter().map(|part| if *part == "v" { &*text } else { *part }).collect();
        assert_eq!(is(&variables, &arguments)["source"], source, "{arguments:?}");
    }
    let disabled = ["--oidc-disable-ambient-providers"];
    let text = machine("sigstore");
    fails(&[("SIGSTORE_ID_TOKEN", &text)], &disabled, &["[no-token]"]);
    fails(&[], &["--oidc-provider", "circleci"], &["[provider]", "CIRCLECI is not there"]);
    fails(&[], &["--oidc-provider", "envvar"], &["[provider]", "SIGSTORE_ID_TOKEN is not there"]);
}

#[test]
fn nobody_is_asked_without_a_terminal() {
    let said = ["[no-token]", "--identity-token", "SIGSTORE_ID_TOKEN", "pipeline", "terminal"];
    fails(&[], &[], &said);
    fails(&[("DISPLAY", ":0"), ("CI", "true")], &[], &said);
}

#[test]
fn another_identity_than_expected_is_refused() {
    let text = token(
        "\"iss\":\"https://broker.example\",\"sub\":\"s\",\"aud\":\"sigstore\",\
         \"email\":\"alice@example.com\",\"email_verified\":true,\
         \"federated_claims\":{\"connector_id\":\"https://github.com/login/oauth\"}",
    );
    let variables = [("SIGSTORE_ID_TOKEN", &*text)];
    let right = ["--expect-identity", "alice@example.com"];
    let issuer = ["--expect-issuer", "https://github.com/login/oauth"];
    let found = is(&variables, &[right, issuer].concat());
    assert_eq!(found["issuer"], "https://github.com/login/oauth");
    let said = ["[unexpected-identity]", "sign as alice@example.com", "not as bob@example.com"];
    fails(&variables, &["--expect-identity", "bob@example.com"], &said);
    let said = ["[unexpected-identity]", "not as https://accounts.google.com"];
    fails(&variables, &["--expect-issuer", "https://accounts.google.com"], &said);
}

/// What a person reads, word for word.
#[test]
fn whoami_speaks_plainly() {
    let text = machine("sigstore");
    let output = whoami(&[("SIGSTORE_ID_TOKEN", &text)], &[]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "m-1\n");
    let stderr = String::from_utf8(output.stderr).unwrap();
    let (words, seconds) = stderr.rsplit_once("  expires in  ").unwrap();
    assert_eq!(
        words,
        "  vouched by  https://issuer.example\n  token from  SIGSTORE_ID_TOKEN\n  \
         for         sigstore\n"
    );
    assert!(seconds.trim_end().strip_suffix(" s").unwrap().parse::<u64>().unwrap() > 2_000_000_000);

    let output = whoami(&[("GITLAB_CI", "true")], &[]);
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: this GitLab job has no identity token: SIGSTORE_ID_TOKEN is not set [provider]\n  \
         at fault  environment\n  advice    Add to the job in .gitlab-ci.yml: id_tokens: { \
         SIGSTORE_ID_TOKEN: { aud: sigstore } }, with the variable's name and the audience that \
         this instance wants.\n"
    );
}

const GITHUB_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const GITHUB_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
const SECRET: &str = "the-jobs-own-credential";
