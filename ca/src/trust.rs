//! What the instance publishes so that clients can trust it: the trust root, the signing
//! configuration, both in one file for sigstore-python, and the description of the instance.
//!
//! They are made from the configuration and the keys that run the server, and never by hand, so
//! that a log id or an origin cannot be wrong.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use formats::instance::{Faces, InstanceDescription};
use formats::key::KeyDetails;
use formats::signing_config::{ClientTrustConfig, Selector, Service, SigningConfig};
use formats::trusted_root::{CertificateAuthority, TransparencyLog, TrustedRoot, Window};
use merkle::note::key_id_ecdsa;

use crate::config::Urls;
use crate::instance::Instance;
use crate::keys::Role;
use crate::rotation::Generation;

/// The files, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustFiles {
    /// `trusted_root.json`.
    pub trusted_root: String,
    /// `signing_config.v0.2.json`.
    pub signing_config: String,
    /// `client_trust_config.json`.
    pub client_trust_config: String,
    /// `paraph_instance.v1.json`.
    pub description: String,
}

/// Why the published trust files are refused.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What is published is not what this configuration and these keys make.
    #[error(
        "{path} does not fit ca.toml and the keys of this folder, so clients would refuse what \
         this server signs; if the change was meant, run `ca trust DIR --write` and give the new \
         trust root to the clients"
    )]
    Drifted {
        /// The file that differs.
        path: PathBuf,
    },
}

impl TrustFiles {
    /// Makes the files of an instance. `development_issuer` is the identity provider of
    /// `ca dev`, where there is one.
    pub fn of(instance: &Instance, development_issuer: Option<&str>) -> Self {
        let trusted_root = trusted_root(instance);
        let signing_config = signing_config(instance, development_issuer);
        let both = ClientTrustConfig {
            trusted_root: trusted_root.clone(),
            signing_config: signing_config.clone(),
        };
        Self {
            trusted_root: trusted_root.to_json(),
            signing_config: signing_config.to_json(),
            client_trust_config: both.to_json(),
            description: description(instance, development_issuer).to_json(),
        }
    }

    /// Publishes the files in `folder`. The trust root is compared with one that is there; the
    /// others follow it and the list of issuers, and are written anew when that changes.
    ///
    /// # Errors
    /// [`TrustError::Drifted`] when the trust root differs: a swapped key or an edited URL must not
    /// go unseen.
    pub fn publish(&self, folder: &Path) -> Result<(), TrustError> {
        let [(root_name, root), rest @ ..] = self.named();
        let path = folder.join(root_name);
        match read(&path)? {
            Some(found) if found == root => {}
            Some(_differs) => return Err(TrustError::Drifted { path }),
            None => write(&path, root)?,
        }
        for (name, text) in rest {
            let path = folder.join(name);
            if read(&path)?.as_deref() != Some(text) {
                write(&path, text)?;
            }
        }
        Ok(())
    }

    /// Writes the files anew, whatever is there.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), TrustError> {
        self.named().into_iter().try_for_each(|(name, text)| write(&folder.join(name), text))
    }

    /// Name and text of each file.
    pub fn named(&self) -> [(&'static str, &str); 4] {
        [
            ("trusted_root.json", self.trusted_root.as_str()),
            ("signing_config.v0.2.json", self.signing_config.as_str()),
            ("client_trust_config.json", self.client_trust_config.as_str()),
            (formats::instance::FILE_NAME, self.description.as_str()),
        ]
    }
}

/// Every key that signs, did or will, oldest first in each list; each counts in its window alone.
fn trusted_root(instance: &Instance) -> TrustedRoot {
    let operator = &instance.config.name;
    let log = |base_url: &str, generation: Generation| TransparencyLog {
        base_url: base_url.to_owned(),
        key_details: KeyDetails::EcdsaP256Sha256,
        window: generation.window,
        // For an ECDSA key both kinds of log are named by SHA-256 of the SPKI (C2SP signed-note,
        // type 0x02; RFC 6962 section 3.2).
        log_id: key_id_ecdsa(generation.key.spki_der()),
        key: generation.key,
        checkpoint_key_id: None,
        operator: operator.clone(),
    };
    let authority = |uri: &str, generation: Generation, title: &str| CertificateAuthority {
        uri: uri.to_owned(),
        subject_org: operator.clone(),
        subject_cn: format!("{operator} {title}"),
        chain: generation.chain,
        window: generation.window,
        operator: operator.clone(),
    };
    let generations = |role: Role| -> Vec<Generation> {
        let recorded: Vec<_> = instance.rotation.of(role).cloned().collect();
        if recorded.is_empty() { vec![instance.generation(role)] } else { recorded }
    };
    let logs = |url: &str, role| generations(role).into_iter().map(|one| log(url, one)).collect();
    let authorities = |uri: &str, role, title| {
        generations(role).into_iter().map(|one| authority(uri, one, title)).collect()
    };
    let urls = &instance.config.urls;
    TrustedRoot {
        logs: logs(&urls.log, Role::Log),
        ct_logs: logs(&urls.ct, Role::Ct),
        authorities: authorities(&urls.ca, Role::Issuing, "root"),
        timestamp_authorities: authorities(&urls.tsa, Role::Timestamp, "timestamp"),
        skipped: Vec::new(),
    }
}

fn signing_config(instance: &Instance, development_issuer: Option<&str>) -> SigningConfig {
    let since = instance.trusted_since();
    let service = |url: &str, major| Service {
        url: url.to_owned(),
        major,
        window: Window { start: since, end: None },
        operator: instance.config.name.clone(),
    };
    let urls = &instance.config.urls;
    // Clients sign in at the first: people do that here, where there is a way to.
    let own = own_sign_in(instance, development_issuer);
    let issuer = own.as_deref().or_else(|| instance.config.issuers.first().map(|i| i.url.as_str()));
    SigningConfig {
        ca: vec![service(&urls.ca, 1)],
        oidc: issuer.map(|url| service(url, 1)).into_iter().collect(),
        logs: vec![service(&urls.log, 2)],
        tsas: vec![service(&urls.tsa, 1)],
        log_selector: Selector::Any,
        tsa_selector: Selector::Any,
    }
}

/// The issuer at which people sign in to the instance itself, where there is a way to.
fn own_sign_in(instance: &Instance, development_issuer: Option<&str>) -> Option<String> {
    let config = &instance.config;
    let own = || (!config.sign_in.connectors.is_empty()).then(|| config.sign_in_issuer());
    development_issuer.map(ToOwned::to_owned).or_else(own)
}

fn description(instance: &Instance, development_issuer: Option<&str>) -> InstanceDescription {
    let config = &instance.config;
    let Urls { ca, log, ct, tsa, .. } = config.urls.clone();
    let oidc = own_sign_in(instance, development_issuer);
    let client_id = match (&oidc, config.issuers.first()) {
        (None, Some(issuer)) => issuer.client_id.clone(),
        _ => config.sign_in.client_id.clone(),
    };
    InstanceDescription {
        name: config.name.clone(),
        client_id,
        notice: config.notice.clone(),
        faces: Faces { ca, log, ct, tsa, oidc, tuf: config.urls.tuf() },
    }
}

fn read(path: &Path) -> Result<Option<String>, TrustError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TrustError::File { path: path.to_owned(), source }),
    }
}

/// Writes by rename, so that a reader sees the old file or the new one.
fn write(path: &Path, text: &str) -> Result<(), TrustError> {
    let new = path.with_extension("json.new");
    let write = || -> std::io::Result<()> {
        let mut file = fs::File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(|source| TrustError::File { path: path.to_owned(), source })
}
