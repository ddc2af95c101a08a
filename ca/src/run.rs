//! The running server: opens the logs, joins the faces, listens, and stops gracefully.

use std::io::{IsTerminal as _, Write as _};
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::Config;
use crate::disk::InUse;
use crate::faces::{self, Faces};
use crate::failure::Failure;
use crate::instance::Instance;
use crate::logs;
use crate::metrics::Metrics;
use crate::oidc_dev::DevIssuer;
use crate::proxy::TrustedProxies;
use crate::reload::{self, Followed, Hangup, Part, Reload, Step};
use crate::rotation::Rotation;
use crate::serve::{self, Front};
use crate::tls::{self, Look, Tls};

/// How the server runs.
pub enum Mode {
    /// For an organisation: no development provider, metrics on a listener of their own.
    Serve,
    /// For a developer's machine: everything on one loopback listener.
    Development {
        /// The listener, bound before the instance was made so that its port is known.
        bound: TcpListener,
        /// The development identity provider.
        issuer: DevIssuer,
    },
}

/// Serves an instance until it is told to stop.
///
/// # Errors
/// When the logs cannot be opened or an address cannot be listened on.
pub fn serve(instance: Instance, mode: Mode) -> Result<(), Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(instance, mode))
}

async fn run(instance: Instance, mode: Mode) -> Result<(), Failure> {
    let clock = Clock::system();
    // Held to the end: no key is switched under a server that signs with it.
    let _in_use = InUse::by_server(&instance.dir)?;
    if Rotation::read(&instance.dir)? != instance.rotation {
        return Err("keys were rotated while this server was starting; start it again".into());
    }
    let development = matches!(mode, Mode::Development { .. });
    let (listeners, issuer) = match mode {
        Mode::Serve => (vec![bind(instance.config.listen.address)?], None),
        Mode::Development { bound, issuer } => (with_ipv6_loopback(bound)?, Some(issuer)),
    };
    let metrics_listener =
        if development { None } else { Some(bind(instance.config.listen.metrics)?) };
    let listen = &instance.config.listen;
    let tls = listen.tls.as_ref().map(|files| Tls::open(&instance.dir, files)).transpose()?;
    let tls = tls.map(Arc::new);
    let engine = logs::open(&instance, &clock)?;
    let Faces { router, metrics, metrics_router, mut parts, renewal } =
        faces::join(&instance, &engine, &clock, issuer.as_ref(), tls.clone())?;
    if let Some(tls) = &tls {
        tokio::spawn(watch_tls(Arc::clone(tls), clock.clone(), metrics.clone()));
        parts.push(Box::new(follow_tls(tls, &instance.dir, &clock)));
    }
    let running =
        Followed { config: instance.config_text.clone(), rotation: instance.rotation.clone() };
    let reload = Reload::new(&instance.dir, running, parts, metrics.clone());
    tokio::spawn(reload::watch(reload, Hangup::listen()?));
    let front = Front {
        router,
        tls: tls.as_deref().map(Tls::acceptor),
        proxies: TrustedProxies::new(&listen.trusted_proxies),
    };
    let renewal = tokio::spawn(renewal.run());

    let (stop, stopping) = watch::channel(false);
    let mut serving = vec![tokio::spawn(serve::serve(
        listeners.into_iter().map(tokio::net::TcpListener::from_std).collect::<Result<_, _>>()?,
        front,
        metrics.clone(),
        stopping.clone(),
    ))];
    if let Some(listener) = metrics_listener {
        let listener = vec![tokio::net::TcpListener::from_std(listener)?];
        serving.push(tokio::spawn(serve::serve(
            listener,
            Front::plain(metrics_router),
            metrics,
            stopping.clone(),
        )));
    }
    // Whoever reads "ready" may stop the server at once, and must find it listening for that.
    let mut signals = StopSignals::listen()?;
    announce(&instance, development)?;

    signals.next().await;
    tracing::info!("stopping: finishing what was accepted; a second signal stops at once");
    tokio::spawn(async move {
        signals.next().await;
        std::process::exit(1);
    });
    let _no_receiver = stop.send(true);
    renewal.abort();
    for server in serving {
        let _panicked = server.await;
    }
    // Everything that was accepted has been answered by now; this commits what nobody waits for.
    tokio::task::spawn_blocking(move || engine.shutdown()).await?;
    tracing::info!("stopped");
    Ok(())
}

