use formats::sct::SctError;

/// An authority is not in the trust root, or what it issued does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityFault {
    /// The trust root itself cannot be used.
    #[error("trust root: {0}")]
    TrustRoot(#[from] RootFault),
    /// No certificate authority of the trust root has the issuer's name and key id.
    #[error("the trust root has no authority that issued the certificate")]
    IssuerUnknown,
    /// More authorities share that name and key id than we try.
    #[error("more than {0} authorities could have issued the certificate")]
    TooManyIssuers(usize),
    /// The authority of that name did not sign the certificate.
    #[error("the certificate is not signed by the authority it names")]
    CertificateSignature,
    /// The path from the issuing authority to its anchor does not hold.
    #[error("certificate authority: {0}")]
    Issuer(PathFault),
    /// The certificate carries no signed certificate timestamp.
    #[error("the certificate carries no signed certificate timestamp")]
    NoSct,
    /// The list of signed certificate timestamps does not parse.
    #[error("signed certificate timestamp: {0}")]
    SctMalformed(SctError),
    /// None of the timestamps comes from a CT log of the trust root.
    #[error("no signed certificate timestamp is from a CT log of the trust root")]
    SctLogUnknown,
    /// A timestamp names another hash or signature algorithm than the log's key implies.
    #[error("a signed certificate timestamp is not SHA-256 with the CT log's kind of key")]
    SctAlgorithm,
    /// A CT log of the trust root did not sign this timestamp over this certificate.
    #[error("a signed certificate timestamp does not verify")]
    SctSignature,
    /// A timestamp was made outside the window in which its CT log is trusted.
    #[error("a signed certificate timestamp is of {0} ms, outside the CT log's window")]
    SctWindow(u64),
    /// The trust root has no transparency log of that id.
    #[error("the trust root has no transparency log of the entry's log id")]
    LogUnknown,
    /// The log's id is not that of its key (and, for a tile log, host name).
    #[error("the log's id in the trust root is not that of its key and host name")]
    LogId,
    /// The log is not trusted at that time.
    #[error("the transparency log is not trusted at {0}")]
    LogWindow(i64),
    /// No timestamp is signed by a timestamp authority of the trust root.
    #[error("no timestamp is from a timestamp authority of the trust root")]
    TimestampAuthorityUnknown,
    /// The certificate inside the token is not the one the trust root has.
    #[error("the timestamp carries another certificate than the authority's")]
    TimestampCertificate,
    /// The token's signature does not verify.
    #[error("the timestamp is not signed by the authority it names")]
    TimestampSignature,
    /// The token does not say which certificate signed it (RFC 3161 2.4.1, RFC 5816).
    #[error("the timestamp has no signing certificate attribute")]
    TimestampNoSigningCertificate,
    /// The token says that another certificate signed it.
    #[error("the timestamp's signing certificate attribute names another certificate")]
    TimestampSigningCertificate,
    /// The timestamp authority's path does not hold.
    #[error("timestamp authority: {0}")]
    TimestampAuthority(PathFault),
}

/// What is wrong with a chain of the trust root. `position` counts from the leaf side, from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// The trust root does not trust this authority at that time.
    #[error("not trusted at {0}")]
    Window(i64),
    /// A certificate of the chain was not valid at that time.
    #[error("certificate {position} was not valid at {time}")]
    NotValidAt {
        /// Place in the chain.
        position: usize,
        /// The verified time, unix seconds.
        time: i64,
    },
    /// A certificate of the chain is not an authority's.
    #[error("certificate {0} is not an authority's")]
    NotAuthority(usize),
    /// `keyUsage` lacks keyCertSign.
    #[error("certificate {0} may not sign certificates")]
    KeyUsage(usize),
    /// More authorities below than `pathLenConstraint` allows.
    #[error("certificate {0} allows fewer authorities below it")]
    PathLength(usize),
    /// `extKeyUsage` lacks the purpose.
    #[error("certificate {0} is for another purpose")]
    Purpose(usize),
    /// Name constraints, which we refuse rather than apply.
    #[error("certificate {0} carries name constraints")]
    NameConstraints(usize),
    /// A critical extension that we do not know.
    #[error("certificate {position} has an unknown critical extension {oid}")]
    CriticalExtension {
        /// Place in the chain.
        position: usize,
        /// Dotted decimals.
        oid: String,
    },
    /// The timestamp authority's own certificate is CA:TRUE.
    #[error("the signing certificate is an authority's")]
    LeafIsAuthority,
    /// The timestamp authority's own certificate is not for timeStamping alone.
    #[error("the signing certificate is not for timestamping alone")]
    LeafPurpose,
    /// The timestamp authority's `extKeyUsage` is not critical (RFC 3161 2.3).
    #[error("the signing certificate's extended key usage is not critical")]
    LeafPurposeNotCritical,
    /// The timestamp authority's `keyUsage` does not allow signing.
    #[error("the signing certificate's key usage lacks digitalSignature")]
    LeafKeyUsage,
}

/// Why a trust root cannot be used at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootFault {
    /// An authority without certificates.
    #[error("{list}[{index}] has no certificates")]
    EmptyChain {
        /// The member of the trust root.
        list: &'static str,
        /// Place in it, from 0.
        index: usize,
    },
    /// A certificate is not issued and signed by the next one: the chain is broken, or reversed.
    #[error("{list}[{index}]: certificate {position} is not issued by the one after it")]
    ChainBroken {
        /// The member of the trust root.
        list: &'static str,
        /// Place in it, from 0.
        index: usize,
        /// Place in the chain, from 0.
        position: usize,
    },
    /// A timestamp authority with its own certificate alone: nothing vouches for it.
    #[error("timestampAuthorities[{index}] has a single certificate and no anchor")]
    NoTimestampAnchor {
        /// Place in the list, from 0.
        index: usize,
    },
    /// Two logs share an id and have different keys.
    #[error("{list} has one log id with two keys")]
    LogIdClash {
        /// The member of the trust root.
        list: &'static str,
    },
}

impl AuthorityFault {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::TrustRoot(_) => "trust-root",
            Self::IssuerUnknown => "issuer-unknown",
            Self::TooManyIssuers(_) => "too-many-issuers",
            Self::CertificateSignature => "certificate-signature",
            Self::Issuer(_) => "certificate-authority",
            Self::NoSct => "no-sct",
            Self::SctMalformed(_) => "sct-malformed",
            Self::SctLogUnknown => "sct-log-unknown",
            Self::SctAlgorithm => "sct-algorithm",
            Self::SctSignature => "sct-signature",
            Self::SctWindow(_) => "sct-window",
            Self::LogUnknown => "log-unknown",
            Self::LogId => "log-id",
            Self::LogWindow(_) => "log-window",
            Self::TimestampAuthorityUnknown => "timestamp-authority-unknown",
            Self::TimestampCertificate => "timestamp-certificate",
            Self::TimestampSignature => "timestamp-signature",
            Self::TimestampNoSigningCertificate => "timestamp-no-signing-certificate",
            Self::TimestampSigningCertificate => "timestamp-signing-certificate",
            Self::TimestampAuthority(_) => "timestamp-authority",
        }
    }
}
