//! Certificates, their authorities and their SCTs: each test changes one thing and names the one
//! reason.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod instance;

use formats::bundle::Material;
use formats::certificate::oid;
use formats::key::KeyError;
use instance::der;
use instance::pki::{self, CertSpec};
use instance::scene::YEAR;
use instance::{Key, Kind, Scene, T};
use verify::error::{AuthorityFault, BundleFault, PathFault, Refusal, SignerFault};

fn refused(change: impl FnOnce(&mut Scene)) -> Refusal {
    Scene::refused(Kind::Rekor2, change)
}

fn accepted(change: impl FnOnce(&mut Scene)) {
    assert_eq!(Scene::after(Kind::Rekor2, change).map(|_| ()), Ok(()));
}

fn authority(fault: AuthorityFault) -> Refusal {
    Refusal::Authority(fault)
}

fn issuer(fault: PathFault) -> Refusal {
    authority(AuthorityFault::Issuer(fault))
}

fn signer(fault: SignerFault) -> Refusal {
    Refusal::Signer(fault)
}

#[test]
fn leaf_shape_enforced() {
    let eku = |purposes: &'static [&'static str]| {
        refused(move |scene| {
            let value = pki::extended_key_usage(purposes);
            scene.leaf.spec.set(oid::EXTENDED_KEY_USAGE, false, value);
        })
    };
    assert_eq!(eku(&[oid::EKU_TIME_STAMPING]), signer(SignerFault::NotForCodeSigning));
    assert_eq!(eku(&[oid::EKU_ANY]), signer(SignerFault::AnyPurpose));
    assert_eq!(eku(&[oid::EKU_CODE_SIGNING, oid::EKU_ANY]), signer(SignerFault::AnyPurpose));
    assert_eq!(
        refused(|scene| scene.leaf.spec.remove(oid::EXTENDED_KEY_USAGE)),
        signer(SignerFault::NotForCodeSigning)
    );
    assert_eq!(
        refused(|scene| scene.leaf.spec.remove(oid::KEY_USAGE)),
        signer(SignerFault::KeyUsage)
    );
    let cert_sign = refused(|scene| {
        let value = pki::key_usage(pki::KEY_CERT_SIGN);
        scene.leaf.spec.set(oid::KEY_USAGE, true, value);
    });
    assert_eq!(cert_sign, signer(SignerFault::KeyUsage));
    let ca = refused(|scene| {
        let value = pki::basic_constraints(true, None);
        scene.leaf.spec.set(oid::BASIC_CONSTRAINTS, true, value);
    });
    assert_eq!(ca, signer(SignerFault::IsAuthority));
    accepted(|scene| {
        let value = pki::basic_constraints(false, None);
        scene.leaf.spec.set(oid::BASIC_CONSTRAINTS, true, value);
    });
}

#[test]
fn key_of_a_kind_we_do_not_verify_with() {
    let refusal = refused(|scene| {
        let (name, key) = (&scene.ca.spec.name, &scene.ca.key);
        let leaf = scene.leaf.spec.issue(&Key::ml_dsa(), name, key);
        scene.edit_bundle(move |bundle| bundle.material = Material::Certificate(leaf.clone()));
    });
    let Refusal::Signer(SignerFault::Key(error)) = refusal else { panic!("{refusal}") };
    assert!(matches!(error, KeyError::UnsupportedAlgorithm { .. }));
}

#[test]
fn unknown_critical_extension() {
    for (oid, value) in [("1.3.6.1.4.1.57264.1.99", vec![5, 0]), (oid::PRECERT_POISON, vec![5, 0])]
    {
        let refusal = refused(|scene| scene.leaf.spec.set(oid, true, value.clone()));
        assert_eq!(refusal, signer(SignerFault::CriticalExtension(oid.to_owned())));
    }
    accepted(|scene| scene.leaf.spec.set("1.3.6.1.4.1.57264.1.99", false, vec![5, 0]));
    for change in
        [(|scene| scene.ca.spec.set("1.2.3.4", true, vec![5, 0])) as fn(&mut Scene), |scene| {
            scene.ca.spec.set(oid::CERTIFICATE_POLICIES, true, vec![0x30, 0])
        }]
    {
        assert!(matches!(
            refused(change),
            Refusal::Authority(AuthorityFault::Issuer(PathFault::CriticalExtension {
                position: 0,
                ..
            }))
        ));
    }
}

#[test]
fn constraints_fail_closed() {
    // permittedSubtrees with one rfc822Name: a constraint that the leaf even satisfies.
    let value = || {
        let subtree = der::sequence(&[&pki::email("example.org")]);
        der::sequence(&[&der::tlv(0xa0, &[&subtree])])
    };
    for critical in [true, false] {
        let set = |spec: &mut CertSpec| spec.set(oid::NAME_CONSTRAINTS, critical, value());
        assert_eq!(refused(|scene| set(&mut scene.ca.spec)), issuer(PathFault::NameConstraints(0)));
        assert_eq!(
            refused(|scene| set(&mut scene.ca_root.spec)),
            issuer(PathFault::NameConstraints(1))
        );
        assert_eq!(
            refused(|scene| set(&mut scene.leaf.spec)),
            signer(SignerFault::NameConstraints)
        );
        assert_eq!(
            refused(|scene| set(&mut scene.tsas[0].spec)),
            authority(AuthorityFault::TimestampAuthority(PathFault::NameConstraints(0)))
        );
    }
}

