//! Which services of a signing configuration are used (protobuf-specs `sigstore_trustroot.proto`,
//! `SigningConfig`): valid now, of the major version that is spoken here, as many as the
//! configuration asks for.

use fetch::endpoint::Endpoint;
use fetch::http::Service as Kind;
use formats::signing_config::{SelectError, Service, SigningConfig};

use crate::error::Failure;

/// The services that one run signs with. No list is empty: nobody could verify a signature by a
/// ten-minute certificate without a log entry and a time.
#[derive(Debug, Clone)]
pub struct Services {
    /// The certificate authority's base URL.
    pub authority: Endpoint,
    /// The timestamp authorities' whole URLs.
    pub timestamp_authorities: Vec<Endpoint>,
    /// The logs' base URLs.
    pub logs: Vec<Endpoint>,
}

impl Services {
    /// Chooses the services to use at `now` (Unix seconds).
    ///
    /// # Errors
    /// [`Failure::NotListed`], [`Failure::NoService`], [`Failure::ServiceUrl`].
    pub fn choose(config: &SigningConfig, now: i64) -> Result<Self, Failure> {
        let authority = config.select_ca(now, &[AUTHORITY_MAJOR]).map(|service| vec![service]);
        let authority =
            endpoints(Kind::CertificateAuthority, &config.ca, AUTHORITY_MAJOR, authority)?;
        let tsas = config.select_tsas(now, &[TIMESTAMP_MAJOR]);
        let logs = config.select_logs(now, &[LOG_MAJOR]);
        Ok(Self {
            authority: authority
                .into_iter()
                .next()
                .ok_or(Failure::NotListed { service: Kind::CertificateAuthority })?,
            timestamp_authorities: endpoints(
                Kind::TimestampAuthority,
                &config.tsas,
                TIMESTAMP_MAJOR,
                tsas,
            )?,
            logs: endpoints(Kind::TransparencyLog, &config.logs, LOG_MAJOR, logs)?,
        })
    }
}

fn endpoints(
    service: Kind,
    listed: &[Service],
    spoken: u32,
    chosen: Result<Vec<&Service>, SelectError>,
) -> Result<Vec<Endpoint>, Failure> {
    if listed.is_empty() {
        return Err(Failure::NotListed { service });
    }
    let chosen = chosen.map_err(|fault| {
        let mut listed: Vec<_> = listed.iter().map(|service| service.major).collect();
        listed.sort_unstable();
        listed.dedup();
        Failure::NoService { service, fault, listed, spoken }
    })?;
    chosen
        .into_iter()
        .map(|chosen| {
            Endpoint::parse(&chosen.url).map_err(|fault| Failure::ServiceUrl { service, fault })
        })
        .collect()
}

/// Fulcio's `/api/v2`, which the signing configuration calls version 1.
const AUTHORITY_MAJOR: u32 = 1;
/// RFC 3161 over HTTP.
const TIMESTAMP_MAJOR: u32 = 1;
/// Rekor v2.
const LOG_MAJOR: u32 = 2;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use formats::signing_config::Selector;
    use formats::trusted_root::Window;

    const NOW: i64 = 1_800_000_000;

    fn service(url: &str, major: u32) -> Service {
        let window = Window { start: NOW - 10, end: Some(NOW + 10) };
        Service { url: url.into(), major, window, operator: "example".into() }
    }

    fn config() -> SigningConfig {
        SigningConfig {
            ca: vec![service("https://ca.example", 1)],
            oidc: vec![],
            logs: vec![service("https://log.example", 2)],
            tsas: vec![service("https://tsa.example/api/v1/timestamp", 1)],
            log_selector: Selector::Any,
            tsa_selector: Selector::Any,
        }
    }

    #[test]
    fn takes_one_of_each() {
        let services = Services::choose(&config(), NOW).unwrap();
        assert_eq!(services.authority.to_string(), "https://ca.example/");
        assert_eq!(services.logs.len(), 1);
        assert_eq!(
            services.timestamp_authorities[0].to_string(),
            "https://tsa.example/api/v1/timestamp"
        );
    }

    #[test]
    fn a_log_of_version_1_alone_is_said_clearly() {
        let mut config = config();
        config.logs = vec![service("https://log.example", 1)];
        let error = Services::choose(&config, NOW).unwrap_err();
        assert_eq!(
            error,
            Failure::NoService {
                service: Kind::TransparencyLog,
                fault: SelectError::NoService,
                listed: vec![1],
                spoken: 2,
            }
        );
        assert!(error.to_string().contains("listed: version 1; spoken here: version 2"), "{error}");
    }

    #[test]
    fn nothing_is_left_out_in_silence() {
        type Drop = fn(&mut SigningConfig);
        let drops: [(Drop, Kind); 3] = [
            (|config| config.ca.clear(), Kind::CertificateAuthority),
            (|config| config.logs.clear(), Kind::TransparencyLog),
            (|config| config.tsas.clear(), Kind::TimestampAuthority),
        ];
        for (drop, service) in drops {
            let mut config = config();
            drop(&mut config);
            let error = Services::choose(&config, NOW).unwrap_err();
            assert_eq!(error, Failure::NotListed { service });
        }
    }

    #[test]
    fn services_have_their_time() {
        assert!(Services::choose(&config(), NOW + 10).is_ok());
        assert!(matches!(
            Services::choose(&config(), NOW + 11),
            Err(Failure::NoService { service: Kind::CertificateAuthority, .. })
        ));
    }

    #[test]
    fn a_broken_url_is_the_configurations_fault() {
        let mut config = config();
        config.logs[0].url = "log.example".into();
        assert!(matches!(
            Services::choose(&config, NOW),
            Err(Failure::ServiceUrl { service: Kind::TransparencyLog, .. })
        ));
    }
}
