//! Opens a page in the person's browser, without a shell in between and with nothing of ours in the
//! child's environment that a browser has no business with.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::thread;

use openidconnect::url::{Host, Url};

use super::environment::Environment;

/// The URL of a page that a browser may be sent to: `https`, or `http` on this machine; a host that
/// is a plain name or an address; no user name. A program that is handed it cannot take it for a
/// flag, a file or a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PageUrl(String);

impl PageUrl {
    pub(super) fn new(url: &Url) -> Option<Self> {
        let host = url.host()?;
        let plain = |name: &str| {
            !name.starts_with('-')
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        };
        let (is_plain, is_here) = match &host {
            Host::Domain(name) => (plain(name), *name == "localhost"),
            Host::Ipv4(ip) => (true, IpAddr::from(*ip).is_loopback()),
            Host::Ipv6(ip) => (true, IpAddr::from(*ip).is_loopback()),
        };
        let scheme = url.scheme() == "https" || (url.scheme() == "http" && is_here);
        let nobody = url.username().is_empty() && url.password().is_none();
        let printable = url.as_str().bytes().all(|b| b.is_ascii_graphic());
        (is_plain && scheme && nobody && printable).then(|| Self(url.as_str().to_owned()))
    }
}

impl fmt::Display for PageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Starts the browser: the first of `BROWSER`'s commands that can be run, or the system's own. It
/// runs on by itself.
///
/// # Errors
/// The last command's, when none can be run.
pub(super) fn open(page: &PageUrl, environment: &Environment) -> io::Result<()> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for mut command in commands(page, environment.get("BROWSER").as_deref()) {
        for name in SECRETS {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match command.spawn() {
            Ok(mut child) => {
                thread::spawn(move || child.wait());
                return Ok(());
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// `BROWSER` is a list with colons, of commands whose words are separated by blanks; `%s` in one
/// stands for the URL, which else comes last.
fn commands(page: &PageUrl, browser: Option<&str>) -> Vec<Command> {
    let Some(browser) = browser else {
        let mut command = Command::new(SYSTEM.0);
        command.args(SYSTEM.1).arg(&page.0);
        return vec![command];
    };
    let mut commands = Vec::new();
    for line in browser.split(SEPARATOR) {
        let mut words = line.split_ascii_whitespace();
        let Some(program) = words.next() else { continue };
        let mut command = Command::new(program);
        let mut placed = false;
        for word in words {
            placed |= word.contains("%s");
            command.arg(word.replace("%s", &page.0));
        }
        if !placed {
            command.arg(&page.0);
        }
        commands.push(command);
    }
    commands
}

#[cfg(target_os = "macos")]
const SYSTEM: (&str, &[&str]) = ("open", &[]);
#[cfg(windows)]
const SYSTEM: (&str, &[&str]) = ("rundll32", &["url.dll,FileProtocolHandler"]);
#[cfg(not(any(target_os = "macos", windows)))]
const SYSTEM: (&str, &[&str]) = ("xdg-open", &[]);

/// A drive's colon is no separator.
const SEPARATOR: char = if cfg!(windows) { ';' } else { ':' };

/// Credentials of a pipeline, should there be any.
const SECRETS: [&str; 4] = [
    "SIGSTORE_ID_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "BUILDKITE_AGENT_ACCESS_TOKEN",
    "CIRCLE_OIDC_TOKEN_V2",
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn page(text: &str) -> Option<PageUrl> {
        Url::parse(text).ok().and_then(|url| PageUrl::new(&url))
    }

    #[test]
    fn browser_opened_without_shell() {
        for (text, may) in [
            ("https://sign.example/auth?a=b&c=d", true),
            ("http://localhost:8700/oidc/auth", true),
            ("http://127.0.0.1:1/auth", true),
            ("http://[::1]:1/auth", true),
            ("http://sign.example/auth", false),
            ("http://localhost.example/auth", false),
            ("file:///x", false),
            ("https://x;id", false),
            ("https://x$(id)/", false),
            ("https://-x/", false),
            ("-x", false),
            ("javascript:alert(1)", false),
            ("https://u:p@sign.example/", false),
        ] {
            assert_eq!(page(text).is_some(), may, "{text}");
        }
        let page = page("https://x.example/a?b=$(id)&c=;id").unwrap();
        for (browser, program, arguments) in [
            (None, SYSTEM.0, vec![page.0.as_str()]),
            (Some("firefox"), "firefox", vec![&page.0]),
            (Some("b -n %s -q"), "b", vec!["-n", &page.0, "-q"]),
        ] {
            let command = commands(&page, browser).remove(0);
            assert_eq!(command.get_program(), program);
            let found: Vec<_> = command.get_args().collect();
            assert!(found.ends_with(&arguments.iter().map(AsRef::as_ref).collect::<Vec<_>>()));
        }
        let several = format!("a{SEPARATOR}{SEPARATOR}b c");
        let programs: Vec<_> = commands(&page, Some(&several))
            .iter()
            .map(|command| command.get_program().to_owned())
            .collect();
        assert_eq!(programs, ["a", "b"]);
    }
}
