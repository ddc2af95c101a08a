//! Addresses of the public network, and none other: where a stranger's token may lead us.
//!
//! The name of an issuer that was matched by a pattern is its owner's to point anywhere: at our
//! own loopback, at a cloud's metadata service, at a neighbour. So what counts is the address that
//! the name resolves to, at the moment of the connection.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use openidconnect::url::{Host, Url};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error as ThisError;

/// Resolves names to public addresses, and refuses those that have any other.
pub(super) struct PublicOnly;

/// A name or a URL has an address that is not public.
#[derive(Debug, ThisError)]
#[error("not an address of the public network")]
pub(super) struct NotPublic;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // A name with both kinds is not half good: it is being played with.
            if found.iter().all(|address| is_public(address.ip())) {
                Ok(Box::new(found.into_iter()) as Addrs)
            } else {
                Err(NotPublic.into())
            }
        })
    }
}

/// Refuses a URL whose host is an address that is not public; names are left to the resolver,
/// which never sees an address.
pub(super) fn check_literal(url: &Url) -> Result<(), NotPublic> {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(_)) => return Ok(()),
        None => return Err(NotPublic),
    };
    if is_public(address) { Ok(()) } else { Err(NotPublic) }
}

/// True if [`NotPublic`] is what an HTTP error comes from.
pub(super) fn is_not_public(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// True for what the IANA special-purpose registries call globally reachable, as far as a server
/// of keys may be there.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !special
}

/// Global unicast (2000::/3) less 2001::/23 (Teredo and protocol assignments), 2001:db8::/32 and
/// 3fff::/20 (documentation) and 2002::/16 (6to4, which leads to an IPv4 address).
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let global = (0x2000..=0x3fff).contains(&first);
    let special = (first == 0x2001 && (second < 0x0200 || second == 0x0db8))
        || first == 0x2002
        || (first == 0x3fff && second < 0x1000);
    global && !special
}

/// The IPv4 address behind ::ffff:0:0/96 (mapped) or 64:ff9b::/96 (NAT64).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [s0, s1, s2, s3, s4, s5, high, low] = address.segments();
    let mapped = [s0, s1, s2, s3, s4, s5] == [0, 0, 0, 0, 0, 0xffff];
    let translated = [s0, s1, s2, s3, s4, s5] == [0x64, 0xff9b, 0, 0, 0, 0];
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    (mapped || translated).then(|| Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_network_is_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "100::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn literal_addresses_are_checked_in_the_url() {
        let of = |url: &str| check_literal(&Url::parse(url).unwrap()).is_ok();
        assert!(of("https://a.example/x") && of("https://8.8.8.8/x"));
        for url in [
            "https://127.0.0.1/x",
            "https://127.1/x",
            "https://0x7f.1/x",
            "https://2130706433/x",
            "https://[::1]/x",
            "https://[::ffff:10.0.0.1]/x",
        ] {
            assert!(!of(url), "{url}");
        }
    }
}
