//! The recipe for one bundle, its trust root and its policy.

use std::cell::OnceCell;

use formats::bundle::{Bundle, BundleVersion, Content, InclusionProof, LogEntry, Material};
use formats::certificate::{Certificate, oid};
use formats::digest::HashAlgorithm;
use formats::dsse::Envelope;
use formats::key::KeyDetails;
use formats::trusted_root::{CertificateAuthority, TransparencyLog, TrustedRoot, Window};
use merkle::merkle::Hash;
use verify::error::Refusal;
use verify::policy::{IdentityMatch, Matcher, Policy};
use verify::verify::{Artifact, Verified, verify};

use super::der;
use super::log::{self, Body};
use super::pki::{self, CertSpec, Key, sha256};
use super::tsa::TokenSpec;

/// The moment of signing, unix seconds.
pub const T: i64 = 1_800_000_000;
pub const YEAR: i64 = 31_536_000;
pub const SUBJECT: &str = "https://ci.example.org/app/release.yml@refs/heads/main";
pub const ISSUER: &str = "https://token.example.org";
pub const IN_TOTO: &str = "application/vnd.in-toto+json";
pub const PREDICATE: &str = "https://example.org/predicate/v1";

/// What is signed and which log records it how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file, in a tile log: the main form.
    Rekor2,
    /// An attestation, in a tile log.
    Rekor2Dsse,
    /// A file, in a Rekor v1 log.
    HashedRekord1,
    /// An attestation, in a Rekor v1 log.
    Dsse1,
    /// The older form of the same.
    Intoto2,
}

impl Kind {
    pub const ALL: [Self; 5] =
        [Self::Rekor2, Self::Rekor2Dsse, Self::HashedRekord1, Self::Dsse1, Self::Intoto2];

    pub fn is_v1(self) -> bool {
        matches!(self, Self::HashedRekord1 | Self::Dsse1 | Self::Intoto2)
    }

    pub fn is_message(self) -> bool {
        matches!(self, Self::Rekor2 | Self::HashedRekord1)
    }
}

pub struct Sct {
    pub timestamp_ms: u64,
    pub extensions: Vec<u8>,
    /// Hash and signature algorithm of RFC 5246 7.4.1.4.1.
    pub algorithm: [u8; 2],
    /// Who signs, and under which log id.
    pub key: usize,
    pub log_id: Option<[u8; 32]>,
    pub forged: bool,
}

impl Sct {
    pub fn good() -> Self {
        Self {
            timestamp_ms: u64::try_from(T).unwrap() * 1000,
            extensions: Vec::new(),
            algorithm: [4, 3],
            key: 0,
            log_id: None,
            forged: false,
        }
    }
}

pub struct Authority {
    pub spec: CertSpec,
    pub key: Key,
}

pub struct Checkpoint {
    pub origin: String,
    pub name: String,
    pub hint: Option<[u8; 4]>,
    /// Whole lines around the log's own.
    pub before: Vec<String>,
    pub after: Vec<String>,
    pub unsigned: bool,
    pub forged: bool,
}

impl Checkpoint {
    pub fn of(origin: &str, name: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            name: name.to_owned(),
            hint: None,
            before: Vec::new(),
            after: Vec::new(),
            unsigned: false,
            forged: false,
        }
    }
}

type Edit<T> = Vec<Box<dyn Fn(&mut T)>>;

pub struct Scene {
    pub kind: Kind,
    /// How the log records it, where that is not what `kind` says.
    pub entry_kind: Kind,
    pub artifact: Vec<u8>,
    pub payload: Vec<u8>,
    pub payload_type: String,
    /// Signed with a bare key; the policy then asks for that key.
    pub bare_key: bool,
    pub leaf: Authority,
    pub ca: Authority,
    pub ca_root: Authority,
    pub tsas: Vec<Authority>,
    pub tsa_root: Authority,
    pub ct_keys: Vec<Key>,
    pub log_key: Key,
    pub other_log_key: Key,
    pub scts: Vec<Sct>,
    /// The SCT extension's value as it stands, instead of `scts`.
    pub sct_list: Option<Vec<u8>>,
    pub tokens: Vec<TokenSpec>,
    /// `integratedTime` under a promise.
    pub promise: Option<i64>,
    pub signature: Option<Vec<u8>>,
    pub body: Edit<Body>,
    pub checkpoint: Checkpoint,
    /// That of a second log, which then holds an entry too.
    pub other_checkpoint: Option<Checkpoint>,
    pub bundle_edits: Edit<Bundle>,
    pub root_edits: Edit<TrustedRoot>,
    pub policy: Option<Policy>,
    pub now: i64,
    /// Signatures differ each time they are made, so that what is issued is kept. Ask for a
    /// certificate only when its recipe is done.
    pub(super) issued: Issued,
}

