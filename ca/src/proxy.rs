//! Whose word is taken for where a request comes from: `listen.trusted_proxies`.
//!
//! `X-Forwarded-For` is text that anyone can send. It is read only on connections from a listed
//! proxy, and from its right end, where that proxy itself wrote: what stands further left came
//! from the client, so that making addresses up gains it nothing.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use http::HeaderMap;
use http::header::HeaderName;
use serde::Deserialize;

/// The address that a request is counted under, as an extension of each request: the peer's, or
/// the one that a trusted proxy vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

/// A range of addresses in CIDR notation: `192.0.2.0/24`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Not an address with a prefix length.
    #[error("\"{text}\" is not an address range such as 192.0.2.0/24 or 2001:db8::/32")]
    Syntax {
        /// What was found.
        text: String,
    },
    /// The address has bits that the prefix does not cover: a range, or a host, was meant.
    #[error("\"{text}\" has address bits beyond its prefix; the range would be {first}/{prefix}")]
    HostBits {
        /// What was found.
        text: String,
        /// The first address of the range.
        first: IpAddr,
        /// The length of the prefix.
        prefix: u8,
    },
    /// Everyone would be believed.
    #[error("\"{text}\" is everyone: any client could then claim any address")]
    Everyone {
        /// What was found.
        text: String,
    },
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let syntax = || NetworkError::Syntax { text: text.to_owned() };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_malformed| syntax())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_malformed| syntax())?
            }
            Some(_signed) => return Err(syntax()),
        };
        match prefix {
            0 => return Err(NetworkError::Everyone { text: text.to_owned() }),
            longer if longer > bits => return Err(syntax()),
            _ => {}
        }
        let first = masked(address, prefix);
        if first == address {
            Ok(Self { first, prefix })
        } else {
            Err(NetworkError::HostBits { text: text.to_owned(), first, prefix })
        }
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl Network {
    /// Whether an address is in the range. An IPv4 address that came in over IPv6 is the IPv4
    /// address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && masked(address, self.prefix) == self.first
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::from((v4.to_bits() & mask).to_be_bytes())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::from((v6.to_bits() & mask).to_be_bytes())
        }
    }
}

/// The proxies whose `X-Forwarded-For` is believed; none by default.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[Network]>);

impl TrustedProxies {
    /// Believes exactly these.
    pub fn new(networks: &[Network]) -> Self {
        Self(networks.into())
    }

    /// Where a request comes from: the rightmost hop that is no trusted proxy. A hop that is no
    /// address ends the walk, and the proxy that passed it on is taken, as when there is none.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let mut client = peer.to_canonical();
        let lines: Vec<&[u8]> =
            headers.get_all(FORWARDED_FOR).iter().map(|value| value.as_bytes()).collect();
        let hops = lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
        for hop in hops {
            if !self.trusts(client) {
                break;
            }
            let Some(address) = address(hop) else { break };
            client = address.to_canonical();
        }
        ClientAddress(client)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// An address as proxies write it: alone, with a port, in brackets.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    bare.parse().ok().or_else(with_port)
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn client(trusted: &[&str], peer: &str, lines: &[&str]) -> String {
        let networks: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        TrustedProxies::new(&networks).client(peer.parse().unwrap(), &headers).0.to_string()
    }

    #[test]
    fn forwarded_addresses_only_from_listed_proxies() {
        for lines in [&["198.51.100.1"][..], &["198.51.100.2", "10.0.0.1"], &["10.0.0.1"]] {
            assert_eq!(client(&[], "192.0.2.7", lines), "192.0.2.7");
            assert_eq!(client(&["10.0.0.0/8"], "192.0.2.7", lines), "192.0.2.7");
        }
        assert_eq!(client(&["192.0.2.0/24"], "192.0.2.7", &["198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn rotating_what_stands_on_the_left_gains_nothing() {
        let trusted = ["192.0.2.0/24", "10.0.0.0/8"];
        for forged in ["203.0.113.1", "203.0.113.2", "10.1.1.1", "unknown", "", "192.0.2.9"] {
            let one_line = format!("{forged}, 198.51.100.1, 10.0.0.4");
            assert_eq!(client(&trusted, "192.0.2.7", &[&one_line]), "198.51.100.1", "{forged}");
            let lines = [forged, "198.51.100.1", "10.0.0.4"];
            assert_eq!(client(&trusted, "192.0.2.7", &lines), "198.51.100.1", "{forged}");
        }
    }

    #[test]
    fn what_is_no_address_is_not_believed() {
        for bad in ["unknown", "_hidden", "198.51.100.1.5", "1", "999.1.1.1", "[::1", ""] {
            let line = format!("198.51.100.1, {bad}");
            assert_eq!(client(&["192.0.2.7"], "192.0.2.7", &[&line]), "192.0.2.7", "{bad}");
        }
    }

    #[test]
    fn addresses_as_proxies_write_them() {
        for (written, meant) in [
            ("198.51.100.1", "198.51.100.1"),
            ("198.51.100.1:4711", "198.51.100.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
        ] {
            assert_eq!(client(&["192.0.2.7"], "::ffff:192.0.2.7", &[written]), meant);
        }
    }

    #[test]
    fn a_chain_of_proxies_alone_is_its_far_end() {
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn networks_are_exact() {
        let parse = |text: &str| text.parse::<Network>();
        let inside = |network: &str, address: &str| {
            parse(network).unwrap().contains(address.parse().unwrap())
        };
        assert!(
            inside("192.0.2.128/25", "192.0.2.255") && !inside("192.0.2.128/25", "192.0.2.127")
        );
        assert!(inside("192.0.2.1", "192.0.2.1") && !inside("192.0.2.1/32", "192.0.2.2"));
        assert!(inside("2001:db8::/33", "2001:db8:7fff::1"));
        assert!(!inside("2001:db8::/33", "2001:db8:8000::1"));
        assert!(!inside("::/1", "192.0.2.1") && inside("128.0.0.0/1", "::ffff:192.0.2.1"));
        for everyone in ["0.0.0.0/0", "::/0"] {
            assert_eq!(parse(everyone), Err(NetworkError::Everyone { text: everyone.into() }));
        }
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/+8", "10.0.0.0/", "a/8"] {
            assert_eq!(parse(bad), Err(NetworkError::Syntax { text: bad.into() }));
        }
        assert_eq!(
            parse("10.0.0.1/8"),
            Err(NetworkError::HostBits {
                text: "10.0.0.1/8".into(),
                first: "10.0.0.0".parse().unwrap(),
                prefix: 8
            })
        );
    }
}
