//! What each command of `ca` does, up to the point where the server takes over.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use time::OffsetDateTime;
use tracing_subscriber::EnvFilter;

use crate::ceremony::{self, Plan};
use crate::cli::{Cli, Command, Init, LogFormat, Rotate, RotateWhat, TrustFile};
use crate::clock::Clock;
use crate::config::{Config, Urls};
use crate::explain::explain;
use crate::failure::Failure;
use crate::import;
use crate::instance::Instance;
use crate::keys::{self, Role};
use crate::oidc_dev::DevIssuer;
use crate::rotate::{self, How};
use crate::run::{self, Mode};
use crate::trust::TrustFiles;
use crate::tuf;

/// Runs one command; 0 when it did what it was told, else 1. `ca explain` has 12 for a token that
/// would get no certificate.
pub fn run(cli: Cli) -> ExitCode {
    if let Err(error) = start_logging(&cli) {
        say(&format!("error: --log-level: {error}"));
        return ExitCode::FAILURE;
    }
    let done = match cli.command {
        Command::Init(flags) => init(&flags),
        Command::Serve { dir } => serve(&dir),
        Command::Dev { dir, listen } => dev(dir, listen),
        Command::Token { dir, email, aud } => token(&dir, &email, &aud),
        Command::Explain(flags) => match explain(&flags) {
            Ok(false) => return ExitCode::from(NOT_ISSUED),
            told => told.map(|_issued| ()),
        },
        Command::ImportFulcioConfig { file, into } => import_issuers(&file, into.as_deref()),
        Command::Fsck { dir } => run::fsck(&dir),
        Command::Tuf(command) => tuf::command::run(&command),
        Command::Rotate(flags) => rotate(&flags),
        Command::Trust { dir, file, out, write } => trust(&dir, file, out, write),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn init(flags: &Init) -> Result<(), Failure> {
    let local = local_urls(flags.listen);
    let urls = Urls {
        ca: flags.ca_url.clone().unwrap_or(local.ca),
        log: flags.log_url.clone().unwrap_or(local.log),
        ct: flags.ct_url.clone().unwrap_or(local.ct),
        tsa: flags.tsa_url.clone().unwrap_or(local.tsa),
        tuf: None,
    };
    let plan = Plan { name: flags.name.clone(), address: flags.listen, urls, development: false };
    ceremony::init(&flags.dir, &plan, OffsetDateTime::now_utc())?;
    let instance = open(&flags.dir)?;
    publish(&instance, None)?;
    let dir = flags.dir.display();
    say(&format!(
        "made an instance in {dir}\n\
         next: read {dir}/ca.toml, name who may sign in it, then run: ca serve {dir}\n\
         {dir}/keys/root.pem and tsa-root.pem are not needed to serve: keep them elsewhere\n\
         {dir}/keys/tuf-root.pem neither, but without it you sign a new TUF root each year"
    ));
    say_how_to_trust(&instance)
}

fn serve(dir: &Path) -> Result<(), Failure> {
    let instance = open(dir)?;
    if instance.config.issuers.is_empty() && instance.config.sign_in.connectors.is_empty() {
        tracing::warn!(
            "ca.toml names no [[issuer]] and no [[sign_in.connector]]: nobody can get a certificate"
        );
    }
    for place in instance.config.issuers.iter().flat_map(|issuer| issuer.allow.closed()) {
        tracing::warn!("{place} vouches for the public and has no allow rule: nobody may sign");
    }
    let listen = &instance.config.listen;
    if listen.behind_proxy && listen.trusted_proxies.is_empty() {
        tracing::warn!(
            "listen.trusted_proxies names no proxy: requests are not limited by client address"
        );
    }
    publish(&instance, None)?;
    run::serve(instance, Mode::Serve)
}

fn dev(dir: Option<PathBuf>, listen: Option<SocketAddr>) -> Result<(), Failure> {
    let temporary = if dir.is_none() { Some(TemporaryFolder::new()?) } else { None };
    let dir = dir.or_else(|| temporary.as_ref().map(|folder| folder.0.clone()));
    let dir = dir.ok_or("no folder to work in")?;
    if let Some(listen) = listen
        && listen.ip() != std::net::Ipv4Addr::LOCALHOST
    {
        return Err(format!(
            "--listen {listen}: `ca dev` believes everyone and listens on 127.0.0.1 only"
        )
        .into());
    }
    let bound = if dir.join(crate::config::FILE_NAME).exists() {
        reopen(&dir, listen)?
    } else {
        let wanted = listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], DEFAULT_PORT)));
        let bound = run::bind(wanted)?;
        let address = bound.local_addr()?;
        let plan = Plan {
            name: "Paraph development".to_owned(),
            address,
            urls: local_urls(address),
            development: true,
        };
        ceremony::init(&dir, &plan, OffsetDateTime::now_utc())?;
        bound
    };
    let instance = open(&dir)?;
    let issuer = instance.config.sign_in_issuer();
    publish(&instance, Some(&issuer))?;
    let issuer = development_issuer(&issuer, &dir)?;
    run::serve(instance, Mode::Development { bound, issuer })
}

