//! TUF metadata on the wire, and its way to the strict form.
//!
//! Members that are not known are passed over, as the specification asks (section 4.1): they are
//! signed like the rest, and nothing here depends on them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::canonical::canonical;
use super::{
    MAX_KEYS, MAX_ROOT_BYTES, MAX_SIGNATURES, MAX_SNAPSHOT_BYTES, MAX_TARGETS, MAX_TARGETS_BYTES,
    MAX_TIMESTAMP_BYTES, MetaFile, Role, RoleKeys, Root, Signature, Signed, Snapshot, TargetFile,
    Targets, Timestamp, TufFormatError,
};
use crate::bundle::wire::Capped;
use crate::digest::{Digest, HashAlgorithm};
use crate::json;
use crate::key::{KeyAlgorithm, PublicKey};

pub(super) fn root(bytes: &[u8]) -> Result<Signed<Root>, TufFormatError> {
    const ROLE: Role = Role::Root;
    read(ROLE, bytes, MAX_ROOT_BYTES, |wire: WireRoot, header| {
        if !wire.consistent_snapshot {
            return Err(TufFormatError::NotConsistent);
        }
        if wire.keys.len() > MAX_KEYS {
            return Err(TufFormatError::TooManyKeys { count: wire.keys.len() });
        }
        let role = |role: Role| role_keys(&wire.roles, role);
        let roles = [
            role(Role::Root)?,
            role(Role::Timestamp)?,
            role(Role::Snapshot)?,
            role(Role::Targets)?,
        ];
        let keys = wire
            .keys
            .iter()
            .filter_map(|(id, key)| Some((id.clone(), key.understood()?)))
            .collect();
        Ok(Root { version: header.version, expires: header.expires, keys, roles })
    })
}

pub(super) fn timestamp(bytes: &[u8]) -> Result<Signed<Timestamp>, TufFormatError> {
    read(Role::Timestamp, bytes, MAX_TIMESTAMP_BYTES, |wire: WireMeta, header| {
        let snapshot = wire.described(Role::Timestamp, Role::Snapshot)?;
        Ok(Timestamp { version: header.version, expires: header.expires, snapshot })
    })
}

pub(super) fn snapshot(bytes: &[u8]) -> Result<Signed<Snapshot>, TufFormatError> {
    read(Role::Snapshot, bytes, MAX_SNAPSHOT_BYTES, |wire: WireMeta, header| {
        let targets = wire.described(Role::Snapshot, Role::Targets)?;
        Ok(Snapshot { version: header.version, expires: header.expires, targets })
    })
}

pub(super) fn targets(bytes: &[u8]) -> Result<Signed<Targets>, TufFormatError> {
    read(Role::Targets, bytes, MAX_TARGETS_BYTES, |wire: WireTargets, header| {
        if wire.targets.len() > MAX_TARGETS {
            return Err(TufFormatError::TooManyTargets { count: wire.targets.len() });
        }
        let mut files = BTreeMap::new();
        for (name, file) in wire.targets {
            let (digest, hashes) = strong(Role::Targets, &name, &file.hashes)?;
            files.insert(name, TargetFile { length: file.length, digest, hashes });
        }
        Ok(Targets { version: header.version, expires: header.expires, files })
    })
}

/// What all roles have.
struct Header {
    version: u64,
    expires: i64,
}

fn read<W: DeserializeOwned, T>(
    role: Role,
    bytes: &[u8],
    cap: usize,
    content: impl FnOnce(W, Header) -> Result<T, TufFormatError>,
) -> Result<Signed<T>, TufFormatError> {
    let json = |fault| TufFormatError::Json { role, fault };
    // Twice, once as it was signed and once as it is understood. Both readings are of the same bytes,
    // in which no member stands twice.
    let as_signed: WireSigned<Value> = json::from_slice_capped(bytes, cap).map_err(json)?;
    let header: WireSigned<WireHeader> = json::from_slice_capped(bytes, cap).map_err(json)?;
    let header = header.signed.strict(role)?;
    let understood: WireSigned<W> = json::from_slice_capped(bytes, cap).map_err(json)?;

    let payload = canonical(&as_signed.signed).map_err(|_| TufFormatError::Fraction { role })?;
    let signatures = as_signed
        .signatures
        .into_all()
        .map_err(|many| TufFormatError::TooManySignatures { role, count: many.count })?
        .into_iter()
        .map(|WireSignature { keyid, sig }| {
            let bytes = hex(&sig).ok_or(TufFormatError::SignatureNotHex { role })?;
            Ok(Signature { key_id: keyid, bytes })
        })
        .collect::<Result<_, _>>()?;
    Ok(Signed { content: content(understood.signed, header)?, payload, signatures })
}

#[derive(Deserialize)]
struct WireSigned<T> {
    signed: T,
    signatures: Capped<WireSignature, MAX_SIGNATURES>,
}

#[derive(Deserialize)]
struct WireSignature {
    keyid: String,
    sig: String,
}

#[derive(Deserialize)]
struct WireHeader {
    #[serde(rename = "_type")]
    kind: String,
    spec_version: String,
    version: u64,
    expires: String,
}

