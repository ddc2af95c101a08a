//! Where trust comes from: files, an instance, or what is built in.
//!
//! An instance is one that was trusted once, by its name or its URL; a folder that `ca` wrote, a
//! client trust configuration, or the URL of one that runs on this machine. An instance elsewhere is
//! not trusted for the asking: its word would be all there is to check its word with.

mod built_in;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use formats::instance::{DescriptionError, FILE_NAME as DESCRIPTION, InstanceDescription};
use formats::limits::MAX_TRUSTED_ROOT_BYTES;
use formats::signing_config::{ClientTrustConfig, SigningConfig, SigningConfigError};
use formats::trusted_root::{TrustedRoot, TrustedRootError};
use thiserror::Error;

pub use self::built_in::{PUBLIC_SIGSTORE_DATE, PUBLIC_SIGSTORE_ORIGIN, public_sigstore};
use crate::endpoint::{Endpoint, EndpointError};
use crate::http::{Http, HttpError, Request, Service};
use crate::named::{Home, Name, NamedError, NamedRoot, RESERVED};
use crate::shown::shown;

/// What a signer needs of an instance.
#[derive(Debug, Clone)]
pub struct Trust {
    /// Keys and certificates that are trusted.
    pub trusted_root: TrustedRoot,
    /// The services to sign with.
    pub signing_config: SigningConfig,
    /// What the instance says of itself; none where it says nothing.
    pub description: Option<InstanceDescription>,
}

/// An instance, as a person names it.
#[derive(Debug, Clone)]
pub enum Instance {
    /// Trusted once, by the fingerprint of its root.
    Named(Box<NamedRoot>),
    /// The public Sigstore, whose trust root is built in.
    PublicSigstore,
    /// On disk; no network is needed.
    Local(LocalInstance),
    /// Running on this machine; asked for its client trust configuration.
    Loopback(Endpoint),
}

/// An instance's public files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalInstance {
    /// The folder of an instance: `public/trusted_root.json` and `public/signing_config.v0.2.json`
    /// in it.
    Folder(PathBuf),
    /// A `client_trust_config.json`.
    File(PathBuf),
}

impl Instance {
    /// Reads what was given for `--instance`: with `://` in it a URL; else the name of a trusted
    /// instance, or a path. A text that is both is refused, so that no file of the working directory
    /// takes the place of a trusted instance.
    ///
    /// # Errors
    /// [`TrustError::Endpoint`], [`TrustError::RemoteInstance`] and [`TrustError::Named`].
    pub fn parse(text: &str, home: Option<&Home>) -> Result<Self, TrustError> {
        if text.contains("://") {
            return Self::at(Endpoint::parse(text)?, home);
        }
        if text == RESERVED {
            return Ok(Self::PublicSigstore);
        }
        let path = PathBuf::from(text);
        let name = Name::parse(text).ok();
        if let (Some(name), Some(home)) = (&name, home)
            && home.names()?.contains(name)
        {
            if path.exists() {
                return Err(NamedError::Ambiguous { name: text.to_owned() }.into());
            }
            return Ok(Self::Named(Box::new(home.open(name)?)));
        }
        if path.is_dir() {
            return Ok(Self::Local(LocalInstance::Folder(path)));
        }
        if name.is_some() && !path.exists() {
            return Err(NamedError::Neither { text: text.to_owned() }.into());
        }
        Ok(Self::Local(LocalInstance::File(path)))
    }

    fn at(url: Endpoint, home: Option<&Home>) -> Result<Self, TrustError> {
        let known = home.map(|home| home.by_url(&url)).transpose()?.flatten();
        match known {
            Some(root) => Ok(Self::Named(Box::new(root))),
            None if url.is_loopback() => Ok(Self::Loopback(url)),
            None => Err(TrustError::RemoteInstance { url: url.to_string() }),
        }
    }
}

impl LocalInstance {
    /// The trust root alone.
    ///
    /// # Errors
    /// [`TrustError`] naming the file.
    pub fn trusted_root(&self) -> Result<TrustedRoot, TrustError> {
        match self {
            Self::Folder(folder) => read_trusted_root(&folder.join(FOLDER_TRUSTED_ROOT)),
            Self::File(path) => Ok(read_client_trust_config(path)?.trusted_root),
        }
    }

