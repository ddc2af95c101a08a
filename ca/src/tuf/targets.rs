//! The files that the repository vouches for: what the instance publishes, and the same keys and
//! certificates one by one for clients that came before `trusted_root.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use formats::certificate::Certificate;
use formats::trusted_root::{CertificateAuthority, TransparencyLog, TrustedRoot, Window};
use serde_json::{Value, json};

use crate::tuf::TufError;

/// A target: its name, its bytes and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TargetFile {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) custom: Option<Custom>,
}

/// What cosign 2.5 and gitsign 0.13 look for in a target's `custom.sigstore`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Custom {
    usage: &'static str,
    active: bool,
    uri: String,
}

impl Custom {
    pub(super) fn to_value(&self) -> Value {
        let status = if self.active { "Active" } else { "Expired" };
        json!({ "usage": self.usage, "status": status, "uri": self.uri })
    }
}

/// The targets of the files in `public`, the folder of the published trust files.
///
/// The keys and certificates come out of the trust root itself, so that the two cannot differ:
/// what has an end there is `Expired` here. The log key stands under the name and the usage of a
/// Rekor v1 log's, where gitsign and cosign 2.5 look for it.
pub(super) fn published(public: &Path, now: i64) -> Result<Vec<TargetFile>, TufError> {
    let mut files = Vec::new();
    for name in WHOLE {
        let path = public.join(name);
        let bytes = fs::read(&path).map_err(|source| TufError::File { path, source })?;
        files.push(TargetFile { name: name.to_owned(), bytes, custom: None });
    }
    let root = TrustedRoot::from_json(&files[0].bytes)?;
    log_keys(&mut files, &root.ct_logs, ("ctfe", "CTFE"), now);
    log_keys(&mut files, &root.logs, ("rekor", "Rekor"), now);
    authorities(&mut files, &root.authorities, now);
    timestamps(&mut files, &root.timestamp_authorities, now);
    Ok(files)
}

fn log_keys(
    files: &mut Vec<TargetFile>,
    logs: &[TransparencyLog],
    (name, usage): (&str, &'static str),
    now: i64,
) {
    let mut names = Names::default();
    for log in newest_first(logs, |log| log.window) {
        let custom = Custom { usage, active: is_open(log.window, now), uri: log.base_url.clone() };
        files.push(TargetFile {
            name: names.next(name, "pub"),
            bytes: log.key.to_pem().into(),
            custom: Some(custom),
        });
    }
}

fn authorities(files: &mut Vec<TargetFile>, authorities: &[CertificateAuthority], now: i64) {
    let mut names = Names::default();
    let mut seen = Vec::new();
    for authority in newest_first(authorities, |authority| authority.window) {
        let active = is_open(authority.window, now);
        for certificate in &authority.chain {
            // A new issuing certificate may stand under the root of the old one.
            if seen.contains(&certificate.der()) {
                continue;
            }
            seen.push(certificate.der());
            let root = certificate.is_self_issued();
            let name = if root { "fulcio_v1" } else { "fulcio_intermediate_v1" };
            let custom = Custom { usage: "Fulcio", active, uri: authority.uri.clone() };
            files.push(pem(names.next(name, "crt.pem"), certificate, custom));
        }
    }
}

/// Of timestamp authorities the newest that is in use: cosign 2.5 refuses to know two of them.
fn timestamps(files: &mut Vec<TargetFile>, authorities: &[CertificateAuthority], now: i64) {
    let mut newest = newest_first(authorities, |authority| authority.window);
    let Some(authority) = newest.find(|authority| authority.window.start <= now) else { return };
    let last = authority.chain.len().saturating_sub(1);
    for (place, certificate) in authority.chain.iter().enumerate() {
        let name = match place {
            0 => "tsa_leaf.crt.pem".to_owned(),
            _ if place == last => "tsa_root.crt.pem".to_owned(),
            _ => format!("tsa_intermediate_{}.crt.pem", place - 1),
        };
        let active = is_open(authority.window, now);
        let custom = Custom { usage: "TSA", active, uri: authority.uri.clone() };
        files.push(pem(name, certificate, custom));
    }
}

fn pem(name: String, certificate: &Certificate, custom: Custom) -> TargetFile {
    TargetFile { name, bytes: certificate.to_pem().into(), custom: Some(custom) }
}

/// In the trust root the oldest come first.
fn newest_first<T>(list: &[T], window: impl Fn(&T) -> Window) -> impl Iterator<Item = &T> {
    let mut list: Vec<&T> = list.iter().rev().collect();
    // Stable: what is open to the end comes before what was closed.
    list.sort_by_key(|item| window(item).end.is_some());
    list.into_iter()
}

fn is_open(window: Window, now: i64) -> bool {
    window.end.is_none_or(|end| now <= end)
}

/// The first of a kind has the plain name, the ones before it are numbered.
#[derive(Default)]
struct Names(BTreeMap<String, usize>);

impl Names {
    fn next(&mut self, name: &str, ending: &str) -> String {
        let count = self.0.entry(name.to_owned()).or_default();
        *count += 1;
        if *count == 1 { format!("{name}.{ending}") } else { format!("{name}_{count}.{ending}") }
    }
}

/// The files that are published as they are; the trust root first.
const WHOLE: [&str; 3] =
    ["trusted_root.json", "signing_config.v0.2.json", formats::instance::FILE_NAME];
