/// Subject key identifier.
pub const SUBJECT_KEY_ID: &str = "2.5.29.14";
/// Key usage.
pub const KEY_USAGE: &str = "2.5.29.15";
/// Subject alternative name.
pub const SUBJECT_ALT_NAME: &str = "2.5.29.17";
/// Basic constraints.
pub const BASIC_CONSTRAINTS: &str = "2.5.29.19";
/// Name constraints.
pub const NAME_CONSTRAINTS: &str = "2.5.29.30";
/// CRL distribution points.
pub const CRL_DISTRIBUTION_POINTS: &str = "2.5.29.31";
/// Certificate policies.
pub const CERTIFICATE_POLICIES: &str = "2.5.29.32";
/// Policy mappings.
pub const POLICY_MAPPINGS: &str = "2.5.29.33";
/// Authority key identifier.
pub const AUTHORITY_KEY_ID: &str = "2.5.29.35";
/// Policy constraints.
pub const POLICY_CONSTRAINTS: &str = "2.5.29.36";
/// Extended key usage.
pub const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
/// Inhibit anyPolicy.
pub const INHIBIT_ANY_POLICY: &str = "2.5.29.54";
/// Authority information access.
pub const AUTHORITY_INFO_ACCESS: &str = "1.3.6.1.5.5.7.1.1";

/// Purpose: any.
pub const EKU_ANY: &str = "2.5.29.37.0";
/// Purpose: code signing.
pub const EKU_CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";
/// Purpose: timestamping.
pub const EKU_TIME_STAMPING: &str = "1.3.6.1.5.5.7.3.8";

/// Embedded SCT list (RFC 6962 section 3.3).
pub const SCT_LIST: &str = "1.3.6.1.4.1.11129.2.4.2";
/// Precertificate poison (RFC 6962 section 3.1).
pub const PRECERT_POISON: &str = "1.3.6.1.4.1.11129.2.4.3";

/// The arc of Fulcio's extensions, with the final dot.
pub const FULCIO_ARC: &str = "1.3.6.1.4.1.57264.1.";
/// OIDC issuer as raw UTF-8; deprecated, still issued.
pub const FULCIO_ISSUER_V1: &str = "1.3.6.1.4.1.57264.1.1";
/// Type of the otherName that carries a user name.
pub const FULCIO_OTHER_NAME: &str = "1.3.6.1.4.1.57264.1.7";
/// OIDC issuer as DER UTF8String.
pub const FULCIO_ISSUER_V2: &str = "1.3.6.1.4.1.57264.1.8";