#[test]
fn authorities_are_shaped_as_authorities() {
    let positions: [fn(&mut Scene) -> &mut CertSpec; 2] =
        [|scene| &mut scene.ca.spec, |scene| &mut scene.ca_root.spec];
    for (position, spec) in positions.into_iter().enumerate() {
        assert_eq!(
            refused(|scene| spec(scene).remove(oid::BASIC_CONSTRAINTS)),
            issuer(PathFault::NotAuthority(position))
        );
        let not_ca = refused(|scene| {
            spec(scene).set(oid::BASIC_CONSTRAINTS, true, pki::basic_constraints(false, None));
        });
        assert_eq!(not_ca, issuer(PathFault::NotAuthority(position)));
        assert_eq!(
            refused(|scene| spec(scene).remove(oid::KEY_USAGE)),
            issuer(PathFault::KeyUsage(position))
        );
        let no_cert_sign = refused(|scene| {
            spec(scene).set(oid::KEY_USAGE, true, pki::key_usage(pki::DIGITAL_SIGNATURE));
        });
        assert_eq!(no_cert_sign, issuer(PathFault::KeyUsage(position)));
        let stamping = refused(|scene| {
            let value = pki::extended_key_usage(&[oid::EKU_TIME_STAMPING]);
            spec(scene).set(oid::EXTENDED_KEY_USAGE, false, value);
        });
        assert_eq!(stamping, issuer(PathFault::Purpose(position)));
        accepted(|scene| {
            let value = pki::extended_key_usage(&[oid::EKU_CODE_SIGNING]);
            spec(scene).set(oid::EXTENDED_KEY_USAGE, false, value);
        });
    }
    // The root allows none below it; the issuing authority needs to allow none.
    let set = |spec: &mut CertSpec, length| {
        spec.set(oid::BASIC_CONSTRAINTS, true, pki::basic_constraints(true, Some(length)));
    };
    assert_eq!(refused(|scene| set(&mut scene.ca_root.spec, 0)), issuer(PathFault::PathLength(1)));
    accepted(|scene| {
        set(&mut scene.ca_root.spec, 1);
        set(&mut scene.ca.spec, 0);
    });
}

#[test]
fn chain_valid_at_each_time() {
    let fault = |position| issuer(PathFault::NotValidAt { position, time: T });
    assert_eq!(refused(|scene| scene.ca.spec.not_after = T - 1), fault(0));
    assert_eq!(refused(|scene| scene.ca.spec.not_before = T + 1), fault(0));
    assert_eq!(refused(|scene| scene.ca_root.spec.not_after = T - 1), fault(1));
    accepted(|scene| (scene.ca.spec.not_before, scene.ca.spec.not_after) = (T, T));
    // Two times, both inside the leaf's window; the intermediate ends between them.
    let refusal = Scene::refused(Kind::Dsse1, |scene| {
        scene.tokens.push(instance::tsa::TokenSpec::at(T + 10));
        scene.ca.spec.not_after = T + 5;
    });
    assert_eq!(refusal, issuer(PathFault::NotValidAt { position: 0, time: T + 10 }));
}

#[test]
fn leaf_valid_at_the_time() {
    let fault =
        |not_before, not_after| signer(SignerFault::NotValidAt { time: T, not_before, not_after });
    let expired = refused(|scene| scene.leaf.spec.not_after = T - 1);
    assert_eq!(expired, fault(T - 60, T - 1));
    let early = refused(|scene| scene.leaf.spec.not_before = T + 1);
    assert_eq!(early, fault(T + 1, T + 540));
    accepted(|scene| (scene.leaf.spec.not_before, scene.leaf.spec.not_after) = (T, T));
}

#[test]
fn windows_enforced_for_certificate_authorities() {
    let verdict = |start, end| {
        Scene::after(Kind::Rekor2, |scene| {
            scene.edit_root(move |root| {
                let window = &mut root.authorities[0].window;
                (window.start, window.end) = (start, Some(end));
            });
        })
        .map(|_| ())
    };
    assert_eq!(verdict(T, T), Ok(()));
    assert_eq!(verdict(T - YEAR, T - 1), Err(issuer(PathFault::Window(T))));
    assert_eq!(verdict(T + 1, T + YEAR), Err(issuer(PathFault::Window(T))));
}

#[test]
fn bundle_from_wrong_instance() {
    let elsewhere = Scene::new(Kind::Rekor2);
    let chain = elsewhere.ca_chain().to_vec();
    // Same names, other keys.
    let named_alike = refused(|scene| {
        let chain = chain.clone();
        scene.edit_root(move |root| root.authorities[0].chain = chain.clone());
    });
    assert_eq!(named_alike, authority(AuthorityFault::IssuerUnknown));
    // Same names, and no key ids to tell the keys apart by.
    let refusal = refused(|scene| {
        scene.leaf.spec.remove(oid::AUTHORITY_KEY_ID);
        let chain = chain.clone();
        scene.edit_root(move |root| root.authorities[0].chain = chain.clone());
    });
    assert_eq!(refusal, authority(AuthorityFault::CertificateSignature));
}

