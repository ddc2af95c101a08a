//! `ca init`: makes the keys, the certificates and the annotated `ca.toml` of a new instance.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use formats::certificate::Certificate;
use formats::key::PublicKey;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _,
    SerialNumber,
};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use crate::config::{self, Urls};
use crate::failure::Failure;
use crate::instance::Instance;
use crate::keys::{FileKey, Role, Signer as _, read_pem};
use crate::oidc_dev::{DevIssuer, DevIssuerError};
use crate::profile::{key_identifier, random_serial};
use crate::rotation::{certificate_path, key_path};

/// What `ca init` is told.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Who runs the instance: the organisation in its certificates.
    pub name: String,
    /// Where it will listen.
    pub address: SocketAddr,
    /// The addresses of its faces.
    pub urls: Urls,
    /// For `ca dev`: a development identity provider gets a key too.
    pub development: bool,
}

/// Why no instance was made.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    /// There is an instance in the folder.
    #[error("{path}: there is an instance here already; nothing was changed")]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds something else.
    #[error(
        "{path}: the folder is not empty and holds no whole instance; choose another, or empty it"
    )]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A file or folder cannot be written.
    #[error("{path}: cannot be written: {source}")]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A key or certificate could not be made.
    #[error("the {role} key or certificate could not be made: {source}")]
    Certificate {
        /// Whose.
        role: &'static str,
        /// What rcgen said.
        source: rcgen::Error,
    },
    /// The development identity provider's key could not be made.
    #[error("the development provider's key could not be made: {0}")]
    Development(DevIssuerError),
    /// The machine has no randomness to give.
    #[error("the system gave no random bytes")]
    NoRandomness,
    /// The plan makes no valid configuration.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
}

/// Makes a new instance in `dir`, which must not exist or be empty. `now` dates the certificates.
///
/// `ca.toml` is written last: a folder without it is the rest of a ceremony that was cut off, and
/// no server starts in it.
///
/// # Errors
/// When the folder is in use, cannot be written, or the plan makes no valid configuration.
pub fn init(dir: &Path, plan: &Plan, now: OffsetDateTime) -> Result<(), CeremonyError> {
    let text = annotated_config(plan);
    config::Config::parse(&dir.join(config::FILE_NAME), &text)?;
    refuse_a_used_folder(dir)?;
    for folder in [dir.to_owned(), dir.join("keys"), dir.join("certs"), dir.join("public")] {
        create_private_folder(&folder)?;
    }

    let now = now.replace_nanosecond(0).unwrap_or(now);
    let ceremony = Ceremony { dir, name: &plan.name, number: 1, now };
    let root = ceremony.root(Role::Root, "root", 1)?;
    ceremony.issuing(&root)?;
    let tsa_root = ceremony.root(Role::TimestampRoot, "timestamp root", 0)?;
    ceremony.timestamp(&tsa_root)?;
    for role in [Role::Ct, Role::Log, Role::TufRoot, Role::Tuf] {
        key(dir, role, 1)?;
    }
    if plan.development {
        let key = DevIssuer::generate_key().map_err(CeremonyError::Development)?;
        write_private(&development_key(dir), &key)?;
    }
    write_public(&dir.join(config::FILE_NAME), &text)
}

/// Makes the next key of a role of an instance, its `number`th, and where the role has one its
/// certificate, under the root that certified the key before. Answers the public half and the
/// chain. `root_key` is the root's private key where it is not in `DIR/keys`.
///
/// # Errors
/// When the root's key is not there or is another's, or a file cannot be written; then nothing is
/// left.
pub fn succeed(
    instance: &Instance,
    role: Role,
    number: u32,
    root_key: Option<&Path>,
    now: OffsetDateTime,
) -> Result<(PublicKey, Vec<Certificate>), Failure> {
    let now = now.replace_nanosecond(0).unwrap_or(now);
    let (dir, name) = (instance.dir.as_path(), instance.config.name.as_str());
    let ceremony = Ceremony { dir, name, number, now };
    let chain = match role {
        Role::Issuing => Some((&instance.authority, Role::Root)),
        Role::Timestamp => Some((&instance.timestamp, Role::TimestampRoot)),
        _ => None,
    };
    let Some((chain, root_role)) = chain else {
        key(dir, role, number)?;
        let key = FileKey::read(&key_path(dir, role, number))?;
        return Ok((key.public_key().clone(), Vec::new()));
    };
    let above = chain.get(1..).unwrap_or_default();
    let root = above.last().ok_or("the chain has no root")?;
    let root_path = root_key.map_or_else(|| root_role.path(dir), Path::to_owned);
    if !root_path.exists() {
        return Err(format!(
            "{}: the root's key certifies the new one: bring it back for this, or name it with \
             --root-key",
            root_path.display()
        )
        .into());
    }
    let root_pair = FileKey::read(&root_path)?;
    if root.public_key()?.spki_der() != root_pair.public_key().spki_der() {
        let name = root_role.name();
        return Err(format!("{}: not the key of certs/{name}.pem", root_path.display()).into());
    }
    let root_pair = KeyPair::from_pem(&read_pem(&root_path)?)?;
    let issuer = Issuer::from_ca_cert_pem(&root.to_pem(), root_pair)?;
    match role {
        Role::Issuing => ceremony.issuing(&issuer)?,
        _ => ceremony.timestamp(&issuer)?,
    }
    let path = certificate_path(dir, role, number);
    let certificate = Certificate::from_pem(&fs::read_to_string(path)?)?;
    let key = certificate.public_key()?;
    Ok((key, [&[certificate], above].concat()))
}