fn follow_tls(tls: &Arc<Tls>, dir: &Path, clock: &Clock) -> impl Part + use<> {
    let (tls, dir, clock) = (Arc::clone(tls), dir.to_owned(), clock.clone());
    move |config: &Config| -> Result<Step, Failure> {
        // That there is a [listen.tls] does not change while the server runs.
        let Some(files) = &config.listen.tls else { return Ok(Box::new(|| {})) };
        Ok(Box::new(tls.prepare(&dir, files, clock.now())?))
    }
}

/// Looks at the certificate's files until the server ends.
async fn watch_tls(tls: Arc<Tls>, clock: Clock, metrics: Metrics) {
    let mut looks = tokio::time::interval(tls::LOOK);
    loop {
        looks.tick().await;
        let (at, now) = (Arc::clone(&tls), clock.now());
        let outcome = match tokio::task::spawn_blocking(move || at.look(now)).await {
            Ok(Look::Same) | Err(_) => continue,
            Ok(Look::Taken) => {
                tracing::info!(ends = tls.not_after(), "a new TLS certificate is shown");
                "taken"
            }
            Ok(Look::Refused(error)) => {
                tracing::error!(%error, "the TLS certificate was not exchanged; the old one stays");
                "refused"
            }
        };
        metrics.reloads.with_label_values(&["tls", outcome]).inc();
    }
}

/// Listens on an address.
///
/// # Errors
/// When the address cannot be had; the message names it.
pub fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address)
        .map_err(|error| format!("{address}: cannot listen there: {error}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Adds `[::1]` on the same port where the machine has it, since "localhost" may mean either.
fn with_ipv6_loopback(bound: TcpListener) -> Result<Vec<TcpListener>, Failure> {
    let port = bound.local_addr()?.port();
    let mut listeners = vec![bound];
    match TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))) {
        Ok(listener) => {
            listener.set_nonblocking(true)?;
            listeners.push(listener);
        }
        Err(error) => tracing::debug!(%error, "not listening on [::1]"),
    }
    Ok(listeners)
}

/// The one line that says the server is ready, and on a terminal what to type next.
fn announce(instance: &Instance, development: bool) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready {}", instance.config.urls.ca)?;
    if development && out.is_terminal() {
        let dir = instance.dir.display();
        let issuer = instance.config.sign_in_issuer();
        writeln!(
            out,
            "\nTry, in another terminal:\n\
             \x20 export SIGSTORE_ID_TOKEN=$(ca token {dir} --email alice@example.com)\n\
             \x20 signer sign-blob FILE --instance {dir}\n\
             \x20 verifier verify-blob FILE --instance {dir} \
             --certificate-identity alice@example.com --certificate-oidc-issuer {issuer}"
        )?;
    }
    out.flush()?;
    Ok(())
}

/// Ctrl-C, and where there is one SIGTERM.
#[cfg(unix)]
struct StopSignals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl StopSignals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct StopSignals;

#[cfg(not(unix))]
impl StopSignals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        let _unavailable = tokio::signal::ctrl_c().await;
    }
}

/// `ca fsck`: rechecks the logs of the instance in `dir` and prints `ok` or what is wrong.
///
/// # Errors
/// When the instance cannot be read, or something is wrong with its logs.
pub fn fsck(dir: &Path) -> Result<(), Failure> {
    let instance = Instance::open(dir, Clock::system().now())?;
    let mut out = std::io::stdout().lock();
    let mut printed = Ok(());
    let summary = logs::fsck(&instance, &mut |finding| {
        if printed.is_ok() {
            printed = writeln!(out, "{finding}");
        }
    })?;
    printed?;
    if summary.findings > 0 {
        let dir = dir.display();
        return Err(format!("{} things are wrong with the logs of {dir}", summary.findings).into());
    }
    let entries: Vec<String> =
        summary.entries.iter().map(|(tree, count)| format!("{count} entries in {tree}")).collect();
    tracing::info!("checked {} and {} audit rows", entries.join(", "), summary.audit_rows);
    writeln!(out, "ok")?;
    Ok(())
}
