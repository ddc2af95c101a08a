use formats::digest::HashAlgorithm;
use formats::statement::SubjectMismatch;

/// Something is wrong with the artifact, or it is another one than the one signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactFault {
    /// The caller did not hash the artifact with an algorithm that the check needs; see
    /// [`required_digests`](crate::verify::required_digests).
    #[error("no {0} digest of the artifact was given")]
    DigestMissing(HashAlgorithm),
    /// Two digests of one algorithm were given, and differ.
    #[error("two different {0} digests of the artifact were given")]
    DigestsContradict(HashAlgorithm),
    /// `messageDigest` is of another artifact.
    #[error("the artifact's digest is {actual}, the bundle was made for {stated}")]
    DigestDiffers {
        /// What the bundle states, `algorithm:hex`.
        stated: String,
        /// What the artifact has, `algorithm:hex`.
        actual: String,
    },
    /// `messageDigest` names another algorithm than the one the key signs with.
    #[error("messageDigest is {stated}, the key signs {wanted}")]
    DigestAlgorithm {
        /// What the bundle states.
        stated: HashAlgorithm,
        /// What the key implies.
        wanted: HashAlgorithm,
    },
    /// No subject of the attestation is this artifact.
    #[error("the attestation is not about this artifact: {0}")]
    NotASubject(SubjectMismatch),
}

impl ArtifactFault {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::DigestMissing(_) => "artifact-digest-missing",
            Self::DigestsContradict(_) => "artifact-digests-contradict",
            Self::DigestDiffers { .. } => "artifact-digest-differs",
            Self::DigestAlgorithm { .. } => "artifact-digest-algorithm",
            Self::NotASubject(_) => "artifact-not-a-subject",
        }
    }
}