impl WireHeader {
    fn strict(self, role: Role) -> Result<Header, TufFormatError> {
        if self.kind != role.name() {
            return Err(TufFormatError::OtherType { role, found: self.kind });
        }
        if !self.spec_version.starts_with("1.") {
            return Err(TufFormatError::SpecVersion { role, found: self.spec_version });
        }
        if self.version == 0 {
            return Err(TufFormatError::VersionZero { role });
        }
        let expires =
            seconds(&self.expires).ok_or(TufFormatError::Expires { role, text: self.expires })?;
        Ok(Header { version: self.version, expires })
    }
}

#[derive(Deserialize)]
struct WireRoot {
    consistent_snapshot: bool,
    keys: BTreeMap<String, WireKey>,
    roles: BTreeMap<String, WireRole>,
}

#[derive(Deserialize)]
struct WireKey {
    keytype: String,
    scheme: String,
    keyval: WireKeyValue,
}

#[derive(Deserialize)]
struct WireKeyValue {
    #[serde(default)]
    public: String,
}

impl WireKey {
    /// The key, when its kind is one that we verify with. `ecdsa-sha2-nistp256` as a key type is how
    /// the public Sigstore's roots up to the sixth have it.
    fn understood(&self) -> Option<PublicKey> {
        let public = &self.keyval.public;
        match (self.keytype.as_str(), self.scheme.as_str()) {
            ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => PublicKey::from_pem(public)
                .ok()
                .filter(|key| key.algorithm() == KeyAlgorithm::EcdsaP256),
            ("ed25519", "ed25519") => {
                let raw = hex(public).filter(|raw| raw.len() == 32)?;
                PublicKey::from_spki_der(&[ED25519_SPKI, &raw].concat()).ok()
            }
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct WireRole {
    keyids: Vec<String>,
    threshold: i64,
}

fn role_keys(roles: &BTreeMap<String, WireRole>, role: Role) -> Result<RoleKeys, TufFormatError> {
    let WireRole { keyids, threshold } =
        roles.get(role.name()).ok_or(TufFormatError::NoRole { role })?;
    let distinct: BTreeSet<&String> = keyids.iter().collect();
    if distinct.len() != keyids.len() {
        return Err(TufFormatError::KeyTwice { role });
    }
    let fault = || TufFormatError::Threshold { role, threshold: *threshold, keys: keyids.len() };
    let enough = usize::try_from(*threshold).map_err(|_| fault())?;
    if !(1..=keyids.len()).contains(&enough) {
        return Err(fault());
    }
    Ok(RoleKeys { key_ids: keyids.clone(), threshold: enough })
}

#[derive(Deserialize)]
struct WireMeta {
    meta: BTreeMap<String, WireMetaFile>,
}

#[derive(Deserialize)]
struct WireMetaFile {
    version: u64,
    length: Option<u64>,
    hashes: Option<BTreeMap<String, String>>,
}

impl WireMeta {
    fn described(&self, role: Role, wanted: Role) -> Result<MetaFile, TufFormatError> {
        let name = format!("{wanted}.json");
        let file = self.meta.get(&name).ok_or(TufFormatError::NotDescribed { role, wanted })?;
        if file.version == 0 {
            return Err(TufFormatError::VersionZero { role });
        }
        let hashes = match &file.hashes {
            Some(hashes) => strong(role, &name, hashes)?.1,
            None => Vec::new(),
        };
        Ok(MetaFile { version: file.version, length: file.length, hashes })
    }
}

#[derive(Deserialize)]
struct WireTargets {
    targets: BTreeMap<String, WireTargetFile>,
}

#[derive(Deserialize)]
struct WireTargetFile {
    length: u64,
    hashes: BTreeMap<String, String>,
}

/// The digests that count, and the first of them: SHA-256 where there is one. Others may stand
/// beside them.
fn strong(
    role: Role,
    file: &str,
    hashes: &BTreeMap<String, String>,
) -> Result<(Digest, Vec<Digest>), TufFormatError> {
    let digests = [HashAlgorithm::Sha256, HashAlgorithm::Sha512]
        .into_iter()
        .filter_map(|algorithm| {
            let hex = hashes.get(algorithm.rekor_name())?;
            Some(Digest::from_hex(algorithm, hex))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| TufFormatError::Hash { role, file: file.to_owned() })?;
    match digests.first() {
        Some(first) => Ok((*first, digests)),
        None => Err(TufFormatError::NoStrongHash { role, file: file.to_owned() }),
    }
}

/// Unix seconds of `2030-01-02T03:04:05Z`: UTC and whole seconds, as the specification has it.
fn seconds(text: &str) -> Option<i64> {
    let whole = text.len() == "2030-01-02T03:04:05Z".len() && text.ends_with('Z');
    let time = OffsetDateTime::parse(text, &Rfc3339).ok().filter(|_| whole)?;
    Some(time.unix_timestamp())
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: &u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    text.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect()
}

/// What stands before the 32 bytes of a key in its SubjectPublicKeyInfo (RFC 8410 section 4).
const ED25519_SPKI: &[u8] =
    &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
