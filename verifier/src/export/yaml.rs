//! What Kubernetes' admission controllers read. The YAML is written line by line: strings are JSON
//! strings, which YAML reads as they are, or blocks of PEM and base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use formats::certificate::Certificate;
use formats::key::KeyAlgorithm;
use formats::trusted_root::{CertificateAuthority, TransparencyLog};

use super::{Exported, Source, newest, quoted};
use crate::cli::Client;

impl Source {
    /// A TrustRoot that follows the repository, and one that holds the keys themselves, for a cluster
    /// that reaches no repository (policy-controller `pkg/apis/policy/v1alpha1/trustroot_types.go`).
    pub(super) fn policy_controller(&self, out: &str) -> Exported {
        let name = self.record.name.as_str();
        let head = |name: &str| {
            format!(
                "apiVersion: policy.sigstore.dev/v1alpha1\nkind: TrustRoot\nmetadata:\n  name: \
                 {name}\nspec:\n"
            )
        };
        let mirror = json(self.record.repository.to_string().trim_end_matches('/'));
        let remote = format!(
            "{}  remote:\n    mirror: {mirror}\n    root: {}\n",
            head(name),
            self.root_base64()
        );
        let root = &self.trusted_root;
        let mut keys = format!("{}  sigstoreKeys:\n", head(&format!("{name}-keys")));
        keys += &list("certificateAuthorities", &root.authorities, authority);
        keys += &list("tLogs", &root.logs, log);
        keys += &list("ctLogs", &root.ct_logs, log);
        keys += &list("timestampAuthorities", &root.timestamp_authorities, authority);
        let file = |name: &str| quoted(&format!("{out}/{name}"));
        let mut lines = vec![
            format!("kubectl apply -f {}", file(TRUST_ROOT)),
            "# or, where the cluster reaches no repository".to_owned(),
            format!("kubectl apply -f {}", file(TRUST_ROOT_KEYS)),
            format!(
                "# and in each ClusterImagePolicy, under keyless and ctlog: trustRootRef: {name}"
            ),
        ];
        let ecdsa = |log: &TransparencyLog| {
            matches!(
                log.key.algorithm(),
                KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521
            )
        };
        if !root.logs.iter().all(ecdsa) {
            lines.push("# policy-controller refuses log keys other than ECDSA".to_owned());
        }
        Exported { files: vec![(TRUST_ROOT, remote), (TRUST_ROOT_KEYS, keys)], lines }
    }

    /// The attestor of a ClusterPolicy (kyverno.io/v1, from 1.11 on), to be put under `verifyImages`.
    pub(super) fn kyverno(&self, out: &str) -> Exported {
        let root = &self.trusted_root;
        let anchors: String = root
            .authorities
            .iter()
            .filter_map(|authority| authority.chain.last())
            .map(Certificate::to_pem)
            .collect();
        let mut text =
            "attestors:\n- entries:\n  - keyless:\n      subject: \"WHO\"\n      issuer: \
                        \"URL\"\n"
                .to_owned();
        text += &block("      roots", 8, &anchors);
        if let Some(url) = newest(&self.signing_config.logs) {
            text += &format!("      rekor:\n        url: {}\n", json(url));
            text += &block("        pubkey", 10, &self.log_keys());
        }
        text += "      ctlog:\n";
        text += &block("        pubkey", 10, &self.ct_keys());
        let file = |name: &str| quoted(&format!("{out}/{name}"));
        Exported {
            files: vec![(ATTESTOR, text), self.root_file(), self.trusted_root_file()],
            lines: vec![
                format!(
                    "# signatures: put {} under verifyImages, and fill in WHO and URL",
                    file(ATTESTOR)
                ),
                "# bundles (type SigstoreBundle): run Kyverno itself with".to_owned(),
                format!(
                    "--enableTuf --tufMirror {} --tufRootRaw \"$(cat {})\"",
                    self.mirror(),
                    file(super::ROOT)
                ),
                format!(
                    "# ImageValidatingPolicy from 1.19 on: the text of {} as cosign.trustedRoot",
                    file(super::TRUSTED_ROOT)
                ),
                format!(
                    "# {} does not follow the instance; export again after a rotation",
                    Client::Kyverno.name()
                ),
            ],
        }
    }
}

fn list<T>(name: &str, items: &[T], item: impl Fn(&T) -> String) -> String {
    if items.is_empty() {
        return String::new();
    }
    format!("    {name}:\n{}", items.iter().map(item).collect::<String>())
}

fn authority(authority: &CertificateAuthority) -> String {
    let pem: String = authority.chain.iter().map(Certificate::to_pem).collect();
    format!(
        "    - subject:\n        organization: {}\n        commonName: {}\n      uri: {}\n      \
         certChain: {}\n",
        json(&authority.subject_org),
        json(&authority.subject_cn),
        json(&authority.uri),
        STANDARD.encode(pem)
    )
}

fn log(log: &TransparencyLog) -> String {
    format!(
        "    - baseURL: {}\n      hashAlgorithm: sha-256\n      publicKey: {}\n",
        json(&log.base_url),
        STANDARD.encode(log.key.to_pem())
    )
}

/// A block of lines, as they are.
fn block(name: &str, indent: usize, text: &str) -> String {
    let lines: String = text.lines().map(|line| format!("{:indent$}{line}\n", "")).collect();
    format!("{name}: |-\n{lines}")
}

fn json(text: &str) -> String {
    fetch::shown::ascii_json(&serde_json::Value::from(text).to_string())
}

const TRUST_ROOT: &str = "trust-root.yaml";
const TRUST_ROOT_KEYS: &str = "trust-root-keys.yaml";
const ATTESTOR: &str = "attestor.yaml";
