//! `ca explain`: what certificate a token would get here, or why it gets none, rule by rule.
//!
//! It asks the code that answers requests. What it is told may be a token, which is verified in
//! full, or mere claims, which become a [`SupposedIdentity`] that nothing can issue from.
//!
//! [`SupposedIdentity`]: crate::identity::SupposedIdentity

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use formats::certificate::SubjectName;
use formats::json;
use formats::limits::MAX_TOKEN_BYTES;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::admit::Miss;
use crate::broker::Broker;
use crate::ceremony;
use crate::cli::{Explain, Output};
use crate::clock::Clock;
use crate::config::Config;
use crate::failure::Failure;
use crate::identity::{
    Claims, Identities, IssuerConfig, Token, TokenRefusal, Words, extension_name,
};
use crate::keys;
use crate::oidc_dev::DevIssuer;

/// Runs the command: true if a certificate would be issued.
///
/// # Errors
/// When the instance, the token's file or its issuer cannot be read, which says nothing about the
/// token.
pub fn explain(flags: &Explain) -> Result<bool, Failure> {
    let identities = identities(&flags.dir)?;
    let told = match (&flags.token, &flags.claims) {
        (Some(path), _) => of_token(&identities, path)?,
        (None, Some(path)) => of_claims(&identities, path)?,
        (None, None) => return Err("say what to explain: --token FILE or --claims FILE".into()),
    };
    let text = match flags.output {
        Output::Text => told.text(),
        Output::Json => format!("{}\n", told.json()),
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(told.refusal.is_none())
}

/// The issuers that the server trusts.
fn identities(dir: &Path) -> Result<Identities, Failure> {
    let config = Config::read(dir)?;
    let clock = Clock::system().as_seconds();
    let development = if config.development {
        let key = keys::read_pem(&ceremony::development_key(dir))?;
        Some(DevIssuer::new(&config.sign_in_issuer(), &key, Arc::clone(&clock))?)
    } else {
        None
    };
    let broker = Broker::open(dir, &config, development.as_ref(), Arc::clone(&clock))?;
    Ok(broker.door(&broker.settings(), config.issuers, clock)?)
}

fn of_token(identities: &Identities, path: &Path) -> Result<Told, Failure> {
    let bytes = Zeroizing::new(read(path)?);
    let token = Token::from_bytes(bytes.trim_ascii())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(identities.verify(&token)) {
        Ok(identity) => {
            Ok(Told::of(true, identity.words(), identity.claims(), identity.vouched_by()))
        }
        Err(refusal) if refusal.is_our_side() => Err(refusal.into()),
        Err(refusal) => Ok(Told::refused(true, &refusal)),
    }
}

fn of_claims(identities: &Identities, path: &Path) -> Result<Told, Failure> {
    // Claims may be a token's, and a token may have been given for claims: neither is printed.
    let bytes = Zeroizing::new(read(path)?);
    let claims: Map<String, Value> = json::from_slice(&bytes).map_err(|_unreadable| {
        format!("{}: is not one JSON object of claims; is it a token? Use --token", path.display())
    })?;
    Ok(match identities.suppose(Claims::new(claims)) {
        Ok(identity) => Told::of(false, identity.words(), identity.claims(), identity.vouched_by()),
        Err(refusal) => Told::refused(false, &refusal),
    })
}

/// A file, or standard input for `-`; more than the largest token is not read.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let most = u64::try_from(MAX_TOKEN_BYTES)?.saturating_mul(2);
    let mut bytes = Vec::with_capacity(MAX_TOKEN_BYTES * 2);
    if path == Path::new("-") {
        std::io::stdin().take(most).read_to_end(&mut bytes)?;
    } else {
        let unreadable = |error| format!("{}: cannot be read: {error}", path.display());
        std::fs::File::open(path)
            .and_then(|file| file.take(most).read_to_end(&mut bytes))
            .map_err(unreadable)?;
    }
    Ok(bytes)
}

