//! An instance folder, read and checked whole: configuration, keys, certificates, and the trust
//! root that is published for them.
//!
//! Every check here is one that some certificate authority did not make and paid for: a key that
//! is not the certificate's, a chain that does not build, one key in two roles, a served trust
//! root that no longer fits the keys.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use formats::certificate::{Certificate, CertificateError};
use formats::trusted_root::Window;
use verify::crypto::{SignatureError, verify_certificate_signature};

use crate::config::{Config, ConfigError, FILE_NAME, Faces};
use crate::keys::{FileKey, KeyFileError, Role, Signer};
use crate::rotation::{Generation, Rotation, RotationError, Stage, certificate_path, key_path};

/// A checked instance.
#[derive(Clone)]
pub struct Instance {
    /// Its folder.
    pub dir: PathBuf,
    /// The text of its `ca.toml`, as it was read.
    pub config_text: String,
    /// Its configuration.
    pub config: Config,
    /// What its URLs mean.
    pub faces: Faces,
    /// Which keys sign, and which did or will.
    pub rotation: Rotation,
    /// Issuing certificate first, root last.
    pub authority: Vec<Certificate>,
    /// Timestamp certificate first, root last.
    pub timestamp: Vec<Certificate>,
    /// Signs certificates.
    pub issuing_key: Arc<dyn Signer>,
    /// Signs SCTs and CT heads.
    pub ct_key: Arc<dyn Signer>,
    /// Signs checkpoints.
    pub log_key: Arc<dyn Signer>,
    /// Signs timestamps.
    pub timestamp_key: Arc<dyn Signer>,
}

/// Why a folder is not an instance that can be served.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// `ca.toml` is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A key file is refused.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// `rotation.json` is refused.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// The key that signs is not the one that was rotated to.
    #[error("{path} is not the key that rotation.json has for {role}; put the right one back")]
    NotTheRotated {
        /// The key's file.
        path: PathBuf,
        /// Its role.
        role: &'static str,
    },
    /// A certificate file cannot be read.
    #[error("{path}: the certificate cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate does not parse.
    #[error("{path}: {source}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// A key is not the one in its certificate.
    #[error("keys/{role}.pem is not the key in certs/{role}.pem; put the pair together again")]
    KeyMismatch {
        /// The role of both files.
        role: &'static str,
    },
    /// One key serves two roles.
    #[error("keys/{first}.pem and keys/{second}.pem are the same key; each role needs its own")]
    SharedKey {
        /// One role.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A certificate may not do what it is here for.
    #[error("certs/{role}.pem {problem}")]
    Unfit {
        /// Its role.
        role: &'static str,
        /// What it lacks.
        problem: &'static str,
    },
    /// A certificate is not signed by its root.
    #[error("certs/{role}.pem is not signed by certs/{root}.pem: {source}")]
    BrokenChain {
        /// The lower certificate's role.
        role: &'static str,
        /// The root's role.
        root: &'static str,
        /// What the check said.
        source: SignatureError,
    },
}

impl Instance {
    /// Reads and checks the instance in `dir`; `now` is in Unix seconds.
    ///
    /// # Errors
    /// One variant for each thing that does not fit.
    pub fn open(dir: &Path, now: i64) -> Result<Self, InstanceError> {
        Self::open_as(dir, Rotation::read(dir)?, now)
    }

    /// As [`Self::open`], with the keys that `rotation` says, whatever `rotation.json` does.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_as(dir: &Path, rotation: Rotation, now: i64) -> Result<Self, InstanceError> {
        let config_text = Config::text(dir)?;
        let config = Config::parse(&dir.join(FILE_NAME), &config_text)?;
        let faces = config.urls.check()?;
        let authority = chain(dir, &rotation, Role::Issuing, Role::Root)?;
        let timestamp = chain(dir, &rotation, Role::Timestamp, Role::TimestampRoot)?;
        must_certify(&authority[0], "issuing")?;
        must_timestamp(&timestamp[0])?;
        for (role, certificate) in Role::SERVING_CERTIFICATES.iter().zip([
            &authority[0],
            &authority[1],
            &timestamp[0],
            &timestamp[1],
        ]) {
            must_be_in_date(certificate, role.name(), now)?;
        }

        let read = |role: Role| read_key(dir, &rotation, role);
        let (issuing, ct) = (read(Role::Issuing)?, read(Role::Ct)?);
        let (log, tsa) = (read(Role::Log)?, read(Role::Timestamp)?);
        refuse_shared_keys(&[&issuing, &ct, &log, &tsa])?;
        must_match(&issuing, &authority[0])?;
        must_match(&tsa, &timestamp[0])?;
        Ok(Self {
            dir: dir.to_owned(),
            config_text,
            config,
            faces,
            rotation,
            authority,
            timestamp,
            issuing_key: Arc::new(issuing.1),
            ct_key: Arc::new(ct.1),
            log_key: Arc::new(log.1),
            timestamp_key: Arc::new(tsa.1),
        })
    }

    /// The issuing certificate.
    pub fn issuing(&self) -> &Certificate {
        &self.authority[0]
    }

    /// The database of the logs.
    pub fn database(&self) -> PathBuf {
        self.dir.join("log.db")
    }

    /// The folder of the published trust files.
    pub fn public(&self) -> PathBuf {
        self.dir.join("public")
    }

    /// The issuing chains that are or were or will be good: the active one first.
    pub fn authorities(&self) -> Vec<Vec<Certificate>> {
        let others = self.rotation.of(Role::Issuing).filter(|one| one.stage != Stage::Active);
        let others = others.map(|generation| generation.chain.clone());
        std::iter::once(self.authority.clone()).chain(others).collect()
    }

    /// The generation of a rotated role that signs, also where none was ever rotated.
    pub fn generation(&self, role: Role) -> Generation {
        self.rotation.active(role).cloned().unwrap_or_else(|| {
            let (key, chain) = match role {
                Role::Issuing => (&self.issuing_key, self.authority.clone()),
                Role::Timestamp => (&self.timestamp_key, self.timestamp.clone()),
                Role::Ct => (&self.ct_key, Vec::new()),
                _ => (&self.log_key, Vec::new()),
            };
            Generation {
                role,
                number: 1,
                stage: Stage::Active,
                key: key.public_key().clone(),
                chain,
                window: Window { start: self.trusted_since(), end: None },
            }
        })
    }

    /// Since when the instance is to be trusted: the start of its first root certificate.
    pub fn trusted_since(&self) -> i64 {
        if let Some(since) = self.rotation.since() {
            return since;
        }
        self.authority.iter().chain(&self.timestamp).map(Certificate::not_before).min().unwrap_or(0)
    }
}

