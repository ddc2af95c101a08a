//! `signer` and `verifier` as whole processes, the verdict in process, and hashing.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use formats::bundle::Bundle;
use formats::digest::HashAlgorithm;
use formats::trusted_root::TrustedRoot;
use nix::sys::resource::{UsageWho, getrusage};
use verify::policy::{IdentityMatch, Matcher, Policy};
use verify::verify::{Artifact, Verifier};

use crate::limits::{Limits, processor_time};
use crate::server::{Server, binary};
use crate::table::{Table, median};

/// Measures the two tools as processes.
pub fn verifier_and_signer(server: &Server, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let file = server.folder().with_file_name("file");
    let token = server.folder().with_file_name("token");
    fs::write(&file, b"benchmark")?;
    fs::write(&token, server.token("alice@example.com")?)?;
    let instance = server.folder();
    let sign = || {
        let mut command = Command::new(binary("signer")?);
        command.arg("sign-blob").arg(&file).arg("--instance").arg(&instance);
        command.arg("--identity-token").arg(&token);
        Ok::<Command, Box<dyn Error>>(command)
    };
    let root = instance.join("public/trusted_root.json");
    let issuer = format!("http://localhost:{}/oidc", server.port);
    let verify = || {
        let mut command = Command::new(binary("verifier")?);
        command.arg("verify-blob").arg(&file).arg("--trusted-root").arg(&root).arg("--offline");
        command.args(["--certificate-identity", "alice@example.com"]);
        command.args(["--certificate-oidc-issuer", &issuer]);
        Ok::<Command, Box<dyn Error>>(command)
    };
    let times: Result<Vec<f64>, Box<dyn Error>> = (0..RUNS).map(|_| timed(sign()?)).collect();
    table.at_most("signer sign-blob, whole process", median(times?), 20.0, "ms", "");
    let times: Result<Vec<f64>, Box<dyn Error>> = (0..RUNS).map(|_| timed(verify()?)).collect();
    let beside = "peers: 22 and 50 ms";
    table.at_most("verifier verify-blob, whole process", median(times?), 10.0, "ms", beside);
    let memory = peak_mib(&verify()?)?;
    table.at_most("verifier verify-blob, peak memory", memory, 12.0, "MiB", "peers: 18 and 55 MiB");
    table.note("signer sign-blob, peak memory", format!("{:.1} MiB", peak_mib(&sign()?)?));
    Ok(())
}

/// Runs a command and prints its peak memory in KiB: in a process of its own, because the kernel
/// tells the largest of all children.
pub fn memory_of(
    mut command: impl Iterator<Item = std::ffi::OsString>,
) -> Result<(), Box<dyn Error>> {
    let program = command.next().ok_or("no command")?;
    let status =
        Command::new(program).args(command).stderr(Stdio::null()).stdout(Stdio::null()).status()?;
    println!("{}", getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss());
    if status.success() { Ok(()) } else { Err(format!("it ended with {status}").into()) }
}

/// Measures the verdict in process, over the bundle that `signer` wrote.
pub fn verdicts(server: &Server, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let root = fs::read(server.folder().join("public/trusted_root.json"))?;
    let json = fs::read(server.folder().with_file_name("file.sigstore.json"))?;
    let limits = Limits::measure()?;
    let verifier = Verifier::new(&TrustedRoot::from_json(&root)?)?;
    let digests = [HashAlgorithm::Sha256.digest(b"benchmark")];
    let issuer = format!("http://localhost:{}/oidc", server.port);
    let policy = Policy::identity(IdentityMatch::new(
        Matcher::exact("alice@example.com"),
        Matcher::exact(issuer),
    ));
    let now = i64::try_from(
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs(),
    )?;
    let mut times = Vec::new();
    for _ in 0..500 {
        let started = processor_time();
        let bundle = Bundle::from_json(&json)?;
        verifier.verify(&bundle, &Artifact::Digests(&digests), &policy, now)?;
        times.push((processor_time() - started).as_secs_f64() * 1e6);
    }
    // Leaf by CA, SCT, checkpoint, timestamp token, artifact.
    let limit = (5.0 * limits.p256_verify, "its five signatures");
    table.ratio("verdict in process, bundle parsed", median(times), limit, 2.0);
    Ok(())
}

/// Measures how fast `verifier` reads and hashes a large file.
pub fn hashing(limits: &Limits, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let large = folder.path().join("large");
    fs::write(&large, vec![7_u8; LARGE])?;
    let missing = folder.path().join("small");
    fs::write(&missing, b"")?;
    let base = median(hash_runs(&missing)?);
    let whole = median(hash_runs(&large)?);
    let rate = LARGE as f64 / ((whole - base) * 1e3);
    let ratio = rate / limits.sha256_rate;
    let beside = format!("{:.2} GB/s of {:.2} GB/s", rate / 1e3, limits.sha256_rate / 1e3);
    table.at_least("SHA-256 of a large file over the hash's own speed", ratio, 0.9, "x", &beside);
    Ok(())
}

/// Runs a verification that must hash the file to refuse it: the bundle is of another.
fn hash_runs(file: &Path) -> Result<Vec<f64>, Box<dyn Error>> {
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../verifier/tests/data/blob.txt.sigstore.json");
    let data = bundle.parent().ok_or("no folder")?.to_owned();
    (0..5)
        .map(|_| {
            let mut command = Command::new(binary("verifier")?);
            command.arg("verify-blob").arg(file).arg("--bundle").arg(&bundle);
            command.arg("--key").arg(data.join("signer.pub"));
            command.arg("--trusted-root").arg(data.join("trusted_root.json"));
            let started = Instant::now();
            let status = command.stderr(Stdio::null()).stdout(Stdio::null()).status()?;
            if status.code() != Some(12) {
                return Err(format!("expected a refusal, got {status}").into());
            }
            Ok(started.elapsed().as_secs_f64() * 1e3)
        })
        .collect()
}

/// Milliseconds that a command takes, which must succeed.
fn timed(mut command: Command) -> Result<f64, Box<dyn Error>> {
    let started = Instant::now();
    let status = command.stderr(Stdio::null()).stdout(Stdio::null()).status()?;
    if !status.success() {
        return Err(format!("{command:?} ended with {status}").into());
    }
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

fn peak_mib(command: &Command) -> Result<f64, Box<dyn Error>> {
    let output = Command::new(std::env::current_exe()?)
        .arg("--memory-of")
        .arg(command.get_program())
        .args(command.get_args())
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse::<f64>()? / 1024.0)
}

const RUNS: usize = 21;
const LARGE: usize = 512 << 20;
