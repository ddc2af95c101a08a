//! Bundles that real clients wrote. See `data/README.md` for their origins.
#![allow(dead_code, reason = "each test program uses some of these")]

use formats::bundle::BundleVersion;

pub const BLOB: &str = include_str!("../data/blob-bundle-rekorv2-tsa.json");
pub const COSIGN3: [&str; 4] = [
    include_str!("../data/cosign3-bundle-0.json"),
    include_str!("../data/cosign3-bundle-1.json"),
    include_str!("../data/cosign3-bundle-2.json"),
    include_str!("../data/cosign3-bundle-3.json"),
];
pub const V01_INTOTO: &str = include_str!("../data/public-v01-intoto.json");
pub const V02_HASHEDREKORD1: &str = include_str!("../data/public-v02-hashedrekord1.json");
pub const V03_DSSE1: &str = include_str!("../data/public-v03-dsse1.json");
pub const V03_HASHEDREKORD2: &str = include_str!("../data/staging-v03-hashedrekord2.json");
pub const V03_MANAGED_KEY: &str = include_str!("../data/public-v03-managed-key.json");

/// Each with its version and its number of log entries.
pub const REAL: [(&str, BundleVersion, usize); 10] = [
    (BLOB, BundleVersion::V03, 1),
    (COSIGN3[0], BundleVersion::V03, 0),
    (COSIGN3[1], BundleVersion::V03, 0),
    (COSIGN3[2], BundleVersion::V03, 1),
    (COSIGN3[3], BundleVersion::V03, 0),
    (V01_INTOTO, BundleVersion::V01, 1),
    (V02_HASHEDREKORD1, BundleVersion::V02, 1),
    (V03_DSSE1, BundleVersion::V03, 1),
    (V03_HASHEDREKORD2, BundleVersion::V03, 1),
    (V03_MANAGED_KEY, BundleVersion::V03, 1),
];