#[derive(Default)]
pub(super) struct Issued {
    pub(super) leaf: OnceCell<Certificate>,
    pub(super) ca: OnceCell<Vec<Certificate>>,
    pub(super) tsas: OnceCell<Vec<Vec<Certificate>>>,
}

impl Scene {
    pub fn new(kind: Kind) -> Self {
        let validity = (T - YEAR, T + 9 * YEAR);
        let (ca_root, ca, leaf) = (Key::p256(), Key::p256(), Key::p256());
        let (tsa_root, tsa) = (Key::p256(), Key::p256());
        let log_name = if kind.is_v1() { "v1.log.example.org" } else { "log.example.org" };
        let origin = if kind.is_v1() { format!("{log_name} - 77") } else { log_name.to_owned() };
        let (tokens, promise) =
            if kind.is_v1() { (vec![], Some(T)) } else { (vec![TokenSpec::at(T)], None) };
        let artifact = b"an artifact".to_vec();
        Self {
            kind,
            entry_kind: kind,
            payload: statement(&format!(r#"{{"sha256":"{}"}}"#, log::hex(&sha256(&artifact)))),
            artifact,
            payload_type: IN_TOTO.to_owned(),
            bare_key: false,
            leaf: Authority { spec: leaf_spec(&ca), key: leaf },
            ca: Authority {
                spec: CertSpec::authority("Issuing", &ca, &ca_root, validity),
                key: ca,
            },
            tsas: vec![Authority { spec: tsa_spec("Stamper", &tsa_root, validity), key: tsa }],
            tsa_root: Authority {
                spec: CertSpec::authority("Stamping Root", &tsa_root, &tsa_root, validity),
                key: tsa_root,
            },
            ca_root: Authority {
                spec: CertSpec::authority("Root", &ca_root, &ca_root, validity),
                key: ca_root,
            },
            ct_keys: vec![Key::p256(), Key::p256()],
            log_key: Key::p256(),
            other_log_key: Key::p256(),
            scts: vec![Sct::good()],
            sct_list: None,
            tokens,
            promise,
            signature: None,
            body: Vec::new(),
            checkpoint: Checkpoint::of(&origin, log_name),
            other_checkpoint: None,
            bundle_edits: Vec::new(),
            root_edits: Vec::new(),
            policy: None,
            now: T + 3600,
            issued: Issued::default(),
        }
    }

    pub fn edit_body(&mut self, edit: impl Fn(&mut Body) + 'static) {
        self.body.push(Box::new(edit));
    }

    pub fn edit_bundle(&mut self, edit: impl Fn(&mut Bundle) + 'static) {
        self.bundle_edits.push(Box::new(edit));
    }

    pub fn edit_root(&mut self, edit: impl Fn(&mut TrustedRoot) + 'static) {
        self.root_edits.push(Box::new(edit));
    }

    /// Changes the one log entry.
    pub fn edit_entry(&mut self, edit: impl Fn(&mut LogEntry) + 'static) {
        self.edit_bundle(move |bundle| edit(&mut bundle.entries[0]));
    }

    pub fn identity() -> IdentityMatch {
        IdentityMatch::new(Matcher::exact(SUBJECT), Matcher::exact(ISSUER))
    }

    pub fn policy(&self) -> Policy {
        match &self.policy {
            Some(policy) => policy.clone(),
            None if self.bare_key => Policy::key(self.leaf.key.public()),
            None => Policy::identity(Self::identity()),
        }
    }

    /// The verdict on the scene of `kind` after one change.
    pub fn after(kind: Kind, change: impl FnOnce(&mut Self)) -> Result<Verified, Refusal> {
        let mut scene = Self::new(kind);
        change(&mut scene);
        scene.verdict()
    }

    /// The reason why the scene of `kind` is refused after one change.
    pub fn refused(kind: Kind, change: impl FnOnce(&mut Self)) -> Refusal {
        Self::after(kind, change).expect_err("the changed bundle was accepted")
    }

    pub fn verdict(&self) -> Result<Verified, Refusal> {
        let artifact = Artifact::Message(&self.artifact);
        verify(&self.bundle(), &artifact, &self.policy(), &self.root(), self.now)
    }

    /// Another signer of the same instance, for what is made from now on.
    pub fn renew_leaf(&mut self) {
        self.leaf.key = Key::p256();
        self.leaf.spec.serial = vec![0x55; 8];
        self.issued.leaf = OnceCell::new();
    }

    /// The authorities' certificates: issuing and root.
    pub fn ca_chain(&self) -> &[Certificate] {
        self.issued.ca.get_or_init(|| {
            let root = &self.ca_root;
            vec![
                self.ca.spec.issue(&self.ca.key, &root.spec.name, &root.key),
                root.spec.issue(&root.key, &root.spec.name, &root.key),
            ]
        })
    }

    /// A timestamp authority's certificates: its own and the root's.
    pub fn tsa_chain(&self, index: usize) -> &[Certificate] {
        let root = &self.tsa_root;
        let issue = |tsa: &Authority| {
            vec![
                tsa.spec.issue(&tsa.key, &root.spec.name, &root.key),
                root.spec.issue(&root.key, &root.spec.name, &root.key),
            ]
        };
        &self.issued.tsas.get_or_init(|| self.tsas.iter().map(issue).collect())[index]
    }

    pub fn root(&self) -> TrustedRoot {
        let window = Window { start: T - YEAR, end: None };
        let host = if self.kind.is_v1() { "v1.log.example.org" } else { "log.example.org" };
        let log = |url: &str, key: &Key, log_id| TransparencyLog {
            base_url: url.to_owned(),
            key: key.public(),
            key_details: KeyDetails::for_key(&key.public()).unwrap(),
            window,
            log_id,
            checkpoint_key_id: None,
            operator: String::new(),
        };
        let authority = |uri: String, chain| CertificateAuthority {
            uri,
            subject_org: String::new(),
            subject_cn: String::new(),
            chain,
            window,
            operator: String::new(),
        };
        let stampers = (0..self.tsas.len()).map(|index| {
            authority(format!("https://tsa{index}.example.org"), self.tsa_chain(index).to_vec())
        });
        let mut root = TrustedRoot {
            logs: vec![
                log(&format!("https://{host}"), &self.log_key, self.log_id()),
                log("https://other.example.org", &self.other_log_key, self.other_log_key.id()),
            ],
            ct_logs: self.ct_keys.iter().map(|key| log("", key, key.id())).collect(),
            authorities: vec![authority(
                "https://ca.example.org".to_owned(),
                self.ca_chain().to_vec(),
            )],
            timestamp_authorities: stampers.collect(),
            skipped: Vec::new(),
        };
        self.root_edits.iter().for_each(|edit| edit(&mut root));
        root
    }
}

pub fn statement(digests: &str) -> Vec<u8> {
    format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"app","digest":{digests}}}],"predicateType":"{PREDICATE}","predicate":{{}}}}"#
    )
    .into_bytes()
}

