//! `trust export`: what other clients need to trust the same instance, in their own files, and the
//! lines to run.
//!
//! Everything comes from what the pinned root vouches for; nothing is asked of the services. Where a
//! client follows a TUF repository itself, it is given the pinned root, so that it pins the same.

mod yaml;

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fetch::http::Http;
use fetch::named::command::{Told, chosen};
use fetch::named::{Current, Home, NamedError, Record, SIGNING_CONFIG, TRUSTED_ROOT};
use formats::certificate::Certificate;
use formats::signing_config::{Service, SigningConfig};
use formats::trusted_root::TrustedRoot;
use serde_json::json;

use crate::cli::{Client, Export};

/// What an instance is to another client.
pub(crate) struct Source {
    record: Record,
    /// The root that was pinned, as its file.
    root: Vec<u8>,
    trusted_root: TrustedRoot,
    /// The two files as they were signed.
    trusted_root_json: String,
    signing_config: SigningConfig,
    signing_config_json: String,
    client_id: String,
}

/// What is handed to another client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exported {
    files: Vec<(&'static str, String)>,
    lines: Vec<String>,
}

/// Writes the files, and tells the lines.
///
/// # Errors
/// [`NamedError`].
pub(crate) async fn export(flags: &Export, home: &Home, now: i64) -> Result<Told, NamedError> {
    let root = chosen(home, flags.instance.as_deref())?;
    let current = root.current(&Http::new(), now).await?;
    let pinned = root.roots().first().cloned().unwrap_or_default();
    let source = Source::of(root.record().clone(), pinned, &current)?;
    let out = flags
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{}-for-{}", current.name, flags.client.name())));
    // The lines are run elsewhere: in a repository, in a later shell.
    let absolute = std::path::absolute(&out).unwrap_or_else(|_| out.clone());
    let Exported { files, lines } = source.export(flags.client, &absolute.to_string_lossy());
    write(&out, &files)?;
    let names: Vec<_> = files.iter().map(|(name, _)| out.join(name)).collect();
    let told: Vec<_> = names.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    Ok(Told {
        talk: format!("Wrote {}\n", told.join(", ")),
        result: lines.iter().map(|line| format!("{line}\n")).collect(),
        json: json!({
            "schema": "paraph.trust.v1",
            "ok": true,
            "name": current.name.as_str(),
            "for": flags.client.name(),
            "files": told,
            "lines": lines,
        }),
    })
}

