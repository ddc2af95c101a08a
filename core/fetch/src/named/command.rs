//! `trust`, as both tools have it: pins an instance once, and looks after what is pinned.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use formats::digest::{Digest, HashAlgorithm};
use serde_json::{Value, json};

use super::flags::{TrustCommand, TrustOutput, TrustUrl};
use super::{Current, Home, Name, NamedError, NamedRoot, RESERVED, Record, rfc3339};
use crate::endpoint::Endpoint;
use crate::http::Http;
use crate::shown::{ascii_json, one_line, shown};
use crate::tuf::{Found, Metadata, Repository, TufError, find};

/// What is to be done.
#[derive(Debug, Clone)]
pub enum Order<'a> {
    /// Trust an instance.
    Trust(&'a TrustUrl),
    /// Look after what is trusted.
    Manage(&'a TrustCommand),
}

/// What was done: words for a person, lines for a script, and both for a program.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// For standard error.
    pub talk: String,
    /// For standard output.
    pub result: String,
    /// For standard output, instead of both.
    pub json: Value,
}

/// Who runs the command.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// Its name, as it is typed.
    pub name: &'static str,
    /// What to run once an instance is trusted.
    pub next: &'static str,
}

/// Runs the command, tells what came of it, and returns the exit code: 0 done, 1 otherwise.
#[must_use]
pub fn main(tool: Tool, order: &Order<'_>, output: TrustOutput, now: i64) -> u8 {
    let outcome = Home::of_environment().and_then(|home| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| NamedError::Runtime(error.kind()))?
            .block_on(run(tool, order, &home, now))
    });
    tell(tool, outcome, output)
}

/// Tells an outcome of `trust`, and returns the exit code.
#[must_use]
pub fn tell(tool: Tool, outcome: Result<Told, NamedError>, output: TrustOutput) -> u8 {
    let (talk, result, exit) = match (outcome, output) {
        (Ok(told), TrustOutput::Text) => (told.talk, told.result, 0),
        (Ok(told), TrustOutput::Json) => (String::new(), line(&told.json), 0),
        (Err(fault), TrustOutput::Text) => (failure_text(tool, &fault), String::new(), 1),
        (Err(fault), TrustOutput::Json) => (String::new(), line(&failure_json(tool, &fault)), 1),
    };
    // What is said on standard error is for a person who may have closed it; the result is not.
    _ = io::stderr().write_all(talk.as_bytes());
    let mut stdout = io::stdout().lock();
    match stdout.write_all(result.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => exit,
        Err(_) => 1,
    }
}

/// Runs the command at `now`, in Unix seconds.
///
/// # Errors
/// [`NamedError`].
pub async fn run(tool: Tool, order: &Order<'_>, home: &Home, now: i64) -> Result<Told, NamedError> {
    let http = Http::new();
    match order {
        Order::Trust(flags) => trust(tool, flags, home, &http, now).await,
        Order::Manage(TrustCommand::List) => list(home),
        Order::Manage(TrustCommand::Show { name }) => {
            let root = chosen(home, name.as_deref())?;
            show(home, &root, now)
        }
        Order::Manage(TrustCommand::Update { name }) => {
            let root = chosen(home, name.as_deref())?;
            let current = root.update(&http, now).await?;
            Ok(Told {
                talk: format!("Updated {}\n{}", current.name, facts(root.record(), &current)),
                result: format!("{}\n", current.name),
                json: described(home, root.record(), Some(&current))?,
            })
        }
        Order::Manage(TrustCommand::Default { name }) => {
            let name = Name::parse(name)?;
            home.set_default(&name)?;
            Ok(done(&format!("{name} is the default from now on"), &name))
        }
        Order::Manage(TrustCommand::Remove { name }) => {
            let name = Name::parse(name)?;
            home.remove(&name)?;
            Ok(done(&format!("{name} is trusted no more"), &name))
        }
    }
}

