//! `providers`: stand-ins of GitHub and Google on loopback, until it is ended.
//!
//! Once they answer, it prints one line for each on standard output: `github URL`, `google URL`.

use std::fs;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::path::PathBuf;

use clap::Parser;
use providers::accounts::Accounts;
use providers::github::GitHub;
use providers::google::Google;
use providers::registration::Registration;
use thiserror::Error;
use tokio::net::TcpListener;

/// Stand-ins of GitHub's and Google's sign-in endpoints on loopback, for tests.
#[derive(Debug, Parser)]
#[command(name = "providers")]
struct Cli {
    /// The client id that both know the application by.
    #[arg(long, default_value = "paraph")]
    client_id: String,
    /// Its secret at both.
    #[arg(long, default_value = "correct horse battery staple")]
    client_secret: String,
    /// Where people may be sent back to. GitHub knows the first only.
    #[arg(long = "redirect-uri", required = true, value_name = "URL")]
    redirect_uris: Vec<String>,
    /// TOML with the accounts; without it those of this package are used.
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// The issuer that Google's tokens name, instead of its own URL.
    #[arg(long, value_name = "URL")]
    google_issuer: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let cli = Cli::parse();
    let accounts = match &cli.accounts {
        Some(path) => Accounts::from_toml(&fs::read_to_string(path)?)?,
        None => Accounts::built_in(),
    };
    let registration = Registration {
        client_id: cli.client_id,
        client_secret: cli.client_secret,
        redirect_uris: cli.redirect_uris,
    };
    let (listener, url) = listen().await?;
    let github = GitHub::new(&url, registration.clone(), accounts.github);
    let (google_listener, google_url) = listen().await?;
    let issuer = cli.google_issuer.as_deref().unwrap_or(&google_url);
    let google = Google::new(&google_url, issuer, registration, accounts.google);

    let google_served =
        tokio::spawn(async move { axum::serve(google_listener, google.router()).await });
    let mut out = io::stdout();
    writeln!(out, "github {url}\ngoogle {google_url}")?;
    out.flush()?;
    axum::serve(listener, github.router()).await?;
    google_served.await??;
    Ok(())
}

async fn listen() -> io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    Ok((listener, url))
}

#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the accounts file does not read: {0}")]
    Accounts(#[from] toml::de::Error),
    #[error(transparent)]
    Ended(#[from] tokio::task::JoinError),
}