fn write(out: &Path, files: &[(&'static str, String)]) -> Result<(), NamedError> {
    let failed = |path: &Path, error: &std::io::Error| NamedError::Io {
        doing: "write",
        path: path.to_string_lossy().into_owned(),
        kind: error.kind(),
    };
    fs::create_dir_all(out).map_err(|error| failed(out, &error))?;
    for (name, text) in files {
        let path = out.join(name);
        fs::write(&path, text).map_err(|error| failed(&path, &error))?;
    }
    Ok(())
}

impl Source {
    fn of(record: Record, root: Vec<u8>, current: &Current) -> Result<Self, NamedError> {
        let trust = current.trust()?;
        // Both parsed just now, so that both are there and are UTF-8.
        let text = |name| {
            String::from_utf8_lossy(current.contents.file(name).unwrap_or_default()).into_owned()
        };
        Ok(Self {
            record,
            root,
            trusted_root_json: text(TRUSTED_ROOT),
            signing_config_json: text(SIGNING_CONFIG),
            trusted_root: trust.trusted_root,
            signing_config: trust.signing_config,
            client_id: trust
                .description
                .map_or_else(|| DEFAULT_CLIENT_ID.to_owned(), |description| description.client_id),
        })
    }

    fn export(&self, client: Client, out: &str) -> Exported {
        match client {
            Client::Cosign => self.cosign(out),
            Client::Gitsign => self.gitsign(out),
            Client::SigstorePython => self.sigstore_python(out),
            Client::SigstoreJs => self.sigstore_js(out),
            Client::PolicyController => self.policy_controller(out),
            Client::Kyverno => self.kyverno(out),
        }
    }

    fn cosign(&self, out: &str) -> Exported {
        let (mirror, fingerprint) = (self.mirror(), self.record.fingerprint.to_hex());
        let file = |name: &str| quoted(&format!("{out}/{name}"));
        let client_id = quoted(&self.client_id);
        let whom = "--bundle FILE.sigstore.json --certificate-identity WHO \
                    --certificate-oidc-issuer URL FILE";
        Exported {
            files: vec![self.root_file(), self.trusted_root_file(), self.signing_config_file()],
            lines: vec![
                "# cosign 3: once, and then kept up to date by TUF".to_owned(),
                format!(
                    "cosign initialize --mirror {mirror} --root {} --root-checksum {fingerprint}",
                    file(ROOT)
                ),
                format!(
                    "cosign sign-blob --oidc-client-id {client_id} --bundle FILE.sigstore.json FILE"
                ),
                format!("cosign verify-blob {whom}"),
                "# or with these files, on each call, without TUF (2.6 and later)".to_owned(),
                format!(
                    "cosign sign-blob --trusted-root {} --signing-config {} --oidc-client-id \
                     {client_id} --bundle FILE.sigstore.json FILE",
                    file(TRUSTED_ROOT),
                    file(SIGNING_CONFIG),
                ),
                format!("cosign verify-blob --trusted-root {} {whom}", file(TRUSTED_ROOT)),
            ],
        }
    }

    fn gitsign(&self, out: &str) -> Exported {
        let mirror = self.mirror();
        let file = |name: &str| quoted(&format!("{out}/{name}"));
        let mut lines = vec![
            format!("gitsign initialize --mirror {mirror} --root {}", file(ROOT)),
            format!("export SIGSTORE_ROOT_FILE={}", file(FULCIO)),
            format!("export SIGSTORE_REKOR_PUBLIC_KEY={}", file(REKOR)),
            format!("export SIGSTORE_CT_LOG_PUBLIC_KEY_FILE={}", file(CTFE)),
            "git config gpg.format x509".to_owned(),
            "git config gpg.x509.program gitsign".to_owned(),
            format!("git config gitsign.clientID {}", quoted(&self.client_id)),
        ];
        let config = &self.signing_config;
        for (key, services) in
            [("fulcio", &config.ca), ("rekor", &config.logs), ("issuer", &config.oidc)]
        {
            if let Some(url) = newest(services) {
                lines.push(format!("git config gitsign.{key} {}", quoted(url)));
            }
        }
        lines.push("# gitsign writes into Rekor v1 logs alone".to_owned());
        Exported {
            files: vec![
                self.root_file(),
                (FULCIO, self.authorities()),
                (REKOR, self.log_keys()),
                (CTFE, self.ct_keys()),
            ],
            lines,
        }
    }

    fn sigstore_python(&self, out: &str) -> Exported {
        let mirror = self.mirror();
        let client_id = quoted(&self.client_id);
        let file = |name: &str| quoted(&format!("{out}/{name}"));
        let config = format!(
            "{{\"mediaType\":\"{CLIENT_TRUST_CONFIG_TYPE}\",\"trustedRoot\":{},\"signingConfig\":{}}}\n",
            self.trusted_root_json.trim(),
            self.signing_config_json.trim()
        );
        let whom = "--cert-identity WHO --cert-oidc-issuer URL FILE";
        Exported {
            files: vec![self.root_file(), (CLIENT_TRUST_CONFIG, config)],
            lines: vec![
                "# once, and then kept up to date by TUF".to_owned(),
                format!("sigstore --instance {mirror} trust-instance {}", file(ROOT)),
                format!("sigstore --instance {mirror} sign --oidc-client-id {client_id} FILE"),
                format!("sigstore --instance {mirror} verify identity {whom}"),
                "# or with this file, on each call, without TUF".to_owned(),
                format!(
                    "sigstore --trust-config {} sign --oidc-client-id {client_id} FILE",
                    file(CLIENT_TRUST_CONFIG)
                ),
                format!(
                    "sigstore --trust-config {} verify identity {whom}",
                    file(CLIENT_TRUST_CONFIG)
                ),
            ],
        }
    }

    /// Its command line knows Rekor v1 alone, and no signing configuration; its library knows both.
    fn sigstore_js(&self, out: &str) -> Exported {
        let (mirror, root) = (self.mirror(), quoted(&format!("{out}/{ROOT}")));
        Exported {
            files: vec![
                self.root_file(),
                self.signing_config_file(),
                (SIGN_JS, include_str!("export/sign.mjs").to_owned()),
            ],
            lines: vec![
                "# npm install @sigstore/cli @sigstore/sign, and there:".to_owned(),
                format!("sigstore initialize --mirror {mirror} --root {root}"),
                "# its command line writes into Rekor v1 logs alone; its library signs".to_owned(),
                format!(
                    "SIGSTORE_ID_TOKEN=TOKEN node {} FILE {}",
                    quoted(&format!("{out}/{SIGN_JS}")),
                    quoted(&self.client_id)
                ),
                format!(
                    "sigstore verify FILE.sigstore.json --blob-file FILE --tuf-mirror-url {mirror} \
                     --tuf-root-path {root} --certificate-issuer URL \
                     --certificate-identity-email WHO"
                ),
                "# for a URI instead of an address: --certificate-identity-uri WHO".to_owned(),
            ],
        }
    }

    fn mirror(&self) -> String {
        quoted(self.record.repository.to_string().trim_end_matches('/'))
    }

    fn root_file(&self) -> (&'static str, String) {
        // The root parsed when it was pinned, so that it is UTF-8.
        (ROOT, String::from_utf8_lossy(&self.root).into_owned())
    }

    fn trusted_root_file(&self) -> (&'static str, String) {
        (TRUSTED_ROOT, self.trusted_root_json.clone())
    }

    fn signing_config_file(&self) -> (&'static str, String) {
        (SIGNING_CONFIG, self.signing_config_json.clone())
    }

    /// All certificates of all authorities, roots and what is between.
    fn authorities(&self) -> String {
        let chains = self.trusted_root.authorities.iter().flat_map(|authority| &authority.chain);
        chains.map(Certificate::to_pem).collect()
    }

    fn log_keys(&self) -> String {
        self.trusted_root.logs.iter().map(|log| log.key.to_pem()).collect()
    }

    fn ct_keys(&self) -> String {
        self.trusted_root.ct_logs.iter().map(|log| log.key.to_pem()).collect()
    }

    fn root_base64(&self) -> String {
        STANDARD.encode(&self.root)
    }
}

impl Client {
    /// The name, as it is typed.
    fn name(self) -> &'static str {
        match self {
            Self::Cosign => "cosign",
            Self::Gitsign => "gitsign",
            Self::SigstorePython => "sigstore-python",
            Self::SigstoreJs => "sigstore-js",
            Self::PolicyController => "policy-controller",
            Self::Kyverno => "kyverno",
        }
    }
}

/// Lists have the newest first (protobuf-specs `sigstore_trustroot.proto`).
fn newest(services: &[Service]) -> Option<&str> {
    services.first().map(|service| service.url.as_str())
}

/// A word for a POSIX shell: what an instance publishes must not become a command.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/:@%+,=".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

const ROOT: &str = "root.json";
const CLIENT_TRUST_CONFIG: &str = "client_trust_config.json";
const CLIENT_TRUST_CONFIG_TYPE: &str = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json";
const SIGN_JS: &str = "sign.mjs";
const FULCIO: &str = "fulcio.crt.pem";
const REKOR: &str = "rekor.pub";
const CTFE: &str = "ctfe.pub";
/// The audience that Sigstore's clients ask for, where an instance does not say another.
const DEFAULT_CLIENT_ID: &str = "sigstore";

#[cfg(test)]
mod tests;
