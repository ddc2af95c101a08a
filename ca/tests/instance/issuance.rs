//! Issuing: what is signed, what is not, and what is left behind.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::desk::{BORN, Counting, Desk, EMAIL};
use ca::admit::admit;
use ca::issue::{IssueError, issue};
use ca::keys::RcgenKey;
use ca::lint::{LintFailure, LintedKey, lint, sct_holds};
use ca::profile::LIFE_SECONDS;
use formats::certificate::{Certificate, SubjectName, oid};
use formats::sct::{embedded_scts, is_precertificate, precert_tbs};
use rcgen::SigningKey as _;
use tlog::Tree;

async fn certificate(desk: &Desk) -> Certificate {
    let identity = desk.identity().await;
    let key = desk.proven_key(&identity);
    let issued = issue(&desk.authority(), admit(identity).unwrap(), key).await.unwrap();
    let chain: Vec<&Certificate> = issued.chain().collect();
    assert_eq!(chain.len(), 3);
    chain[0].clone()
}

#[tokio::test]
async fn a_certificate_is_the_profile() {
    let desk = Desk::new();
    let leaf = certificate(&desk).await;
    let oids: Vec<&str> = leaf.extensions().iter().map(|e| e.oid.as_str()).collect();
    assert_eq!(
        oids,
        [
            oid::KEY_USAGE,
            oid::EXTENDED_KEY_USAGE,
            oid::SUBJECT_KEY_ID,
            oid::AUTHORITY_KEY_ID,
            oid::SUBJECT_ALT_NAME,
            "1.3.6.1.4.1.57264.1.1",
            "1.3.6.1.4.1.57264.1.8",
            "1.3.6.1.4.1.57264.1.24",
            oid::SCT_LIST,
        ]
    );
    let identity = leaf.identity().unwrap();
    assert_eq!(identity.subject, SubjectName::Email(EMAIL.to_owned()));
    assert_eq!(identity.issuer, desk.issuer.issuer());
    assert_eq!(leaf.not_after() - leaf.not_before(), LIFE_SECONDS);
    assert_eq!(leaf.not_before(), BORN + 60);
    assert_eq!(lint(leaf.tbs(), desk.instance.issuing()), Ok(()));
}

#[tokio::test]
async fn precert_equals_cert() {
    let desk = Desk::new();
    let leaf = certificate(&desk).await;
    let entry = desk.engine.entries(Tree::Ct, 1, 1).unwrap().remove(0);
    // The logged leaf ends in the TBS, two bytes of extension length and eight of leaf index.
    let tbs = precert_tbs(&leaf).unwrap();
    let at = entry.body.len() - 10 - tbs.len();
    assert_eq!(&entry.body[at..entry.body.len() - 10], tbs.as_slice());
    assert!(!is_precertificate(&leaf).unwrap());
}

#[tokio::test]
async fn leaf_inside_every_ca() {
    let desk = Desk::new();
    let ends = desk.instance.issuing().not_after();
    desk.clock.set(ends - LIFE_SECONDS);
    certificate(&desk).await;

    desk.clock.set(ends - LIFE_SECONDS + 1);
    let identity = desk.identity().await;
    let key = desk.proven_key(&identity);
    let before = desk.engine.head(Tree::Ct).unwrap().head.size;
    let refused = issue(&desk.authority(), admit(identity).unwrap(), key).await.err();
    assert_eq!(refused, Some(IssueError::ChainExpires { left_seconds: LIFE_SECONDS - 1 }));
    assert_eq!(desk.engine.head(Tree::Ct).unwrap().head.size, before, "nothing was logged");
}

#[tokio::test]
async fn linted_before_signed() {
    let desk = Desk::new();
    let leaf = certificate(&desk).await;
    let counting = Counting::new(&desk.instance.issuing_key);
    let key = RcgenKey(Arc::clone(&counting) as _);
    let linted = LintedKey::new(key, desk.instance.issuing().clone());
    linted.sign(leaf.tbs()).unwrap();
    assert_eq!(counting.used.load(Ordering::SeqCst), 1, "the twin that is right is signed");

    for (fault, expected) in faults(&leaf) {
        assert_eq!(lint(&fault, desk.instance.issuing()), Err(expected));
        assert!(linted.sign(&fault).is_err());
    }
    assert_eq!(counting.used.load(Ordering::SeqCst), 1, "the CA key saw none of them");
}

