"""Every key in what `verifier trust export` wrote is one of the trusted root, and none is missing.

usage: exported.py gitsign|policy-controller|kyverno FOLDER TRUSTED_ROOT [ROOT ORIGIN]

Python's own modules for all but the YAML; bytes are compared, and nothing of them is interpreted.
"""

import base64
import json
import re
import sys
from pathlib import Path


def main(client, folder, trusted_root, root=None, origin=None):
    folder = Path(folder)
    trusted = json.loads(Path(trusted_root).read_text())
    if client == "gitsign":
        gitsign(folder, trusted)
    elif client == "policy-controller":
        policy_controller(folder, trusted, Path(root).read_bytes(), origin)
    else:
        kyverno(folder, trusted, Path(root).read_bytes(), origin)


def gitsign(folder, trusted):
    same("authorities", pem(text(folder, "fulcio.crt.pem")), sum(chains(trusted, "certificateAuthorities"), []))
    same("log keys", pem(text(folder, "rekor.pub")), keys(trusted, "tlogs"))
    same("CT keys", pem(text(folder, "ctfe.pub")), keys(trusted, "ctlogs"))


def policy_controller(folder, trusted, root, origin):
    remote = trust_root(folder, "trust-root.yaml")["remote"]
    same("mirror", remote["mirror"], f"{origin}/tuf")
    same("root", decoded(remote["root"]), root)
    held = trust_root(folder, "trust-root-keys.yaml")["sigstoreKeys"]
    for name, of_root in [("certificateAuthorities",) * 2, ("timestampAuthorities",) * 2]:
        found = [pem(decoded(one["certChain"]).decode()) for one in held[name]]
        same(name, found, chains(trusted, of_root))
    for name, of_root in [("tLogs", "tlogs"), ("ctLogs", "ctlogs")]:
        found = [pem(decoded(one["publicKey"]).decode())[0] for one in held[name]]
        same(name, found, keys(trusted, of_root))
        same(f"{name}, URLs", [one["baseURL"] for one in held[name]], [log["baseUrl"] for log in trusted[of_root]])


def trust_root(folder, name):
    read = yaml(folder, name)
    same("kind", (read["apiVersion"], read["kind"]), ("policy.sigstore.dev/v1alpha1", "TrustRoot"))
    return read["spec"]


def kyverno(folder, trusted, root, origin):
    (attestor,) = yaml(folder, "attestor.yaml")["attestors"]
    (entry,) = attestor["entries"]
    keyless = entry["keyless"]
    same("placeholders", (keyless["subject"], keyless["issuer"]), ("WHO", "URL"))
    anchors = [chain[-1] for chain in chains(trusted, "certificateAuthorities")]
    same("roots", pem(keyless["roots"]), anchors)
    same("rekor", keyless["rekor"]["url"], origin)
    same("log keys", pem(keyless["rekor"]["pubkey"]), keys(trusted, "tlogs"))
    same("CT keys", pem(keyless["ctlog"]["pubkey"]), keys(trusted, "ctlogs"))
    same("root", (folder / "root.json").read_bytes(), root)
    same("trusted root", json.loads(text(folder, "trusted_root.json")), trusted)


def yaml(folder, name):
    import yaml as reader

    return reader.safe_load(text(folder, name))


def text(folder, name):
    return (folder / name).read_text()


def pem(text):
    """The bytes of every block; nothing but blocks may be there."""
    block = r"-----BEGIN ([A-Z ]+)-----\n([A-Za-z0-9+/=\n]+?)\n?-----END \1-----\n?"
    if re.sub(block, "", text).strip():
        sys.exit(f"not PEM alone: {text}")
    return [decoded(body.replace("\n", "")) for _, body in re.findall(block, text)]


def chains(trusted, name):
    return [
        [decoded(certificate["rawBytes"]) for certificate in one["certChain"]["certificates"]]
        for one in trusted[name]
    ]


def keys(trusted, name):
    return [decoded(log["publicKey"]["rawBytes"]) for log in trusted[name]]


def decoded(text):
    return base64.b64decode(text, validate=True)


def same(what, found, expected):
    if not expected or found != expected:
        sys.exit(f"{what}: found {found!r}, the trusted root has {expected!r}")
    print(f"{what}: as in the trusted root")


main(*sys.argv[1:])