/// Where the key of the development identity provider lies.
pub fn development_key(dir: &Path) -> PathBuf {
    dir.join("keys").join("dev-oidc.pem")
}

struct Ceremony<'a> {
    dir: &'a Path,
    name: &'a str,
    /// Which key of its role is made: 1 for the first.
    number: u32,
    now: OffsetDateTime,
}

impl Ceremony<'_> {
    fn root(
        &self,
        role: Role,
        title: &str,
        path_len: u8,
    ) -> Result<Issuer<'static, KeyPair>, CeremonyError> {
        let key = key(self.dir, role, self.number)?;
        let mut params = self.params(title, &key, ROOT_LIFE)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_len));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(refused(role.name()))?;
        write_public(&certificate_path(self.dir, role, self.number), &certificate.pem())?;
        Ok(Issuer::new(params, key))
    }

    fn issuing(&self, root: &Issuer<'static, KeyPair>) -> Result<(), CeremonyError> {
        let key = key(self.dir, Role::Issuing, self.number)?;
        let mut params = self.params("issuing", &key, ISSUING_LIFE)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::CodeSigning];
        self.issue(Role::Issuing, params, &key, root)
    }

    fn timestamp(&self, root: &Issuer<'static, KeyPair>) -> Result<(), CeremonyError> {
        let key = key(self.dir, Role::Timestamp, self.number)?;
        let mut params = self.params("timestamp", &key, TIMESTAMP_LIFE)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // RFC 3161 section 2.3: the one extended key usage, and critical, which rcgen's own
        // field cannot be.
        let mut usage = CustomExtension::from_oid_content(EXTENDED_KEY_USAGE, TIME_STAMPING.into());
        usage.set_criticality(true);
        params.custom_extensions = vec![usage];
        self.issue(Role::Timestamp, params, &key, root)
    }

    fn issue(
        &self,
        role: Role,
        mut params: CertificateParams,
        key: &KeyPair,
        issuer: &Issuer<'static, KeyPair>,
    ) -> Result<(), CeremonyError> {
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(key, issuer).map_err(refused(role.name()))?;
        write_public(&certificate_path(self.dir, role, self.number), &certificate.pem())
    }

    fn params(
        &self,
        title: &str,
        key: &KeyPair,
        life: Duration,
    ) -> Result<CertificateParams, CeremonyError> {
        let mut name = DistinguishedName::new();
        name.push(DnType::OrganizationName, self.name);
        // A name of its own: some clients look for a certificate's issuer by its name alone.
        let number = if self.number == 1 { String::new() } else { format!(" {}", self.number) };
        name.push(DnType::CommonName, format!("{} {title}{number}", self.name));
        let mut params = CertificateParams::default();
        params.distinguished_name = name;
        params.not_before = self.now;
        params.not_after = self.now + life;
        params.serial_number = Some(SerialNumber::from_slice(
            &random_serial().map_err(|_unavailable| CeremonyError::NoRandomness)?,
        ));
        params.key_identifier_method = KeyIdMethod::PreSpecified(key_identifier(key.der_bytes()));
        Ok(params)
    }
}

/// Makes a key of the instance in `dir` that is not there yet.
///
/// # Errors
/// When there is one, or it cannot be written.
pub fn add_key(dir: &Path, role: Role) -> Result<(), CeremonyError> {
    key(dir, role, 1).map(drop)
}