/// The certificate with one thing changed, each without changing a length.
fn faults(leaf: &Certificate) -> Vec<(Vec<u8>, LintFailure)> {
    let replace = |from: &[u8], to: &[u8]| {
        let tbs = leaf.tbs();
        let at = tbs.windows(from.len()).rposition(|window| window == from).unwrap();
        let mut changed = tbs.to_vec();
        changed[at..at + from.len()].copy_from_slice(to);
        changed
    };
    let code_signing = [0x2b, 6, 1, 5, 5, 7, 3, 3];
    let any_other = [0x2b, 6, 1, 5, 5, 7, 3, 1];
    vec![
        (replace(b"260101001100Z", b"260101001101Z"), LintFailure::Validity),
        (replace(&code_signing, &any_other), LintFailure::Extension("extendedKeyUsage")),
        (
            replace(&[0x03, 0x02, 0x07, 0x80], &[0x03, 0x02, 0x05, 0xa0]),
            LintFailure::Extension("keyUsage"),
        ),
        (replace(b"Test issuing", b"Test ossuing"), LintFailure::Issuer),
        // subjectAltName no longer critical.
        (
            replace(&[0x55, 0x1d, 0x11, 0x01, 0x01, 0xff], &[0x55, 0x1d, 0x12, 0x01, 0x01, 0xff]),
            LintFailure::Extensions,
        ),
    ]
}

#[tokio::test]
async fn no_cert_without_good_sct() {
    let desk = Desk::new();
    let (one, other) = (certificate(&desk).await, certificate(&desk).await);
    let sct = embedded_scts(&one).unwrap().remove(0);
    let (issuing, log) = (desk.instance.issuing(), desk.instance.ct_key.public_key());
    let now = desk.clock.now();
    assert!(sct_holds(&sct, &one, issuing, log, now));

    assert!(!sct_holds(&sct, &other, issuing, log, now), "another certificate's");
    let mut broken = sct.clone();
    *broken.signature.last_mut().unwrap() ^= 1;
    assert!(!sct_holds(&broken, &one, issuing, log, now), "a bad signature");
    assert!(!sct_holds(&sct, &one, issuing, log, now - 3600), "from the future");
    let stranger = desk.instance.log_key.public_key();
    assert!(!sct_holds(&sct, &one, issuing, stranger, now), "of another log");

    // With the log gone there is no certificate, whatever else is in order.
    let identity = desk.identity().await;
    let key = desk.proven_key(&identity);
    let authority = desk.authority();
    desk.engine.shutdown();
    assert!(matches!(
        issue(&authority, admit(identity).unwrap(), key).await.err(),
        Some(IssueError::Log(_))
    ));
}

#[tokio::test]
async fn every_certificate_has_its_audit_row() {
    let desk = Desk::new();
    let leaf = certificate(&desk).await;
    desk.engine.shutdown();
    let database = rows(&desk);
    let row: serde_json::Value = serde_json::from_slice(database.last().unwrap()).unwrap();
    assert_eq!(row["event"], "issued");
    assert_eq!(row["subject"], EMAIL);
    assert_eq!(row["ctIndex"], 1);
    let serial: String = leaf.serial().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(row["serial"], serial);
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_survives_load() {
    let desk = Arc::new(Desk::new());
    let authority = Arc::new(desk.authority());
    let mut tasks = Vec::new();
    for _ in 0..MANY {
        let (desk, authority) = (desk.clone(), authority.clone());
        tasks.push(tokio::spawn(async move {
            let identity = desk.identity().await;
            let key = desk.proven_key(&identity);
            issue(&authority, admit(identity).unwrap(), key).await.unwrap();
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    desk.engine.shutdown();
    let indexes: BTreeSet<u64> = rows(&desk)
        .iter()
        .map(|row| serde_json::from_slice::<serde_json::Value>(row).unwrap())
        .map(|row| row["ctIndex"].as_u64().unwrap())
        .collect();
    let expected: BTreeSet<u64> = (1..=MANY).collect();
    assert_eq!(indexes, expected, "a row for each entry after the log's first");
}

const MANY: u64 = 300;

fn rows(desk: &Desk) -> Vec<Vec<u8>> {
    use tlog::store::Store as _;
    let store = tlog::store::sqlite::SqliteStore::open(&desk.dir().join("log.db")).unwrap();
    store.audit(1, 1000).unwrap().into_iter().map(|stored| stored.row).collect()
}