#[test]
fn pick_by_key_not_name() {
    // Two issuing authorities of one name: each signs, and both are found.
    for first in [true, false] {
        accepted(|scene| {
            let namesake = Scene::new(Kind::Rekor2).ca_chain().to_vec();
            scene.edit_root(move |root| {
                let mut other = root.authorities[0].clone();
                other.chain = namesake.clone();
                root.authorities.insert(usize::from(!first), other);
            });
        });
        // Even where the leaf does not say by which key it was signed.
        accepted(|scene| {
            scene.leaf.spec.remove(oid::AUTHORITY_KEY_ID);
            let namesake = Scene::new(Kind::Rekor2).ca_chain().to_vec();
            scene.edit_root(move |root| {
                let mut other = root.authorities[0].clone();
                other.chain = namesake.clone();
                root.authorities.insert(usize::from(!first), other);
            });
        });
    }
}

#[test]
fn path_search_budgeted() {
    let refusal = refused(|scene| {
        scene.edit_root(|root| {
            let one = root.authorities[0].clone();
            root.authorities.extend((0..8).map(|_| one.clone()));
        });
    });
    assert_eq!(refusal, authority(AuthorityFault::TooManyIssuers(8)));
}

#[test]
fn one_authority_with_two_windows() {
    accepted(|scene| {
        scene.edit_root(|root| {
            let mut old = root.authorities[0].clone();
            old.window.end = Some(T - 1);
            root.authorities.insert(0, old);
        });
    });
}

#[test]
fn bundle_certs_never_anchor() {
    // v0.1 and v0.2 carry a chain: what lies after the leaf is read past, and no root may.
    accepted_v1(|_| {});
    accepted_v1(|scene| add_to_chain(scene, 0));
    let refusal = Scene::refused(Kind::Dsse1, |scene| add_to_chain(scene, 1));
    assert_eq!(refusal, Refusal::Bundle(BundleFault::RootInChain { position: 1 }));
    let refusal = Scene::refused(Kind::Dsse1, |scene| {
        let stranger = Scene::new(Kind::Dsse1).ca_chain()[1].clone();
        scene.edit_bundle(move |bundle| {
            if let Material::Chain(chain) = &mut bundle.material {
                chain.push(stranger.clone());
            }
        });
    });
    assert_eq!(refusal, Refusal::Bundle(BundleFault::RootInChain { position: 1 }));
    // A whole chain of their own, without the root that would give it away.
    let refusal = Scene::refused(Kind::Dsse1, |scene| {
        add_to_chain(scene, 0);
        scene.edit_root(|root| root.authorities.clear());
    });
    assert_eq!(refusal, authority(AuthorityFault::IssuerUnknown));
    // The trust root's own anchor is no better, even where it is not self-signed.
    let refusal = Scene::refused(Kind::Dsse1, |scene| {
        add_to_chain(scene, 0);
        scene.edit_root(|root| root.authorities[0].chain.truncate(1));
    });
    assert_eq!(refusal, Refusal::Bundle(BundleFault::RootInChain { position: 1 }));
    let refusal = Scene::refused(Kind::Dsse1, |scene| {
        scene.edit_bundle(|bundle| bundle.material = Material::Chain(Vec::new()));
    });
    assert_eq!(refusal, Refusal::Bundle(BundleFault::EmptyChain));
}

fn accepted_v1(change: impl FnOnce(&mut Scene)) {
    assert_eq!(Scene::after(Kind::Dsse1, change).map(|_| ()), Ok(()));
}

fn add_to_chain(scene: &mut Scene, which: usize) {
    let certificate = scene.ca_chain()[which].clone();
    scene.edit_bundle(move |bundle| {
        if let Material::Chain(chain) = &mut bundle.material {
            chain.push(certificate.clone());
        }
    });
}

#[test]
fn anchor_need_not_be_self_signed() {
    accepted(|scene| scene.edit_root(|root| root.authorities[0].chain.truncate(1)));
    let root_only = refused(|scene| {
        scene.edit_root(|root| {
            root.authorities[0].chain.remove(0);
        });
    });
    assert_eq!(root_only, authority(AuthorityFault::IssuerUnknown));
}

#[test]
fn empty_root_lists_close() {
    type Empty = fn(&mut formats::trusted_root::TrustedRoot);
    let emptied: [(Empty, AuthorityFault); 4] = [
        (|root| root.logs.clear(), AuthorityFault::LogUnknown),
        (|root| root.ct_logs.clear(), AuthorityFault::SctLogUnknown),
        (|root| root.authorities.clear(), AuthorityFault::IssuerUnknown),
        (|root| root.timestamp_authorities.clear(), AuthorityFault::TimestampAuthorityUnknown),
    ];
    for (empty, fault) in emptied {
        assert_eq!(refused(|scene| scene.edit_root(empty)), authority(fault));
    }
}
