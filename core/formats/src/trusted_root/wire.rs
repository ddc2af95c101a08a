//! Trust roots as they stand on the wire, and their way to the strict form and back.

use serde::{Deserialize, Serialize};

use super::window::WireWindow;
use super::{
    CertificateAuthority, SkipReason, TRUSTED_ROOT_MEDIA_TYPE, TransparencyLog, TrustedRoot,
    TrustedRootError, Window, all,
};
use crate::bundle::wire::{Capped, WireChain, WireKeyId, base64, to_base64};
use crate::certificate::Certificate;
use crate::digest::HashAlgorithm;
use crate::key::{KeyDetails, PublicKey};

pub(super) type Logs = Capped<WireLog, MAX_ITEMS>;
pub(super) type Authorities = Capped<WireAuthority, MAX_ITEMS>;

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WireTrustedRoot {
    pub(super) media_type: String,
    pub(super) tlogs: Logs,
    pub(super) certificate_authorities: Authorities,
    pub(super) ctlogs: Logs,
    pub(super) timestamp_authorities: Authorities,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WireLog {
    base_url: String,
    hash_algorithm: String,
    public_key: Option<WirePublicKey>,
    log_id: Option<WireKeyId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint_key_id: Option<WireKeyId>,
    #[serde(skip_serializing_if = "String::is_empty")]
    operator: String,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct WirePublicKey {
    raw_bytes: String,
    key_details: String,
    valid_for: Option<WireWindow>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WireAuthority {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<WireSubject>,
    uri: String,
    cert_chain: Option<WireChain>,
    valid_for: Option<WireWindow>,
    #[serde(skip_serializing_if = "String::is_empty")]
    operator: String,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct WireSubject {
    organization: String,
    common_name: String,
}

/// Which item of which list, for errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub list: &'static str,
    pub index: usize,
}

impl Place {
    fn window(self, window: Option<&WireWindow>) -> Result<Window, TrustedRootError> {
        let Self { list, index } = self;
        WireWindow::required(window).map_err(|fault| TrustedRootError::Window {
            list,
            index,
            fault,
        })
    }

    fn base64(self, field: &'static str, text: &str) -> Result<Vec<u8>, TrustedRootError> {
        let Self { list, index } = self;
        base64(text).ok_or(TrustedRootError::Base64 { list, index, field })
    }
}

/// A log in its right form, with a key that may yet be unusable.
pub(super) struct LogCandidate {
    pub base_url: String,
    pub spki_der: Vec<u8>,
    key_details: String,
    window: Window,
    pub log_id: [u8; 32],
    checkpoint_key_id: Option<Vec<u8>>,
    operator: String,
}

impl WireLog {
    pub fn strict(self, place: Place) -> Result<LogCandidate, TrustedRootError> {
        let Place { list, index } = place;
        if HashAlgorithm::from_proto_name(&self.hash_algorithm) != Some(HashAlgorithm::Sha256) {
            return Err(TrustedRootError::HashAlgorithm {
                list,
                index,
                found: self.hash_algorithm,
            });
        }
        let key = self.public_key.ok_or(TrustedRootError::NoPublicKey { list, index })?;
        let log_id = place.base64("logId.keyId", &self.log_id.unwrap_or_default().key_id)?;
        let log_id = <[u8; 32]>::try_from(log_id.as_slice())
            .map_err(|_| TrustedRootError::LogIdLength { list, index, bytes: log_id.len() })?;
        let checkpoint_key_id = self
            .checkpoint_key_id
            .map(|id| place.base64("checkpointKeyId.keyId", &id.key_id))
            .transpose()?;
        Ok(LogCandidate {
            base_url: self.base_url,
            spki_der: place.base64("publicKey.rawBytes", &key.raw_bytes)?,
            key_details: key.key_details,
            window: place.window(key.valid_for.as_ref())?,
            log_id,
            checkpoint_key_id: checkpoint_key_id.filter(|id| !id.is_empty()),
            operator: self.operator,
        })
    }
}

impl LogCandidate {
    pub fn usable(&self) -> Result<TransparencyLog, SkipReason> {
        let key_details = KeyDetails::from_proto_name(&self.key_details)
            .ok_or_else(|| SkipReason::UnknownKeyDetails { name: self.key_details.clone() })?;
        let key = PublicKey::from_spki_der(&self.spki_der)?;
        if !key_details.fits(&key) {
            return Err(SkipReason::KeyDetailsMismatch);
        }
        Ok(TransparencyLog {
            base_url: self.base_url.clone(),
            key,
            key_details,
            window: self.window,
            log_id: self.log_id,
            checkpoint_key_id: self.checkpoint_key_id.clone(),
            operator: self.operator.clone(),
        })
    }
}

impl WireAuthority {
    pub fn strict(self, place: Place) -> Result<CertificateAuthority, TrustedRootError> {
        let Place { list, index } = place;
        let window = place.window(self.valid_for.as_ref())?;
        let wire = all("certificates", self.cert_chain.unwrap_or_default().certificates)?;
        if wire.is_empty() {
            return Err(TrustedRootError::EmptyChain { list, index });
        }
        let mut chain = Vec::with_capacity(wire.len());
        for (certificate, wire) in wire.iter().enumerate() {
            let der = place.base64("certChain.certificates.rawBytes", &wire.raw_bytes)?;
            chain.push(Certificate::from_der(&der).map_err(|fault| {
                TrustedRootError::Certificate { list, index, certificate, fault }
            })?);
        }
        let subject = self.subject.unwrap_or_default();
        Ok(CertificateAuthority {
            uri: self.uri,
            subject_org: subject.organization,
            subject_cn: subject.common_name,
            chain,
            window,
            operator: self.operator,
        })
    }
}

impl From<&TrustedRoot> for WireTrustedRoot {
    fn from(root: &TrustedRoot) -> Self {
        Self {
            media_type: TRUSTED_ROOT_MEDIA_TYPE.to_owned(),
            tlogs: list(&root.logs),
            certificate_authorities: list(&root.authorities),
            ctlogs: list(&root.ct_logs),
            timestamp_authorities: list(&root.timestamp_authorities),
        }
    }
}

fn list<'a, T, W: From<&'a T>>(items: &'a [T]) -> Capped<W, MAX_ITEMS> {
    items.iter().map(W::from).collect::<Vec<_>>().into()
}

impl From<&TransparencyLog> for WireLog {
    fn from(log: &TransparencyLog) -> Self {
        let key_id = |bytes: &[u8]| WireKeyId { key_id: to_base64(bytes) };
        // sigstore-js refuses a truncated checkpoint key ID, and none needs one at all.
        let whole = log.checkpoint_key_id.as_deref().filter(|id| id.len() == 32);
        Self {
            base_url: log.base_url.clone(),
            hash_algorithm: HashAlgorithm::Sha256.proto_name().to_owned(),
            public_key: Some(WirePublicKey {
                raw_bytes: to_base64(log.key.spki_der()),
                key_details: log.key_details.proto_name().to_owned(),
                valid_for: Some((&log.window).into()),
            }),
            log_id: Some(key_id(&log.log_id)),
            checkpoint_key_id: whole.map(key_id),
            operator: log.operator.clone(),
        }
    }
}

impl From<&CertificateAuthority> for WireAuthority {
    fn from(authority: &CertificateAuthority) -> Self {
        let certificates = authority.chain.iter().map(Into::into).collect::<Vec<_>>().into();
        Self {
            subject: Some(WireSubject {
                organization: authority.subject_org.clone(),
                common_name: authority.subject_cn.clone(),
            }),
            uri: authority.uri.clone(),
            cert_chain: Some(WireChain { certificates }),
            valid_for: Some((&authority.window).into()),
            operator: authority.operator.clone(),
        }
    }
}

/// Most logs or authorities in one list. Lists grow by one a rotation and hold tens at most.
const MAX_ITEMS: usize = 256;
