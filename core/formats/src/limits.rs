//! Every cap on untrusted input, in one place, shared by the parsers here and by the server.
//!
//! A cap is checked before the work it bounds: sizes before parsing, counts before cryptography.

/// Largest Sigstore bundle, in bytes of JSON.
pub const MAX_BUNDLE_BYTES: usize = 16 * 1024 * 1024;

/// Largest trust root, signing configuration or client trust configuration, in bytes of JSON.
pub const MAX_TRUSTED_ROOT_BYTES: usize = 4 * 1024 * 1024;

/// Largest JSON document of any kind ([`crate::json::from_slice`]).
pub const MAX_JSON_BYTES: usize = MAX_BUNDLE_BYTES;

/// Deepest nesting of JSON arrays and objects; the outermost counts as one.
pub const MAX_JSON_DEPTH: usize = 32;

/// Deepest nesting of DER constructed encodings; the outermost counts as one. The deepest we meet is
/// the issuer's name in the certificate identifier of a timestamp response, at eighteen.
pub const MAX_DER_DEPTH: usize = 24;

/// Most arcs in an object identifier.
pub const MAX_OID_ARCS: usize = 32;

/// Largest identity token, in bytes of its compact form.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Largest certificate, in bytes of DER.
pub const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;

/// Most certificates in one chain or in the bag of one timestamp token.
pub const MAX_CHAIN_CERTIFICATES: usize = 10;

/// Most extensions in one certificate.
pub const MAX_EXTENSIONS: usize = 64;

/// Largest public key, in bytes of DER SubjectPublicKeyInfo. RSA-8192 needs 1,060.
pub const MAX_PUBLIC_KEY_BYTES: usize = 2 * 1024;

/// Most transparency log entries in one bundle.
pub const MAX_LOG_ENTRIES: usize = 32;

/// Most RFC 3161 timestamps in one bundle.
pub const MAX_TIMESTAMPS: usize = 32;

/// Most SCTs in one certificate.
pub const MAX_SCTS: usize = 16;

/// Most subjects in one in-toto statement.
pub const MAX_SUBJECTS: usize = 1024;

/// Largest body of a timestamp request, in bytes.
pub const MAX_TIMESTAMP_REQUEST_BYTES: usize = 64 * 1024;

/// Largest timestamp response or bare token, in bytes of DER.
pub const MAX_TIMESTAMP_BYTES: usize = 128 * 1024;

/// Longest nonce or serial number in a timestamp, in bytes of DER INTEGER content.
pub const MAX_TIMESTAMP_INTEGER_BYTES: usize = 128;
