//! Keys, entries, CAs and engines for the tests.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use formats::certificate::Certificate;
use formats::digest::HashAlgorithm;
use formats::key::PublicKey;
use merkle::merkle::{leaf_hash, verify_inclusion};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer,
    SanType,
};
use serde_json::{Value, json};
use tlog::ct::Authorities;
use tlog::engine::{OpenError, Settings, SubmitError, TreeConfig};
use tlog::fsck::{self, Finding};
use tlog::signer::{
    CheckpointSigner, CheckpointVerifier, LogKey, SignError, TreeHeadSigner, TreeHeadVerifier,
    check_head,
};
use tlog::store::Store;
use tlog::{Accepted, Engine, Published, Submitted, Tree, birth, rekor2};

pub const REKOR_ORIGIN: &str = "rekor.test.example";
pub const CT_ORIGIN: &str = "ct.test.example/log";

/// A P-256 key.
#[derive(Clone)]
pub struct TestKey {
    pair: Arc<EcdsaKeyPair>,
    public: PublicKey,
}

impl TestKey {
    pub fn generate() -> Self {
        Self::of(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        self.pair.to_pkcs8v1().unwrap().as_ref().to_vec()
    }

    pub fn from_bytes(pkcs8: &[u8]) -> Self {
        Self::of(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8).unwrap())
    }

    fn of(pair: EcdsaKeyPair) -> Self {
        let mut spki = P256_SPKI_PREFIX.to_vec();
        spki.extend_from_slice(pair.public_key().as_ref());
        Self { pair: Arc::new(pair), public: PublicKey::from_spki_der(&spki).unwrap() }
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub fn sign_message(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }
}

impl LogKey for TestKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(self.sign_message(message))
    }
}

/// SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING } up to the point.
pub const P256_SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The keys and the CA of an instance, which outlive its engines.
pub struct World {
    pub rekor_key: TestKey,
    pub ct_key: TestKey,
    pub ca: Ca,
    pub clock: Arc<AtomicU64>,
}

pub const START_MS: u64 = 1_800_000_000_000;

impl World {
    pub fn new() -> Self {
        Self {
            rekor_key: TestKey::generate(),
            ct_key: TestKey::generate(),
            ca: Ca::new("test CA"),
            clock: Arc::new(AtomicU64::new(START_MS)),
        }
    }

    /// A world whose log keys another process can have too: one key after the other.
    pub fn with_new_keys() -> (Vec<u8>, Self) {
        let world = Self::new();
        let (rekor, ct) = (world.rekor_key.to_bytes(), world.ct_key.to_bytes());
        ([&[rekor.len() as u8][..], &rekor, &ct].concat(), world)
    }

    pub fn with_keys(bytes: &[u8]) -> Self {
        let (rekor, ct) = bytes[1..].split_at(usize::from(bytes[0]));
        let (rekor_key, ct_key) = (TestKey::from_bytes(rekor), TestKey::from_bytes(ct));
        Self { rekor_key, ct_key, ..Self::new() }
    }

    pub fn trees(&self) -> Vec<TreeConfig> {
        vec![self.rekor_tree(), self.ct_tree()]
    }

    pub fn rekor_tree(&self) -> TreeConfig {
        let key = Arc::new(self.rekor_key.clone());
        TreeConfig {
            tree: Tree::Rekor2,
            signer: Arc::new(CheckpointSigner::new(REKOR_ORIGIN, key).unwrap()),
            verifier: Arc::new(
                CheckpointVerifier::new(REKOR_ORIGIN, self.rekor_key.public().clone()).unwrap(),
            ),
            previous: None,
            birth: birth::rekor2(self.rekor_key.public(), |message| {
                let one_use = TestKey::generate();
                Ok((one_use.public().spki_der().to_vec(), one_use.sign_message(message)))
            }),
        }
    }

    pub fn ct_tree(&self) -> TreeConfig {
        let key = Arc::new(self.ct_key.clone());
        TreeConfig {
            tree: Tree::Ct,
            signer: Arc::new(TreeHeadSigner::new(CT_ORIGIN, key).unwrap()),
            verifier: Arc::new(
                TreeHeadVerifier::new(CT_ORIGIN, self.ct_key.public().clone()).unwrap(),
            ),
            previous: None,
            birth: birth::ct(self.ca.authorities()),
        }
    }

    pub fn settings() -> Settings {
        Settings {
            scrub_entries_per_second: 0,
            high_water_interval: Duration::from_millis(1),
            ..Settings::default()
        }
    }

    pub fn open(&self, store: Arc<dyn Store>) -> Result<Engine, OpenError> {
        self.open_with(store, Self::settings())
    }