type Pair = (Role, FileKey);

/// Reads the key of a role that signs: the one that was rotated to, where one was.
fn read_key(dir: &Path, rotation: &Rotation, role: Role) -> Result<Pair, InstanceError> {
    let path = key_path(dir, role, rotation.number(role));
    let key = FileKey::read(&path)?;
    match rotation.active(role) {
        Some(active) if active.key.id() != key.public_key().id() => {
            Err(InstanceError::NotTheRotated { path, role: role.name() })
        }
        _ => Ok((role, key)),
    }
}

fn chain(
    dir: &Path,
    rotation: &Rotation,
    leaf: Role,
    root: Role,
) -> Result<Vec<Certificate>, InstanceError> {
    let lower = certificate(dir, leaf, rotation.number(leaf))?;
    let upper = certificate(dir, root, 1)?;
    let broken =
        |source| InstanceError::BrokenChain { role: leaf.name(), root: root.name(), source };
    must_certify(&upper, root.name())?;
    if lower.issuer_dn() != upper.subject_dn() {
        let problem = "names another issuer than its root certificate";
        return Err(InstanceError::Unfit { role: leaf.name(), problem });
    }
    let key = upper.public_key().map_err(|_unusable| InstanceError::Unfit {
        role: root.name(),
        problem: "has a key of an unknown kind",
    })?;
    verify_certificate_signature(&key, &lower).map_err(broken)?;
    verify_certificate_signature(&key, &upper).map_err(broken)?;
    Ok(vec![lower, upper])
}

fn certificate(dir: &Path, role: Role, number: u32) -> Result<Certificate, InstanceError> {
    let path = certificate_path(dir, role, number);
    let text = fs::read_to_string(&path)
        .map_err(|source| InstanceError::Unreadable { path: path.clone(), source })?;
    Certificate::from_pem(&text).map_err(|source| InstanceError::Certificate { path, source })
}

fn must_certify(certificate: &Certificate, role: &'static str) -> Result<(), InstanceError> {
    let unfit = |problem| InstanceError::Unfit { role, problem };
    if !certificate.basic_constraints().is_some_and(|constraints| constraints.ca) {
        return Err(unfit("is not a CA certificate"));
    }
    if !certificate.key_usage().is_some_and(|usage| usage.key_cert_sign()) {
        return Err(unfit("may not sign certificates (key usage)"));
    }
    if certificate.subject_key_id().is_none() {
        return Err(unfit("has no subject key identifier"));
    }
    Ok(())
}

fn must_timestamp(certificate: &Certificate) -> Result<(), InstanceError> {
    let unfit = |problem| InstanceError::Unfit { role: Role::Timestamp.name(), problem };
    if certificate.basic_constraints().is_some_and(|constraints| constraints.ca) {
        return Err(unfit("is a CA certificate"));
    }
    let usages = certificate.extended_key_usages().unwrap_or_default();
    let critical = certificate.extension(formats::certificate::oid::EXTENDED_KEY_USAGE);
    if usages != [formats::certificate::oid::EKU_TIME_STAMPING]
        || !critical.is_some_and(|extension| extension.critical)
    {
        return Err(unfit("must have timeStamping as its one, critical extended key usage"));
    }
    Ok(())
}

fn must_be_in_date(
    certificate: &Certificate,
    role: &'static str,
    now: i64,
) -> Result<(), InstanceError> {
    if now < certificate.not_before() {
        return Err(InstanceError::Unfit {
            role,
            problem: "is not valid yet; is the clock right?",
        });
    }
    if now > certificate.not_after() {
        return Err(InstanceError::Unfit { role, problem: "has expired" });
    }
    Ok(())
}

fn must_match((role, key): &Pair, certificate: &Certificate) -> Result<(), InstanceError> {
    let mismatch = || InstanceError::KeyMismatch { role: role.name() };
    let certified = certificate.public_key().map_err(|_unusable| mismatch())?;
    if certified.spki_der() == key.public_key().spki_der() { Ok(()) } else { Err(mismatch()) }
}

fn refuse_shared_keys(keys: &[&Pair]) -> Result<(), InstanceError> {
    for (position, (first, key)) in keys.iter().enumerate() {
        for (second, other) in &keys[position + 1..] {
            if key.public_key().id() == other.public_key().id() {
                return Err(InstanceError::SharedKey {
                    first: first.name(),
                    second: second.name(),
                });
            }
        }
    }
    Ok(())
}

impl Role {
    const SERVING_CERTIFICATES: [Self; 4] =
        [Self::Issuing, Self::Root, Self::Timestamp, Self::TimestampRoot];
}