    /// Trust root, signing configuration, and the description where there is one.
    ///
    /// # Errors
    /// [`TrustError`] naming the file.
    pub fn trust(&self) -> Result<Trust, TrustError> {
        match self {
            Self::Folder(folder) => Ok(Trust {
                trusted_root: read_trusted_root(&folder.join(FOLDER_TRUSTED_ROOT))?,
                signing_config: read_signing_config(&folder.join(FOLDER_SIGNING_CONFIG))?,
                description: read_description(&folder.join(FOLDER_PUBLIC).join(DESCRIPTION))?,
            }),
            Self::File(path) => read_client_trust_config(path),
        }
    }
}

/// Asks an instance on this machine for its client trust configuration, and for its description,
/// which it need not have.
///
/// # Errors
/// [`TrustError::Http`], [`TrustError::SigningConfig`] and [`TrustError::Description`].
pub async fn ask(http: &Http, instance: &Endpoint) -> Result<Trust, TrustError> {
    let endpoint = instance.join("/client_trust_config.json");
    let body = http.send(&get(&endpoint)).await?;
    let trust = parse_client_trust_config(&body, &endpoint.to_string())?;
    let endpoint = instance.join(&format!("/{DESCRIPTION}"));
    let description = match http.send(&get(&endpoint)).await {
        Ok(json) => Some(parse_description(&json, &endpoint.to_string())?),
        Err(HttpError::Refused { status: 404, .. }) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Trust { description, ..trust })
}

fn get(endpoint: &Endpoint) -> Request<'_> {
    Request {
        service: Service::Instance,
        endpoint,
        body: None,
        accept: "application/json",
        cap: MAX_TRUSTED_ROOT_BYTES,
        limit: ASK_LIMIT,
    }
}

/// Reads a trust root.
///
/// # Errors
/// [`TrustError::Unreadable`], [`TrustError::TooLarge`], [`TrustError::TrustedRoot`].
pub fn read_trusted_root(path: &Path) -> Result<TrustedRoot, TrustError> {
    TrustedRoot::from_json(&read(path)?)
        .map_err(|fault| TrustError::TrustedRoot { from: name(path), fault })
}

/// Reads a signing configuration.
///
/// # Errors
/// As [`read_trusted_root`].
pub fn read_signing_config(path: &Path) -> Result<SigningConfig, TrustError> {
    SigningConfig::from_json(&read(path)?)
        .map_err(|fault| TrustError::SigningConfig { from: name(path), fault })
}

fn read_client_trust_config(path: &Path) -> Result<Trust, TrustError> {
    parse_client_trust_config(&read(path)?, &name(path))
}

fn parse_client_trust_config(json: &[u8], from: &str) -> Result<Trust, TrustError> {
    let ClientTrustConfig { trusted_root, signing_config } = ClientTrustConfig::from_json(json)
        .map_err(|fault| TrustError::SigningConfig { from: from.to_owned(), fault })?;
    Ok(Trust { trusted_root, signing_config, description: None })
}

