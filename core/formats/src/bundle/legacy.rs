//! What differs between the versions of the bundle format. The media type is not signed, so these
//! are rules of form alone: that verification needs a proof and a time holds for every version.

use super::{BundleError, BundleVersion, LogEntry, Material};

/// Chains before v0.3, a single certificate since.
pub(super) fn check_material(
    version: BundleVersion,
    material: &Material,
) -> Result<(), BundleError> {
    match (version, material) {
        (BundleVersion::V03, Material::Chain(_)) => Err(BundleError::ChainInV03),
        (BundleVersion::V01 | BundleVersion::V02, Material::Certificate(_)) => {
            Err(BundleError::CertificateBeforeV03)
        }
        (_, Material::PublicKey { .. })
        | (BundleVersion::V03, Material::Certificate(_))
        | (BundleVersion::V01 | BundleVersion::V02, Material::Chain(_)) => Ok(()),
    }
}

/// v0.1 came before proofs and needs the log's promise; every later version needs the proof.
pub(super) fn check_entry(version: BundleVersion, entry: &LogEntry) -> Result<(), BundleError> {
    match version {
        BundleVersion::V01 if entry.inclusion_promise.is_none() => Err(BundleError::NoPromise),
        BundleVersion::V02 | BundleVersion::V03 if entry.inclusion_proof.is_none() => {
            Err(BundleError::NoProof)
        }
        BundleVersion::V01 | BundleVersion::V02 | BundleVersion::V03 => Ok(()),
    }
}