/// All there is to say.
struct Told {
    /// The token's signature and times were checked.
    verified: bool,
    entry: Option<String>,
    rules: Vec<Option<Miss>>,
    certificate: Option<Certificate>,
    /// Code and message, as the server answers them.
    refusal: Option<(&'static str, String)>,
}

struct Certificate {
    subject: (&'static str, String),
    issuer: String,
    /// Last arc of 1.3.6.1.4.1.57264.1, name and value.
    extensions: Vec<(u8, &'static str, String)>,
}

impl Told {
    fn of(verified: bool, words: &Words, claims: &Claims, entry: &IssuerConfig) -> Self {
        let judged = entry.allow.judge(&words.issuer, claims);
        Self {
            verified,
            entry: Some(format!("{} (client_id {})", entry.url, entry.client_id)),
            rules: entry.allow.each(&words.issuer, claims),
            certificate: Some(Certificate::of(words)),
            refusal: judged.err().map(|refusal| (refusal.code(), refusal.to_string())),
        }
    }

    fn refused(verified: bool, refusal: &TokenRefusal) -> Self {
        Self {
            verified,
            entry: None,
            rules: Vec::new(),
            certificate: None,
            refusal: Some((refusal.code(), refusal.to_string())),
        }
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        match &self.refusal {
            None => lines.push("a certificate would be issued".to_owned()),
            Some((code, message)) => {
                lines.push(format!("no certificate would be issued: {message} ({code})"));
            }
        }
        if !self.verified {
            lines.push("  from claims alone: no signature and no time was checked".to_owned());
        }
        lines.extend(self.entry.iter().map(|entry| format!("  issuer entry  {entry}")));
        for (before, miss) in self.rules.iter().enumerate() {
            let said = miss.as_ref().map_or_else(
                || "holds".to_owned(),
                |miss| format!("does not hold: {}", miss.in_full()),
            );
            lines.push(format!("  rule {:<8} {said}", before + 1));
        }
        if let Some(certificate) = &self.certificate {
            let would = if self.refusal.is_some() { "it would say" } else { "it says" };
            lines.push(would.to_owned());
            let (kind, subject) = &certificate.subject;
            lines.push(format!("  subject       {kind} {}", visible(subject)));
            lines.push(format!("  issuer        {}", visible(&certificate.issuer)));
            for (arc, name, value) in &certificate.extensions {
                lines.push(format!("  1.{arc:<11} {name}: {}", visible(value)));
            }
        }
        lines.join("\n") + "\n"
    }

    fn json(&self) -> Value {
        let rules: Vec<Value> = self.rules.iter().enumerate().map(rule).collect();
        let certificate = self.certificate.as_ref().map(|certificate| {
            let extensions: Vec<Value> = certificate
                .extensions
                .iter()
                .map(|(arc, name, value)| {
                    json!({ "oid": format!("{FULCIO}.{arc}"), "name": name, "value": value })
                })
                .collect();
            let (kind, value) = &certificate.subject;
            json!({
                "subject": { "type": kind, "value": value },
                "issuer": certificate.issuer,
                "extensions": extensions,
            })
        });
        let refusal = self
            .refusal
            .as_ref()
            .map(|(code, message)| json!({ "code": code, "message": message }));
        json!({
            "issued": self.refusal.is_none(),
            "verified": self.verified,
            "entry": self.entry,
            "rules": rules,
            "certificate": certificate,
            "refusal": refusal,
        })
    }
}

fn rule((before, miss): (usize, &Option<Miss>)) -> Value {
    match miss {
        None => json!({ "rule": before + 1, "holds": true }),
        Some(miss) => json!({
            "rule": before + 1,
            "holds": false,
            "key": miss.key(),
            "claim": miss.claim(),
            "wanted": miss.wanted(),
            "message": miss.in_full(),
        }),
    }
}

impl Certificate {
    fn of(words: &Words) -> Self {
        let subject = match &words.subject {
            SubjectName::Email(address) => ("email", address.clone()),
            SubjectName::Uri(uri) => ("uri", uri.clone()),
            SubjectName::OtherName(name) => ("otherName", name.clone()),
        };
        let own = words.extensions.iter().map(|(arc, value)| (*arc, value.clone()));
        let ends = [(1, &words.issuer), (8, &words.issuer), (24, &words.token_subject)];
        let ends = ends.into_iter().map(|(arc, value)| (arc, value.clone()));
        let mut extensions: Vec<_> =
            own.chain(ends).map(|(arc, value)| (arc, extension_name(arc), value)).collect();
        extensions.sort_by_key(|(arc, ..)| *arc);
        Self { subject, issuer: words.issuer.clone(), extensions }
    }
}

/// Text of a token, for a terminal: what is no plain character is escaped.
fn visible(text: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '\'' | '\\' => c.to_string(),
        _ => c.escape_debug().to_string(),
    };
    text.chars().map(escaped).collect()
}

/// Fulcio's arc for what its certificates say.
const FULCIO: &str = "1.3.6.1.4.1.57264.1";