    pub fn open_with(
        &self,
        store: Arc<dyn Store>,
        settings: Settings,
    ) -> Result<Engine, OpenError> {
        let clock = self.clock.clone();
        let clock = Arc::new(move || clock.load(Ordering::SeqCst));
        Engine::open(store, self.trees(), clock, settings)
    }

    pub fn open_file(&self, path: &Path) -> Engine {
        self.open(Arc::new(tlog::store::sqlite::SqliteStore::open(path).unwrap())).unwrap()
    }

    /// Everything that a client would check about an answer.
    pub fn check(&self, published: &Published) {
        let verifiers = self.trees();
        let config = verifiers.iter().find(|config| config.tree == published.tree()).unwrap();
        let head = published.head();
        check_head(head, &*config.verifier).unwrap();
        let leaf = leaf_hash(published.body());
        let head = &head.head;
        verify_inclusion(published.index(), head.size, &leaf, published.proof(), &head.root)
            .unwrap();
    }
}

/// The whole-state checker: recomputes everything in a store and expects no disagreement.
pub fn assert_whole(world: &World, store: &dyn Store) {
    assert_eq!(findings(world, store), []);
}

pub fn findings(world: &World, store: &dyn Store) -> Vec<Finding> {
    let verifiers = world.trees().into_iter().map(|config| (config.tree, config.verifier));
    let mut findings = Vec::new();
    let summary = fsck::check(store, &verifiers.collect(), &mut |finding| findings.push(finding));
    assert_eq!(summary.findings as usize, findings.len());
    findings
}

/// Runs a future to its end, on a runtime of its own.
pub fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub fn submit(engine: &Engine, entry: Accepted) -> Result<Published, SubmitError> {
    wait(engine.submit(entry))
}

/// An entry about the `n`-th artifact, signed by a key of its own.
pub fn rekor_entry(n: u64) -> Accepted {
    rekor2::accept(&rekor_request(n)).unwrap()
}

pub fn rekor_request(n: u64) -> Submitted {
    let key = TestKey::generate();
    let message = format!("artifact {n}");
    let digest = HashAlgorithm::Sha256.digest(message.as_bytes());
    let verifier = json!({
        "publicKey": { "rawBytes": STANDARD.encode(key.public().spki_der()) },
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
    });
    let signature = key.sign_message(message.as_bytes());
    request(&hashed_rekord(digest.as_bytes(), &signature, &verifier))
}

pub fn hashed_rekord(digest: &[u8], signature: &[u8], verifier: &Value) -> Value {
    json!({ "hashedRekordRequestV002": {
        "digest": STANDARD.encode(digest),
        "signature": { "content": STANDARD.encode(signature), "verifier": verifier },
    }})
}

pub fn request(value: &Value) -> Submitted {
    Submitted::new(value.to_string().into_bytes())
}

/// A root, an issuing CA under it, and what it issues.
pub struct Ca {
    pub root: Certificate,
    pub issuing: Certificate,
    issuer: Issuer<'static, rcgen::KeyPair>,
}

impl Ca {
    pub fn new(name: &str) -> Self {
        let (root_key, key) =
            (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
        let params = |name: String| {
            let mut params = CertificateParams::default();
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params
        };
        let root_params = params(format!("{name} root"));
        let root = root_params.self_signed(&root_key).unwrap();
        let root_issuer = Issuer::new(root_params, root_key);
        let issuing_params = params(name.into());
        let issuing = issuing_params.signed_by(&key, &root_issuer).unwrap();
        Self {
            root: Certificate::from_der(root.der()).unwrap(),
            issuing: Certificate::from_der(issuing.der()).unwrap(),
            issuer: Issuer::new(issuing_params, key),
        }
    }

    pub fn authorities(&self) -> Authorities {
        Authorities::new(vec![vec![self.issuing.clone(), self.root.clone()]]).unwrap()
    }

    pub fn precertificate(&self, email: &str) -> Certificate {
        self.issue(email, &[poison()])
    }

    pub fn issue(&self, email: &str, extensions: &[CustomExtension]) -> Certificate {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![SanType::Rfc822Name(email.try_into().unwrap())];
        params.custom_extensions = extensions.to_vec();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Certificate::from_der(certificate.der()).unwrap()
    }

    pub fn chain(&self, leaf: &Certificate) -> Submitted {
        chain(&[leaf, &self.issuing, &self.root])
    }
}

pub fn chain(certificates: &[&Certificate]) -> Submitted {
    let chain: Vec<String> = certificates.iter().map(|c| STANDARD.encode(c.der())).collect();
    request(&json!({ "chain": chain }))
}

pub fn poison() -> CustomExtension {
    let oid = [1, 3, 6, 1, 4, 1, 11129, 2, 4, 3];
    let mut extension = CustomExtension::from_oid_content(&oid, vec![5, 0]);
    extension.set_criticality(true);
    extension
}