fn read_description(path: &Path) -> Result<Option<InstanceDescription>, TrustError> {
    match read(path) {
        Ok(json) => parse_description(&json, &name(path)).map(Some),
        Err(TrustError::Unreadable { kind: std::io::ErrorKind::NotFound, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse_description(json: &[u8], from: &str) -> Result<InstanceDescription, TrustError> {
    InstanceDescription::from_json(json)
        .map_err(|fault| TrustError::Description { from: from.to_owned(), fault })
}

fn read(path: &Path) -> Result<Vec<u8>, TrustError> {
    let unreadable =
        |error: std::io::Error| TrustError::Unreadable { path: name(path), kind: error.kind() };
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that fits from one that was cut.
    let cap = MAX_TRUSTED_ROOT_BYTES as u64 + 1;
    File::open(path).map_err(unreadable)?.take(cap).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MAX_TRUSTED_ROOT_BYTES {
        return Err(TrustError::TooLarge { path: name(path), cap: MAX_TRUSTED_ROOT_BYTES });
    }
    Ok(bytes)
}

fn name(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Why there is no trust root or signing configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TrustError {
    /// A file that cannot be read.
    #[error("cannot read {}: {kind}", shown(path))]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        kind: std::io::ErrorKind,
    },
    /// A file larger than any trust root.
    #[error("{} is larger than {cap} bytes", shown(path))]
    TooLarge {
        /// The file.
        path: String,
        /// The cap in bytes.
        cap: usize,
    },
    /// A trust root that does not parse.
    #[error("{}: {}", shown(from), shown(&fault.to_string()))]
    TrustedRoot {
        /// The file or URL that it came from.
        from: String,
        /// What was wrong with it.
        fault: TrustedRootError,
    },
    /// A signing configuration, or a client trust configuration, that does not parse.
    #[error("{}: {}", shown(from), shown(&fault.to_string()))]
    SigningConfig {
        /// The file or URL that it came from.
        from: String,
        /// What was wrong with it.
        fault: SigningConfigError,
    },
    /// A description that does not parse.
    #[error("{}: {}", shown(from), shown(&fault.to_string()))]
    Description {
        /// The file or URL that it came from.
        from: String,
        /// What was wrong with it.
        fault: DescriptionError,
    },
    /// An instance that is not on this machine, by its URL.
    #[error("{url} is not on this machine and was never trusted: its word would be all there is")]
    RemoteInstance {
        /// The URL.
        url: String,
    },
    /// Named trust that is not there, or cannot be used.
    #[error(transparent)]
    Named(#[from] NamedError),
    /// Not the URL of an instance.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The instance gave no answer.
    #[error(transparent)]
    Http(#[from] HttpError),
}

const FOLDER_PUBLIC: &str = "public";
const FOLDER_TRUSTED_ROOT: &str = "public/trusted_root.json";
const FOLDER_SIGNING_CONFIG: &str = "public/signing_config.v0.2.json";
const ASK_LIMIT: Duration = Duration::from_secs(10);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_a_folder_a_file_or_a_loopback_url() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().to_str().unwrap();
        let parse = |text: &str| Instance::parse(text, None);
        let found = parse(name);
        assert!(
            matches!(found, Ok(Instance::Local(LocalInstance::Folder(at))) if at == folder.path())
        );
        let file = format!("{name}/client_trust_config.json");
        let found = parse(&file);
        let path = PathBuf::from(&file);
        assert!(matches!(found, Ok(Instance::Local(LocalInstance::File(at))) if at == path));
        assert!(matches!(parse("http://localhost:8700"), Ok(Instance::Loopback(_))));
        assert!(matches!(parse("sigstore"), Ok(Instance::PublicSigstore)));
        assert_eq!(
            parse("no-such-name").unwrap_err(),
            NamedError::Neither { text: "no-such-name".into() }.into()
        );
    }

    #[test]
    fn remote_instances_need_another_step() {
        for url in ["https://sign.example.com", "http://10.0.0.1:8700"] {
            let error = Instance::parse(url, None).unwrap_err();
            assert!(matches!(error, TrustError::RemoteInstance { .. }), "{error}");
            assert!(error.to_string().contains("never trusted"));
        }
    }

    #[test]
    fn a_folder_may_hold_a_description() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FOLDER_PUBLIC).join(DESCRIPTION);
        assert_eq!(read_description(&path), Ok(None));
        std::fs::create_dir(folder.path().join(FOLDER_PUBLIC)).unwrap();
        std::fs::write(&path, b"{}").unwrap();
        let refused = read_description(&path).unwrap_err();
        assert!(matches!(refused, TrustError::Description { from, .. } if from == name(&path)));
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = LocalInstance::Folder(folder.path().into()).trusted_root().unwrap_err();
        let path = folder.path().join(FOLDER_TRUSTED_ROOT);
        assert_eq!(
            error,
            TrustError::Unreadable { path: name(&path), kind: std::io::ErrorKind::NotFound }
        );
    }

    #[test]
    fn a_broken_file_is_named_and_explained() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.json");
        std::fs::write(&path, b"{}").unwrap();
        let error = read_trusted_root(&path).unwrap_err();
        assert!(matches!(error, TrustError::TrustedRoot { .. }));
        std::fs::write(&path, vec![b' '; MAX_TRUSTED_ROOT_BYTES + 1]).unwrap();
        assert!(matches!(read_trusted_root(&path), Err(TrustError::TooLarge { .. })));
    }
}
