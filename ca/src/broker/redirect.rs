//! Which redirect URIs a sign-in may return to: native applications on this machine.

/// True for what the public client may name: `http` on a literal loopback host with any port and
/// the path `/auth/callback` or none (what cosign, gitsign, sigstore-python and sigstore-js send;
/// RFC 8252 7.3), or the name of the flow whose code a person carries over.
pub(super) fn is_accepted(uri: &str) -> bool {
    if uri == OUT_OF_BAND {
        return true;
    }
    is_loopback(uri)
        && origin(uri).is_some_and(|origin| {
            uri.strip_prefix(origin).is_some_and(|path| PATHS.contains(&path))
        })
}

/// True for `http`, a literal loopback host, an optional port, and an optional path and query.
/// Judged on the text itself: URL parsers turn `0x7f.1` into 127.0.0.1 and drop
/// user information, and a browser may read either differently.
fn is_loopback(uri: &str) -> bool {
    if uri.len() > MAX_URI || !uri.bytes().all(|b| b.is_ascii_graphic()) {
        return false;
    }
    if uri.contains(['#', '\\', '"', '<', '>']) {
        return false;
    }
    let Some(rest) = uri.strip_prefix(SCHEME) else { return false };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, _) = rest.split_at(end);
    HOSTS.iter().any(|host| match authority.strip_prefix(host) {
        Some("") => true,
        Some(port) => port.strip_prefix(':').is_some_and(is_port),
        None => false,
    })
}

/// `scheme://host:port` of a URI that [`is_accepted`]; nothing for one that leads nowhere.
pub(super) fn origin(uri: &str) -> Option<&str> {
    let rest = uri.strip_prefix(SCHEME)?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len()) + SCHEME.len();
    uri.get(..end)
}

/// True for a `Host` header that names this machine by a loopback name.
pub(super) fn is_loopback_host(host: &str) -> bool {
    !host.contains(['/', '?']) && is_loopback(&format!("http://{host}"))
}

fn is_port(port: &str) -> bool {
    (1..=5).contains(&port.len())
        && port.bytes().all(|b| b.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|port| port != 0)
}

/// A person copies the code from the page into the terminal.
const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

const SCHEME: &str = "http://";
const PATHS: [&str; 3] = ["", "/", "/auth/callback"];
const HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
const MAX_URI: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uri_once_decoded_exact() {
        for (uri, its_origin) in [
            ("http://localhost:1234/auth/callback", Some("http://localhost:1234")),
            ("http://127.0.0.1:1/", Some("http://127.0.0.1:1")),
            ("http://[::1]:65535", Some("http://[::1]:65535")),
            ("http://localhost/auth/callback", Some("http://localhost")),
            ("urn:ietf:wg:oauth:2.0:oob", None),
        ] {
            assert!(is_accepted(uri), "{uri}");
            assert_eq!(origin(uri), its_origin);
        }
        for uri in [
            "",
            "/cb",
            "//evil",
            "/\\evil",
            "https://localhost/cb",
            "HTTP://localhost/cb",
            "http://127.0.0.1:80@evil/cb",
            "http://evil@127.0.0.1/cb",
            "http://localhost.evil/cb",
            "http://localhost:1.evil/cb",
            "http://evil/localhost",
            "http://0x7f.1/cb",
            "http://127.1/cb",
            "http://127.0.0.2/cb",
            "http://[::2]/cb",
            "http://localhost:0/cb",
            "http://localhost:65536/cb",
            "http://localhost:+1/cb",
            "http://localhost:/cb",
            "http://localhost\\@evil/cb",
            "http://localhost/cb#f",
            "http://localhost/c b",
            "http://localhost/\r\nX: y",
            "http%3a%2f%2flocalhost/cb",
            "http:%252f%252flocalhost/cb",
            "http://localhost:1/cb",
            "http://localhost:1/auth/callback/",
            "http://localhost:1/auth/callback?x=y",
            "http://localhost:1/auth//callback",
            "http://localhost:1/auth/%63allback",
            "http://localhost:1/../auth/callback",
            "http://localhost?x",
            "urn:ietf:wg:oauth:2.0:oob:auto",
            "URN:ietf:wg:oauth:2.0:oob",
            "javascript:alert(1)",
        ] {
            assert!(!is_accepted(uri), "{uri}");
        }
    }

    #[test]
    fn a_rebound_name_is_not_ours() {
        for host in ["localhost", "localhost:8700", "127.0.0.1:1", "[::1]:8700"] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil", "127.0.0.1.evil:1", "a@localhost", "", "localhost/x"]
        {
            assert!(!is_loopback_host(host), "{host}");
        }
    }
}