/// The listener of an instance that `ca dev` made before, on the port that it was made with.
fn reopen(dir: &Path, listen: Option<SocketAddr>) -> Result<std::net::TcpListener, Failure> {
    let config = Config::read(dir)?;
    let dir = dir.display();
    if !config.development {
        return Err(format!(
            "{dir}: not made by `ca dev`: with the development provider anyone could sign as \
             anyone under its keys; run `ca serve {dir}`, or give `ca dev` another folder"
        )
        .into());
    }
    let kept = config.listen.address;
    if !kept.ip().is_loopback() {
        return Err(format!(
            "{dir}/ca.toml: listen.address = \"{kept}\": `ca dev` believes everyone and listens on \
             loopback only"
        )
        .into());
    }
    if config.listen.tls.is_some() {
        return Err(format!(
            "{dir}/ca.toml: [listen.tls]: `ca dev` speaks plain HTTP; take the section out, or \
             make an instance with `ca init`"
        )
        .into());
    }
    match listen {
        Some(other) if other != kept => Err(format!(
            "--listen {other}: the instance in {dir} has the address {kept} in its trust root; \
             leave --listen out, or give `ca dev` another folder"
        )
        .into()),
        _ => run::bind(kept),
    }
}

fn token(dir: &Path, email: &str, audience: &str) -> Result<(), Failure> {
    let config = Config::read(dir)?;
    let path = ceremony::development_key(dir);
    if !config.development || !path.exists() {
        return Err(format!(
            "{}: not made by `ca dev`: it has no development identity provider",
            dir.display()
        )
        .into());
    }
    let token = development_issuer(&config.sign_in_issuer(), dir)?.token(email, audience)?;
    let mut out = std::io::stdout();
    // Into a file goes the token alone: cosign sends what a token file holds, line feed and all.
    let end = if out.is_terminal() { "\n" } else { "" };
    write!(out, "{token}{end}")?;
    Ok(())
}

fn development_issuer(url: &str, dir: &Path) -> Result<DevIssuer, Failure> {
    let key = keys::read_pem(&ceremony::development_key(dir))?;
    Ok(DevIssuer::new(url, &key, Clock::system().as_seconds())?)
}

/// The tables go to standard output or into an instance, and what there is to say of them to
/// standard error.
fn import_issuers(file: &Path, into: Option<&Path>) -> Result<(), Failure> {
    let imported = import::read(file)?;
    for note in &imported.notes {
        say(note);
    }
    match into {
        Some(dir) => import::append(&imported, dir)?,
        None => {
            for (path, _) in &imported.files {
                let path = path.display();
                say(&format!("{path}: a certificate of the configuration; --into DIR writes it"));
            }
            print(&imported.toml)?;
        }
    }
    say(&format!("{} issuers imported", imported.issuers));
    if imported.issuers == 0 { Err("no issuer could be imported".into()) } else { Ok(()) }
}