/// The root with this name, or the default one.
///
/// # Errors
/// [`NamedError::Unknown`], [`NamedError::NoName`] and what opening gives.
pub fn chosen(home: &Home, name: Option<&str>) -> Result<NamedRoot, NamedError> {
    match name {
        Some(name) => home.open(&Name::parse(name)?),
        None => home.open_default()?.ok_or_else(|| NamedError::NoName {
            names: home
                .names()
                .map(|names| names.iter().map(Name::to_string).collect())
                .unwrap_or_default(),
        }),
    }
}

async fn trust(
    tool: Tool,
    flags: &TrustUrl,
    home: &Home,
    http: &Http,
    now: i64,
) -> Result<Told, NamedError> {
    let url = Endpoint::parse(flags.url.as_deref().ok_or(NamedError::NoUrl)?)?;
    let name = flags.name.as_deref().map(Name::parse).transpose()?;
    let fingerprint = flags.fingerprint.as_deref().map(fingerprint).transpose()?;
    let fault = |fault: TufError| NamedError::Tuf { name: url.to_string(), fault };

    let found = find(http, &url, fingerprint.as_ref()).await.map_err(fault)?;
    if fingerprint.is_none() {
        compare(&url, &found)?;
    }
    let pinned = Metadata { roots: vec![found.root], ..Metadata::default() };
    let contents = Repository::new(http, found.base.clone())
        .update(&found.fingerprint, &pinned, &super::WANTED, now)
        .await
        .map_err(fault)?;

    // Read before the name is known: an instance that cannot be read gets none.
    let mut current = Current { name: Name(RESERVED.to_owned()), contents, unreached: None };
    let description = current.description()?;
    let name = match name {
        Some(name) => name,
        None => match description {
            Some(description) => Name::made_of(&description.name)?,
            None => Name::made_of(url.host())?,
        },
    };
    current.name = name.clone();
    current.trusted_root()?;
    if current.contents.file(super::SIGNING_CONFIG).is_some() {
        current.trust()?;
    }

    let record = Record { name, url, repository: found.base, fingerprint: found.fingerprint };
    match home.open(&record.name) {
        // Trusted before: what is held of it must not be older, so that it is asked once more with
        // what is held to compare with.
        Ok(before) if before.record().fingerprint == record.fingerprint => {
            current = before.update(http, now).await?;
            home.add(record.clone(), &current.contents, now)?;
        }
        Ok(_) | Err(NamedError::Unknown { .. }) => {
            home.add(record.clone(), &current.contents, now)?;
        }
        Err(error) => return Err(error),
    }
    let default = !flags.no_default;
    if default {
        home.set_default(&record.name)?;
    }
    let which = if default { ", the default from now on" } else { "" };
    let Tool { next, .. } = tool;
    Ok(Told {
        talk: format!(
            "Trusted {} as {}{which}\n{}  next         {next}\n",
            record.url,
            record.name,
            facts(&record, &current)
        ),
        result: format!("{}\n", record.name),
        json: described(home, &record, Some(&current))?,
    })
}

/// A person compares the fingerprint; without a terminal nobody can.
fn compare(url: &Endpoint, found: &Found) -> Result<(), NamedError> {
    let (found, stdin) = (found.fingerprint.to_hex(), io::stdin());
    if !stdin.is_terminal() || !io::stderr().is_terminal() {
        return Err(NamedError::NotCompared { url: url.to_string(), found });
    }
    _ = io::stderr().write_all(
        format!(
            "The root of {url} has the fingerprint\n  {found}\nCompare it with the one that its \
             operator gave you over another channel.\nType yes if they are the same: "
        )
        .as_bytes(),
    );
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    if read.is_ok() && answer.trim() == "yes" { Ok(()) } else { Err(NamedError::Declined) }
}

fn fingerprint(text: &str) -> Result<Digest, NamedError> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text).to_ascii_lowercase();
    Digest::from_hex(HashAlgorithm::Sha256, &hex)
        .map_err(|_| NamedError::Fingerprint { text: text.to_owned() })
}

