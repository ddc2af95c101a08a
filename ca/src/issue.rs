//! Identity and key in, certificate out.

use std::sync::Arc;

use formats::certificate::Certificate;
use formats::sct::{Sct, precert_tbs};
use rcgen::{CertificateParams, Issuer};
use tlog::ct::{Rejected, SctAnswerError};
use tlog::engine::SubmitError;

use crate::admit::AdmittedIdentity;
use crate::answer::Refusal;
use crate::audit;
use crate::clock::{Clock, ClockStepped};
use crate::keys::{RcgenKey, SignFailed, Signer};
use crate::lint::{self, LintFailure, LintedKey};
use crate::logs::CtLog;
use crate::profile::{Draft, DraftError, LIFE_SECONDS};
use crate::proof::ProvenKey;

/// Issues a certificate for exactly this identity and exactly this key, both spent by it.
///
/// A crash before the commit of the CT log leaves nothing; a crash after it leaves a logged
/// precertificate, which RFC 6962 section 3.1 reads as the intent to issue. No order of events
/// leaves a certificate that is not in the log.
///
/// # Errors
/// See [`IssueError`]; after any of them there is no certificate.
pub async fn issue(
    authority: &Authority,
    identity: AdmittedIdentity,
    key: ProvenKey,
) -> Result<Issued, IssueError> {
    let now = authority.clock.signing_time()?;
    authority.must_outlive(now)?;
    let draft = Draft::new(identity.identity(), key.public_key(), authority.issuing(), now)?;
    let record = audit::Subject::of_admitted(&identity);

    let precertificate = authority.sign(&draft, draft.precertificate())?;
    let logged = authority.log(&precertificate, &draft, record).await?;
    let sct = authority.checked_sct(logged, &precertificate, now)?;
    let certificate = authority.sign(&draft, draft.certificate(&sct)?)?;

    must_differ_in_the_last_extension_alone(&precertificate, &certificate)?;
    Ok(Issued { certificate, chain: Arc::clone(&authority.chain) })
}

/// What issues: the issuing key and chain, the CT log, and the clock.
pub struct Authority {
    chain: Arc<[Certificate]>,
    issuer: Issuer<'static, LintedKey>,
    ct: CtLog,
    clock: Clock,
}

/// A certificate with the chain under which it was issued.
pub struct Issued {
    certificate: Certificate,
    chain: Arc<[Certificate]>,
}

impl Issued {
    /// The certificate itself.
    pub const fn leaf(&self) -> &Certificate {
        &self.certificate
    }

    /// Leaf first, root last.
    pub fn chain(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.certificate).chain(self.chain.iter())
    }
}