fn trust(dir: &Path, file: TrustFile, out: Option<PathBuf>, write: bool) -> Result<(), Failure> {
    let instance = open(dir)?;
    let issuer = instance.config.sign_in_issuer();
    let files = TrustFiles::of(&instance, instance.config.development.then_some(issuer.as_str()));
    if write {
        files.write(&instance.public())?;
        tuf::publish(&instance, Clock::system().now())?;
        return Ok(());
    }
    say_how_to_trust(&instance)?;
    if let Some(folder) = out {
        std::fs::create_dir_all(&folder)?;
        files.write(&folder)?;
        std::fs::write(folder.join("root.json"), tuf::first_root(dir)?)?;
        return Ok(());
    }
    print(match file {
        TrustFile::TrustedRoot => &files.trusted_root,
        TrustFile::SigningConfig => &files.signing_config,
        TrustFile::ClientTrustConfig => &files.client_trust_config,
        TrustFile::Instance => &files.description,
        // Its fingerprint is over every byte, the last line feed included.
        TrustFile::Root => return Ok(std::io::stdout().write_all(&tuf::first_root(dir)?)?),
    })
}

/// The one value that a person compares, and the lines to type, on standard error: standard output
/// may go into a file.
fn say_how_to_trust(instance: &Instance) -> Result<(), Failure> {
    let fingerprint = tuf::fingerprint(&instance.dir)?;
    let (ca, tuf) = (&instance.config.urls.ca, instance.config.urls.tuf());
    say(&format!(
        "fingerprint {fingerprint}\n\
         \x20 signer trust {ca} --fingerprint {fingerprint}\n\
         \x20 cosign initialize --mirror {tuf} --root {tuf}/1.root.json \
         --root-checksum {fingerprint}"
    ));
    Ok(())
}

fn rotate(flags: &Rotate) -> Result<(), Failure> {
    let clock = Clock::system();
    let role = match flags.what {
        RotateWhat::Ca => Role::Issuing,
        RotateWhat::Ct => Role::Ct,
        RotateWhat::Log => Role::Log,
        RotateWhat::Tsa => Role::Timestamp,
        RotateWhat::Tuf => {
            say(&tuf::rotate::rotate(&open(&flags.dir)?, clock.now())?);
            return Ok(());
        }
        RotateWhat::Status => return print(&rotate::status(&flags.dir, clock.now())?),
    };
    let how = How {
        wait_seconds: flags.wait,
        root_key: flags.root_key.clone(),
        without_waiting: flags.without_waiting,
    };
    say(&rotate::rotate(&flags.dir, role, &how, &clock)?);
    Ok(())
}

/// Publishes the trust files. Until the logs are born nothing was signed under what is published,
/// so that the URLs may still be changed; from then on a difference stops the start.
fn publish(instance: &Instance, development_issuer: Option<&str>) -> Result<(), Failure> {
    let files = TrustFiles::of(instance, development_issuer);
    if instance.database().exists() {
        files.publish(&instance.public())?;
    } else {
        files.write(&instance.public())?;
    }
    tuf::publish(instance, Clock::system().now())?;
    Ok(())
}

pub(crate) fn open(dir: &Path) -> Result<Instance, Failure> {
    Ok(Instance::open(dir, Clock::system().now())?)
}

/// The faces of an instance on this machine alone: one plain origin, and CT below `/ct`.
fn local_urls(address: SocketAddr) -> Urls {
    let base = format!("http://localhost:{}", address.port());
    Urls {
        log: base.clone(),
        ct: format!("{base}/ct"),
        tsa: format!("{base}/api/v1/timestamp"),
        ca: base,
        tuf: None,
    }
}

/// A folder for `ca dev` without DIR; removed when the server has stopped.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new() -> Result<Self, Failure> {
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random)?;
        let name = format!("paraph-dev-{:016x}", u64::from_be_bytes(random));
        Ok(Self(std::env::temp_dir().join(name)))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}

fn start_logging(cli: &Cli) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&cli.log_level)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match cli.log_format {
        LogFormat::Text => builder.with_target(false).compact().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
}

fn print(text: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{}", text.trim_end())?;
    Ok(())
}

pub(crate) fn say(text: &str) {
    let _closed = writeln!(std::io::stderr(), "{text}");
}

/// The port of `ca dev` where nothing else is said.
const DEFAULT_PORT: u16 = 8700;

/// The exit code of `ca explain` for a token that would get no certificate.
const NOT_ISSUED: u8 = 12;