fn key(dir: &Path, role: Role, number: u32) -> Result<KeyPair, CeremonyError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(refused(role.name()))?;
    let path = key_path(dir, role, number);
    write_private(&path, &Zeroizing::new(key.serialize_pem()))?;
    Ok(key)
}

fn refuse_a_used_folder(dir: &Path) -> Result<(), CeremonyError> {
    if dir.join(config::FILE_NAME).exists() {
        return Err(CeremonyError::Exists { path: dir.to_owned() });
    }
    match fs::read_dir(dir).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Err(CeremonyError::NotEmpty { path: dir.to_owned() }),
        Ok(false) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(CeremonyError::Unwritable { path: dir.to_owned(), source }),
    }
}

fn create_private_folder(path: &Path) -> Result<(), CeremonyError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(path)
        .map_err(|source| CeremonyError::Unwritable { path: path.to_owned(), source })
}

fn write_private(path: &Path, text: &str) -> Result<(), CeremonyError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    write_new(&options, path, text)
}

fn write_public(path: &Path, text: &str) -> Result<(), CeremonyError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    write_new(&options, path, text)
}

fn write_new(options: &fs::OpenOptions, path: &Path, text: &str) -> Result<(), CeremonyError> {
    let write = || -> std::io::Result<()> {
        let mut file = options.open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| CeremonyError::Unwritable { path: path.to_owned(), source })
}

fn refused(role: &'static str) -> impl Fn(rcgen::Error) -> CeremonyError {
    move |source| CeremonyError::Certificate { role, source }
}

fn annotated_config(plan: &Plan) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let development = if plan.development {
        "\n# Made by `ca dev`: anyone who reaches it can sign as anyone. Never trust it with more.\n\
         development = true\n"
    } else {
        ""
    };
    let Urls { ca, log, ct, tsa, tuf: _ } = &plan.urls;
    format!(
        r#"# The configuration of this instance. An unknown key stops the start.

# Who runs it: the organisation in its certificates.
name = {name}
# What a person confirms once before the first signature; nothing by default.
# notice = "Signatures are logged for ever, with your address."
{development}
[listen]
# The one listener for every face. Beyond loopback it needs a certificate ([listen.tls]), or
# something in front that speaks TLS, and then behind_proxy = true.
address = "{address}"
# Prometheus metrics (`ca serve`), plain.
metrics = "127.0.0.1:2112"
# behind_proxy = true
# trusted_proxies = ["127.0.0.1/32"]        # whose X-Forwarded-For is believed
#
# [listen.tls]                              # read again when the files change
# certificate = "tls/cert.pem"              # the certificate, then its intermediates
# key = "tls/key.pem"                       # mode 0600

# The addresses that clients use. They are written into the trust root, so change them before the
# first signature: log and ct are the names under which the two logs sign.
[urls]
ca = {ca}
log = {log}
ct = {ct}
tsa = {tsa}
# tuf = "https://tuf.example.com"           # the TUF repository, when it is not below ca at /tuf

# How much one identity and one client address may ask for; these are the defaults.
#
# [limits]
# certificates_per_minute = 120             # of one identity
# certificates_burst = 600
# requests_per_minute = 1800                # from one address, reads aside
# requests_burst = 3600

# Who signs the TUF repository, and for how long; these are the defaults.
# [tuf.root]                                # likewise tuf.targets, tuf.snapshot, tuf.timestamp
# keys = ["keys/tuf-root.pem"]              # or public keys (PEM) of those kept elsewhere
# threshold = 1
# days = 365

# Where people sign in: at this instance, which asks the providers that stand here. Each must know
# the address it sends people back to: the one of ca above, then /oidc/callback/ and the id.
#
# [[sign_in.connector]]
# id = "github"
# type = "github"                           # or google; or oidc, with an issuer
# client_id = "Iv1.0123456789abcdef"
# client_secret_file = "keys/github.secret" # the secret alone, mode 0600
# organizations = ["octo-org"]              # who of GitHub's: members of it

# Who may sign: nobody, until an identity provider stands here. One table for each.
#
# [[issuer]]
# url = "https://accounts.example.com"      # exactly as the tokens' "iss" says it
# client_id = "sigstore"                    # the audience that the tokens must name
# type = "email"                            # the certificate names the verified address
#
# [[issuer]]
# url = "https://token.actions.githubusercontent.com"
# client_id = "sigstore"
# type = "ci"                               # the certificate names the workflow
# provider = "github-actions"
# [[issuer.allow]]                          # who of those: GitHub vouches for everyone
# organization = "octo-org"                 # all keys of a rule must hold, and one rule suffices
# workflow = "octo-org/app/.github/workflows/release.yml@refs/tags/*"
"#,
        name = quoted(&plan.name),
        address = plan.address,
        ca = quoted(ca),
        log = quoted(log),
        ct = quoted(ct),
        tsa = quoted(tsa),
    )
}