fn list(home: &Home) -> Result<Told, NamedError> {
    let names = home.names()?;
    let default = home.default_name()?;
    let mut result = String::new();
    let mut all = Vec::new();
    for name in &names {
        let root = home.open(name)?;
        let mark = if default.as_ref() == Some(name) { " (default)" } else { "" };
        result += &format!("{name} {}{mark}\n", root.record().url);
        all.push(described(home, root.record(), None)?);
    }
    let talk = if names.is_empty() { "Nothing is trusted yet\n" } else { "" };
    Ok(Told {
        talk: talk.to_owned(),
        result,
        json: json!({ "schema": SCHEMA, "ok": true, "instances": all }),
    })
}

/// What is held, whether it may still be used or not.
fn show(home: &Home, root: &NamedRoot, now: i64) -> Result<Told, NamedError> {
    let current = root.offline(now)?;
    let checked = rfc3339(root.checked());
    let text = format!("{}  last asked   {checked}\n", facts(root.record(), &current));
    let mut json = described(home, root.record(), Some(&current))?;
    json["checked"] = checked.into();
    Ok(Told { talk: String::new(), result: format!("{}\n{text}", current.name), json })
}

fn facts(record: &Record, current: &Current) -> String {
    let contents = &current.contents;
    format!(
        "  url          {}\n  fingerprint  {}\n  root         version {}\n  newest till  {}\n  \
         usable till  {}\n",
        record.url,
        record.fingerprint.to_hex(),
        contents.root_version,
        rfc3339(contents.fresh_until),
        rfc3339(contents.lives_until),
    )
}

fn described(home: &Home, record: &Record, current: Option<&Current>) -> Result<Value, NamedError> {
    let mut value = json!({
        "schema": SCHEMA,
        "ok": true,
        "name": record.name.as_str(),
        "url": record.url.to_string(),
        "repository": record.repository.to_string(),
        "fingerprint": record.fingerprint.to_hex(),
        "default": home.default_name()?.as_ref() == Some(&record.name),
    });
    if let Some(Current { contents, .. }) = current {
        value["rootVersion"] = contents.root_version.into();
        value["freshUntil"] = rfc3339(contents.fresh_until).into();
        value["usableUntil"] = rfc3339(contents.lives_until).into();
    }
    Ok(value)
}

fn done(what: &str, name: &Name) -> Told {
    Told {
        talk: format!("{what}\n"),
        result: String::new(),
        json: json!({ "schema": SCHEMA, "ok": true, "name": name.as_str() }),
    }
}

fn failure_text(tool: Tool, fault: &NamedError) -> String {
    format!(
        "error: {} [{}]\n  at fault  {}\n  advice    {}\n",
        one_line(&fault.to_string()),
        fault.code(),
        fault.blame(),
        shown(&fault.advice(tool.name)),
    )
}

fn failure_json(tool: Tool, fault: &NamedError) -> Value {
    json!({
        "schema": SCHEMA,
        "ok": false,
        "code": fault.code(),
        "blame": fault.blame(),
        "message": one_line(&fault.to_string()),
        "advice": fault.advice(tool.name),
    })
}

fn line(value: &Value) -> String {
    ascii_json(&value.to_string()) + "\n"
}

/// The version of the JSON report. Members are added to it, never changed or taken away.
const SCHEMA: &str = "paraph.trust.v1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_a_sha256() {
        let hex = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        let digest = fingerprint(hex);
        assert_eq!(digest.as_ref().map(Digest::to_hex), Ok(hex.to_owned()));
        assert_eq!(fingerprint(&format!("sha256:{hex}")), digest);
        assert_eq!(fingerprint(&hex.to_uppercase()), digest);
        for text in ["", "sha256:", &hex[1..], &format!("{hex}0"), &format!("sha512:{hex}")] {
            assert_eq!(fingerprint(text), Err(NamedError::Fingerprint { text: text.into() }));
        }
    }
}