/// Why no certificate was issued. None of these is the requester's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The clock cannot be believed.
    #[error(transparent)]
    Clock(#[from] ClockStepped),
    /// A certificate of the chain ends before the leaf would.
    #[error("a CA certificate has {left_seconds} s left, less than a certificate's life")]
    ChainExpires {
        /// What it has left.
        left_seconds: i64,
    },
    /// The certificate could not be drafted.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// The CA key refused or failed.
    #[error(transparent)]
    Sign(#[from] SignFailed),
    /// What would be signed is not what the profile says.
    #[error(transparent)]
    Lint(#[from] LintFailure),
    /// The CT log did not take the precertificate.
    #[error("the CT log did not take the precertificate: {0}")]
    Log(#[from] SubmitError),
    /// The CT log refused our own precertificate.
    #[error("the CT log refused our precertificate: {0}")]
    Refused(#[from] Rejected),
    /// The CT key signed no SCT.
    #[error("the CT key signed no SCT: {0}")]
    NoSct(#[from] SctAnswerError),
    /// The SCT does not verify over the precertificate.
    #[error("the CT log's answer does not hold for the precertificate")]
    BadSct,
    /// Precertificate and certificate differ in more than the last extension.
    #[error("the certificate is not the one that was logged")]
    NotAsLogged,
}

impl IssueError {
    /// What the requester is told: 503 where waiting helps, 500 with fixed text where not.
    pub fn answer(self) -> Refusal {
        let (reason, unavailable) = match &self {
            Self::Clock(_) => ("clock", Some("the server's clock cannot be believed just now")),
            Self::ChainExpires { .. } => {
                ("ca-expires", Some("the CA certificate is about to expire; its operator must act"))
            }
            Self::Log(_) => ("ct-log", Some("the certificate transparency log takes nothing now")),
            Self::Draft(_) => ("draft", None),
            Self::Sign(_) => ("ca-key", None),
            Self::Lint(_) => ("lint", None),
            Self::Refused(_) => ("ct-refused", None),
            Self::NoSct(_) => ("ct-key", None),
            Self::BadSct => ("sct", None),
            Self::NotAsLogged => ("not-as-logged", None),
        };
        tracing::error!(error = %self, "no certificate was issued");
        match unavailable {
            Some(message) => Refusal::unavailable(reason, format!("{message}; none was issued")),
            None => Refusal::internal(reason),
        }
    }
}

impl Authority {
    /// Puts the parts together: `chain` is issuing certificate first, root last.
    ///
    /// # Errors
    /// When rcgen cannot read the issuing certificate.
    pub fn new(
        chain: Vec<Certificate>,
        key: Arc<dyn Signer>,
        ct: CtLog,
        clock: Clock,
    ) -> Result<Self, rcgen::Error> {
        let issuing = chain.first().ok_or(rcgen::Error::CouldNotParseCertificate)?;
        let der = issuing.der().to_vec().into();
        let linted = LintedKey::new(RcgenKey(key), issuing.clone());
        let issuer = Issuer::from_ca_cert_der(&der, linted)?;
        Ok(Self { chain: chain.into(), issuer, ct, clock })
    }

    /// Issuing certificate first, root last.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// Seconds until the first certificate of the chain ends.
    pub fn seconds_left(&self, now: i64) -> i64 {
        let ends = self.chain.iter().map(Certificate::not_after).min().unwrap_or(0);
        ends.saturating_sub(now)
    }

    /// Writes a row of a refused request into the audit record, without waiting for it.
    pub fn audit(&self, row: impl FnOnce(u64) -> Option<Vec<u8>>) {
        let Some(row) = row(self.clock.now_ms()) else { return };
        if let Err(error) = self.ct.engine().audit_later(row) {
            tracing::warn!(%error, "an audit row of a refused request was not written");
        }
    }

    fn issuing(&self) -> &Certificate {
        &self.chain[0]
    }

    fn must_outlive(&self, now: i64) -> Result<(), IssueError> {
        let left_seconds = self.seconds_left(now);
        let begun = self.chain.iter().all(|certificate| certificate.not_before() <= now);
        if left_seconds < LIFE_SECONDS || !begun {
            return Err(IssueError::ChainExpires { left_seconds });
        }
        Ok(())
    }

    fn sign(&self, draft: &Draft, params: CertificateParams) -> Result<Certificate, IssueError> {
        let signed = params.signed_by(draft.key(), &self.issuer).map_err(|_refused| SignFailed)?;
        let certificate = Certificate::from_der(signed.der()).map_err(LintFailure::Shape)?;
        lint::is_for(&certificate, draft)?;
        Ok(certificate)
    }

    async fn log(
        &self,
        precertificate: &Certificate,
        draft: &Draft,
        record: audit::Subject,
    ) -> Result<Sct, IssueError> {
        let serial = *draft.serial();
        let time_ms = self.clock.now_ms();
        let accepted = self.ct.accept_just_signed(precertificate)?;
        let accepted = accepted.with_audit(move |index| record.issued(time_ms, &serial, index));
        let published = self.ct.engine().submit(accepted).await?;
        Ok(self.ct.sct(&published)?)
    }

    /// The SCT once it was verified over our own precertificate, as a relying party would.
    fn checked_sct(&self, sct: Sct, precert: &Certificate, now: i64) -> Result<Sct, IssueError> {
        lint::sct_holds(&sct, precert, self.issuing(), self.ct.public_key(), now)
            .then_some(sct)
            .ok_or(IssueError::BadSct)
    }
}

/// RFC 6962 section 3.2: what was logged is what is issued. Let's Encrypt makes the same
/// comparison before it lets a certificate go.
fn must_differ_in_the_last_extension_alone(
    precertificate: &Certificate,
    certificate: &Certificate,
) -> Result<(), IssueError> {
    match (precert_tbs(precertificate), precert_tbs(certificate)) {
        (Ok(logged), Ok(issued)) if logged == issued => Ok(()),
        _ => Err(IssueError::NotAsLogged),
    }
}