/// id-ce-extKeyUsage (RFC 5280 section 4.2.1.12).
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];

/// DER of ExtKeyUsageSyntax with id-kp-timeStamping alone.
const TIME_STAMPING: &[u8] = &[0x30, 0x0a, 0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 3, 8];

const ROOT_LIFE: Duration = Duration::days(3653);
const ISSUING_LIFE: Duration = Duration::days(3 * 365);
const TIMESTAMP_LIFE: Duration = Duration::days(3650);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::broker::config::ConnectorConfig;
    use crate::limits::LimitsConfig;

    fn plan() -> Plan {
        let base = "https://ca.example.com".to_owned();
        Plan {
            name: "An \"Example\"".to_owned(),
            address: "127.0.0.1:8700".parse().unwrap(),
            urls: Urls {
                log: "https://log.example.com".to_owned(),
                ct: "https://ct.example.com".to_owned(),
                tsa: "https://tsa.example.com/api/v1/timestamp".to_owned(),
                ca: base,
                tuf: None,
            },
            development: false,
        }
    }

    #[test]
    fn the_annotated_examples_are_right() {
        let text = annotated_config(&plan());
        let commented = text.split("# [[issuer]]").skip(1).map(|block| {
            let lines = block.lines().map(|line| line.trim_start_matches("# "));
            format!("[[issuer]]\n{}\n", lines.collect::<Vec<_>>().join("\n"))
        });
        let whole = format!("{text}\n{}", commented.collect::<String>());
        let config = config::Config::parse(Path::new("ca.toml"), &whole).unwrap();
        assert_eq!(config.issuers.len(), 2);
        assert!(config.issuers.iter().all(|issuer| issuer.allow.closed().is_empty()));
        let (_, connector) = text.split_once("# [[sign_in.connector]]\n").unwrap();
        let connector: Vec<&str> =
            connector.lines().map_while(|line| line.strip_prefix("# ")).collect();
        let connector: ConnectorConfig = toml::from_str(&connector.join("\n")).unwrap();
        assert_eq!(connector.issuer(), "https://github.com/login/oauth");
        assert!(connector.allow.closed().is_empty());
        let (_, limits) = text.split_once("# [limits]\n").unwrap();
        let limits: Vec<&str> = limits.lines().map_while(|line| line.strip_prefix("# ")).collect();
        assert_eq!(limits.len(), 4);
        let limits: LimitsConfig = toml::from_str(&limits.join("\n")).unwrap();
        assert_eq!(limits, LimitsConfig::default());
        assert_eq!(config.name, "An \"Example\"");
    }

    #[test]
    fn the_annotated_listener_is_right() {
        let text = annotated_config(&plan());
        let (listen, _) = text.split_once("\n# The addresses that clients").unwrap();
        let (start, commented) = listen.split_once("# behind_proxy").unwrap();
        let lines = commented.lines().map(|line| line.trim_start_matches("# "));
        let lines = lines.collect::<Vec<_>>().join("\n");
        let rest = text.split_once("[urls]").unwrap().1;
        let whole = format!("{start}behind_proxy{lines}\n[urls]{rest}");
        let config =
            config::Config::parse(Path::new("ca.toml"), &whole.replace("\n#\n", "\n")).unwrap();
        assert!(config.listen.behind_proxy && config.listen.tls.is_some());
        assert_eq!(config.listen.trusted_proxies.len(), 1);
    }

    #[test]
    fn a_used_folder_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let now = OffsetDateTime::from_unix_timestamp(1_767_225_600).unwrap();
        let dir = folder.path().join("new");
        init(&dir, &plan(), now).unwrap();
        assert!(matches!(init(&dir, &plan(), now), Err(CeremonyError::Exists { .. })));
        fs::remove_file(dir.join(config::FILE_NAME)).unwrap();
        assert!(matches!(init(&dir, &plan(), now), Err(CeremonyError::NotEmpty { .. })));
    }
}
