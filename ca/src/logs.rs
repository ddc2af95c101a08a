//! The two logs of an instance: opened, born, and rechecked.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use formats::certificate::Certificate;
use formats::key::PublicKey;
use formats::sct::Sct;
use merkle::note::NoteVerifier;
use tlog::birth::{self, BirthError};
use tlog::ct::{self, Authorities, SctAnswerError};
use tlog::engine::{Engine, Settings, TreeConfig};
use tlog::fsck::{self, Finding, Summary};
use tlog::signer::{
    CheckpointSigner, CheckpointVerifier, LogKey, SignError, TreeHeadSigner, TreeHeadVerifier,
};
use tlog::store::sqlite::SqliteStore;
use tlog::{Accepted, Published, Tree};

use crate::clock::Clock;
use crate::failure::Failure;
use crate::instance::Instance;
use crate::keys::{Role, Signer, p256_spki};

/// Opens the logs of an instance, and bears them when they are not there yet.
///
/// # Errors
/// When the store is damaged, newer than this program, or older than the heads it has served.
pub fn open(instance: &Instance, clock: &Clock) -> Result<Engine, Failure> {
    let store = Arc::new(SqliteStore::open(&instance.database())?);
    let clock = clock.clone();
    let settings =
        Settings { high_water: Some(instance.dir.join("high-water")), ..Settings::default() };
    let trees = vec![ct_tree(instance)?, artifact_tree(instance)?];
    Ok(Engine::open(store, trees, Arc::new(move || clock.steady_ms()), settings)?)
}

/// Rechecks both logs from their entries and shows each thing that is wrong to `report`.
///
/// # Errors
/// When the store cannot be opened.
pub fn fsck(instance: &Instance, report: &mut dyn FnMut(Finding)) -> Result<Summary, Failure> {
    let store = SqliteStore::open(&instance.database())?;
    let verifiers = BTreeMap::from([
        (Tree::Ct, ct_tree(instance)?.verifier),
        (Tree::Rekor2, artifact_tree(instance)?.verifier),
    ]);
    Ok(fsck::check(&store, &verifiers, report))
}

type Verifier = Arc<dyn NoteVerifier + Send + Sync>;

fn ct_tree(instance: &Instance) -> Result<TreeConfig, Failure> {
    let origin = &instance.faces.ct_origin;
    let ours = Authorities::new(instance.authorities())?;
    let verifier = |key: &PublicKey| -> Result<Verifier, Failure> {
        Ok(Arc::new(TreeHeadVerifier::new(origin, key.clone())?))
    };
    Ok(TreeConfig {
        tree: Tree::Ct,
        signer: Arc::new(TreeHeadSigner::new(origin, log_key(&instance.ct_key))?),
        verifier: verifier(instance.ct_key.public_key())?,
        previous: instance.rotation.previous(Role::Ct).map(verifier).transpose()?,
        birth: birth::ct(ours),
    })
}

fn artifact_tree(instance: &Instance) -> Result<TreeConfig, Failure> {
    let origin = &instance.faces.log_origin;
    let key = instance.log_key.public_key().clone();
    let verifier = |key: &PublicKey| -> Result<Verifier, Failure> {
        Ok(Arc::new(CheckpointVerifier::new(origin, key.clone())?))
    };
    Ok(TreeConfig {
        tree: Tree::Rekor2,
        signer: Arc::new(CheckpointSigner::new(origin, log_key(&instance.log_key))?),
        verifier: verifier(&key)?,
        previous: instance.rotation.previous(Role::Log).map(verifier).transpose()?,
        birth: birth::rekor2(&key, sign_once),
    })
}

/// Signs with a key that is made for it and forgotten: the log's own key signs nothing but heads.
/// Answers the key's SPKI and the signature, both DER.
fn sign_once(message: &[u8]) -> Result<(Vec<u8>, Vec<u8>), BirthError> {
    let failed = |what: &str| BirthError::Sign { reason: what.to_owned() };
    let once = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)
        .map_err(|_unspecified| failed("it could not be made"))?;
    let signature = once
        .sign(&SystemRandom::new(), message)
        .map_err(|_unspecified| failed("it did not sign"))?;
    Ok((p256_spki(once.public_key().as_ref()), signature.as_ref().to_vec()))
}

/// The CT log as the certificate authority and the CT face use it.
#[derive(Clone)]
pub struct CtLog {
    engine: Engine,
    ours: Arc<Authorities>,
    key: Arc<dyn LogKey>,
    clock: Clock,
}

/// The CT log of an instance over its open logs.
///
/// # Errors
/// When the CA chain does not hold together.
pub fn ct_log(instance: &Instance, engine: &Engine, clock: &Clock) -> Result<CtLog, Failure> {
    Ok(CtLog {
        engine: engine.clone(),
        ours: Arc::new(Authorities::new(instance.authorities())?),
        key: log_key(&instance.ct_key),
        clock: clock.clone(),
    })
}

impl CtLog {
    /// The engine under it.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The clock that its SCTs are dated by.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The CAs whose certificates it takes.
    pub fn authorities(&self) -> &Authorities {
        &self.ours
    }

    /// The key of its SCTs and heads.
    pub fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    /// Takes a precertificate that this process has just signed.
    ///
    /// # Errors
    /// When it is no precertificate in the name of our CA.
    pub fn accept_just_signed(
        &self,
        precertificate: &Certificate,
    ) -> Result<Accepted, ct::Rejected> {
        ct::accept_just_signed(precertificate, &self.ours)
    }

    /// The SCT of an entry that is in the log.
    ///
    /// # Errors
    /// When the CT key cannot sign.
    pub fn sct(&self, published: &Published) -> Result<Sct, SctAnswerError> {
        ct::sct(published, &*self.key)
    }
}

/// A key of the instance as the log engine reaches it.
struct InstanceKey(Arc<dyn Signer>);

fn log_key(key: &Arc<dyn Signer>) -> Arc<dyn LogKey> {
    Arc::new(InstanceKey(Arc::clone(key)))
}

impl LogKey for InstanceKey {
    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.0.sign(message).map_err(|failed| SignError::Unavailable { reason: failed.to_string() })
    }
}
