//! Trust roots that cannot be used, or of which one entry cannot.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod instance;

use formats::certificate::Certificate;
use formats::trusted_root::TrustedRoot;
use instance::{Key, Kind, Scene};
use verify::error::{AuthorityFault, Refusal, RootFault};
use verify::verify::Verifier;

fn fault(edit: impl Fn(&mut TrustedRoot)) -> RootFault {
    let mut root = Scene::new(Kind::Rekor2).root();
    assert!(Verifier::new(&root).is_ok());
    edit(&mut root);
    Verifier::new(&root).expect_err("the changed trust root was accepted")
}

fn broken(list: &'static str) -> RootFault {
    RootFault::ChainBroken { list, index: 0, position: 0 }
}

#[test]
fn reversed_chain() {
    assert_eq!(fault(|root| root.authorities[0].chain.reverse()), broken("certificateAuthorities"));
    assert_eq!(
        fault(|root| root.timestamp_authorities[0].chain.reverse()),
        broken("timestampAuthorities")
    );
}

#[test]
fn chain_whose_names_fit_and_whose_signatures_do_not() {
    let elsewhere = Scene::new(Kind::Rekor2);
    let ca = elsewhere.ca_chain()[1].clone();
    assert_eq!(
        fault(|root| root.authorities[0].chain[1] = ca.clone()),
        broken("certificateAuthorities")
    );
    let tsa = elsewhere.tsa_chain(0)[1].clone();
    assert_eq!(
        fault(|root| root.timestamp_authorities[0].chain[1] = tsa.clone()),
        broken("timestampAuthorities")
    );
}

#[test]
fn chain_whose_signatures_fit_and_whose_names_do_not() {
    let scene = Scene::new(Kind::Rekor2);
    let mut spec = scene.ca_root.spec.clone();
    spec.name = "Other Root".to_owned();
    let other = spec.issue(&scene.ca_root.key, "Other Root", &scene.ca_root.key);
    let mut root = scene.root();
    root.authorities[0].chain[1] = other;
    assert_eq!(Verifier::new(&root).unwrap_err(), broken("certificateAuthorities"));
}

#[test]
fn empty_chain() {
    for (list, edit) in [
        (
            "certificateAuthorities",
            (|root| root.authorities[0].chain.clear()) as fn(&mut TrustedRoot),
        ),
        ("timestampAuthorities", |root| root.timestamp_authorities[0].chain.clear()),
    ] {
        assert_eq!(fault(edit), RootFault::EmptyChain { list, index: 0 });
    }
}

#[test]
fn timestamp_authority_without_anchor() {
    assert_eq!(
        fault(|root| root.timestamp_authorities[0].chain.truncate(1)),
        RootFault::NoTimestampAnchor { index: 0 }
    );
}

#[test]
fn one_log_id_with_two_keys() {
    for (list, edit) in [
        ("tlogs", (|root| root.logs[1].log_id = root.logs[0].log_id) as fn(&mut TrustedRoot)),
        ("ctlogs", |root| root.ct_logs[1].log_id = root.ct_logs[0].log_id),
    ] {
        assert_eq!(fault(edit), RootFault::LogIdClash { list });
    }
}

#[test]
fn refusal_carries_the_fault_of_the_trust_root() {
    let refusal = Scene::refused(Kind::Rekor2, |scene| {
        scene.edit_root(|root| root.authorities[0].chain.reverse());
    });
    let fault = broken("certificateAuthorities");
    assert_eq!(refusal, Refusal::Authority(AuthorityFault::TrustRoot(fault)));
}

#[test]
fn unknown_key_skipped_not_trusted() {
    // An authority with a key that we do not verify with lies beside a good one.
    let unusable = |scene: &Scene| -> Vec<Certificate> {
        let key = Key::ml_dsa();
        vec![scene.ca.spec.issue(&key, "Root", &scene.ca_root.key), scene.ca_chain()[1].clone()]
    };
    let beside = Scene::after(Kind::Rekor2, |scene| {
        let chain = unusable(scene);
        scene.edit_root(move |root| {
            let mut other = root.authorities[0].clone();
            other.chain = chain.clone();
            root.authorities.insert(0, other);
        });
    });
    assert!(beside.is_ok());
    let needed = Scene::refused(Kind::Rekor2, |scene| {
        let chain = unusable(scene);
        scene.edit_root(move |root| root.authorities[0].chain = chain.clone());
    });
    assert_eq!(needed, Refusal::Authority(AuthorityFault::IssuerUnknown));
}
