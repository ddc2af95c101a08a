//! An instance in a temporary folder, without a listener, on a clock that the test moves.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ca::ceremony::{self, Plan};
use ca::clock::Clock;
use ca::config::Urls;
use ca::faces;
use ca::identity::{Identities, Token, VerifiedIdentity};
use ca::instance::Instance;
use ca::issue::Authority;
use ca::keys::{SignFailed, Signer};
use ca::logs;
use ca::oidc_dev::DevIssuer;
use ca::proof::{self, KeyRule, ProvenKey};
use ca::trust::TrustFiles;
use ca::tuf;
use formats::key::PublicKey;
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer as _;
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::EncodePublicKey as _;
use time::OffsetDateTime;
use tlog::Engine;

pub const EMAIL: &str = "alice@example.com";
/// 2026-01-01T00:00:00Z, when the instance was made.
pub const BORN: i64 = 1_767_225_600;

pub struct Desk {
    folder: Arc<tempfile::TempDir>,
    pub clock: Clock,
    pub instance: Instance,
    pub engine: Engine,
    pub issuer: DevIssuer,
    pub identities: Identities,
}

impl Desk {
    pub fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let dir = folder.path().join("instance");
        let base = "http://localhost:8700".to_owned();
        let plan = Plan {
            name: "Test".to_owned(),
            address: "127.0.0.1:8700".parse().unwrap(),
            urls: Urls {
                log: base.clone(),
                ct: format!("{base}/ct"),
                tsa: format!("{base}/api/v1/timestamp"),
                ca: base,
                tuf: None,
            },
            development: true,
        };
        ceremony::init(&dir, &plan, OffsetDateTime::from_unix_timestamp(BORN).unwrap()).unwrap();
        Self::open(folder, Clock::fixed(BORN + 60))
    }

    fn open(folder: Arc<tempfile::TempDir>, clock: Clock) -> Self {
        let dir = folder.path().join("instance");
        let instance = Instance::open(&dir, clock.now()).unwrap();
        let issuer = instance.config.sign_in_issuer();
        std::fs::create_dir_all(instance.public()).unwrap();
        TrustFiles::of(&instance, Some(&issuer)).publish(&instance.public()).unwrap();
        tuf::publish(&instance, clock.now()).unwrap();
        let engine = logs::open(&instance, &clock).unwrap();
        let key = std::fs::read_to_string(ceremony::development_key(&dir)).unwrap();
        let url = instance.config.sign_in_issuer();
        let issuer = DevIssuer::new(&url, &key, clock.as_seconds()).unwrap();
        let identities = Identities::new(vec![issuer.trust()], clock.as_seconds()).unwrap();
        identities.pin_keys(issuer.issuer(), issuer.jwks()).unwrap();
        Self { folder, clock, instance, engine, issuer, identities }
    }

    /// The server has ended.
    pub fn stopped(self) -> Self {
        self.engine.shutdown();
        self
    }

    /// Another server on the same folder and clock.
    pub fn restarted(self) -> Self {
        let Self { folder, clock, .. } = self.stopped();
        Self::open(folder, clock)
    }

    /// What a thief of every first key can run: the same instance, before anything was rotated.
    pub fn of_first_keys(&self) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let dir = folder.path().join("instance");
        for part in ["keys", "certs"] {
            std::fs::create_dir_all(dir.join(part)).unwrap();
            for file in std::fs::read_dir(self.dir().join(part)).unwrap() {
                let path = file.unwrap().path();
                std::fs::copy(&path, dir.join(part).join(path.file_name().unwrap())).unwrap();
            }
        }
        std::fs::copy(self.dir().join("ca.toml"), dir.join("ca.toml")).unwrap();
        Self::open(folder, Clock::fixed(self.clock.now()))
    }

    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("instance")
    }

    pub fn authority(&self) -> Authority {
        let log = logs::ct_log(&self.instance, &self.engine, &self.clock).unwrap();
        let key = Arc::clone(&self.instance.issuing_key);
        Authority::new(self.instance.authority.clone(), key, log, self.clock.clone()).unwrap()
    }

    pub async fn identity(&self) -> VerifiedIdentity {
        let token = self.issuer.token(EMAIL, "sigstore").unwrap();
        self.identities.verify(&Token::new(token.into_bytes()).unwrap()).await.unwrap()
    }

    pub fn proven_key(&self, identity: &VerifiedIdentity) -> ProvenKey {
        let key = SigningKey::try_generate().unwrap();
        let signature: p256::ecdsa::DerSignature = key.sign(EMAIL.as_bytes());
        let spki = key.verifying_key().to_public_key_der().unwrap();
        proof::signed_challenge(spki.as_bytes(), signature.as_bytes(), identity, &KeyRule::DEFAULTS)
            .unwrap()
    }

    pub fn faces(&self) -> faces::Faces {
        faces::join(&self.instance, &self.engine, &self.clock, Some(&self.issuer), None).unwrap()
    }
}

/// Counts how often the key behind it is used.
pub struct Counting {
    key: Arc<dyn Signer>,
    pub used: AtomicUsize,
}

impl Counting {
    pub fn new(key: &Arc<dyn Signer>) -> Arc<Self> {
        Arc::new(Self { key: Arc::clone(key), used: AtomicUsize::new(0) })
    }
}

impl Signer for Counting {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignFailed> {
        self.used.fetch_add(1, Ordering::SeqCst);
        self.key.sign(message)
    }
}