pub fn tsa_spec(name: &str, issuer: &Key, validity: (i64, i64)) -> CertSpec {
    let mut spec = CertSpec::new(name, validity.0, validity.1);
    spec.set(oid::KEY_USAGE, true, pki::key_usage(pki::DIGITAL_SIGNATURE));
    spec.set(oid::EXTENDED_KEY_USAGE, true, pki::extended_key_usage(&[oid::EKU_TIME_STAMPING]));
    spec.set(oid::AUTHORITY_KEY_ID, false, pki::authority_key_id(issuer));
    spec
}

fn leaf_spec(issuer: &Key) -> CertSpec {
    let mut spec = CertSpec::new("", T - 60, T + 540);
    spec.set(oid::KEY_USAGE, true, pki::key_usage(pki::DIGITAL_SIGNATURE));
    spec.set(oid::EXTENDED_KEY_USAGE, false, pki::extended_key_usage(&[oid::EKU_CODE_SIGNING]));
    spec.set(oid::AUTHORITY_KEY_ID, false, pki::authority_key_id(issuer));
    spec.set(oid::SUBJECT_ALT_NAME, true, pki::alt_names(&[pki::uri(SUBJECT)]));
    spec.set(oid::FULCIO_ISSUER_V1, false, ISSUER.as_bytes().to_vec());
    spec.set("1.3.6.1.4.1.57264.1.5", false, b"example/app".to_vec());
    spec.set(oid::FULCIO_ISSUER_V2, false, der::utf8(ISSUER));
    spec.set("1.3.6.1.4.1.57264.1.15", false, der::utf8("4711"));
    spec
}
