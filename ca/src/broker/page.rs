//! The pages: plain documents without script, one style, nothing from elsewhere.

mod choose;
mod confirm;
mod outcome;

use std::fmt::{self, Write as _};

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer::plain;

pub(super) use self::choose::{Way, choose, choose_for_device, development, type_code};
pub(super) use self::confirm::{Confirm, confirm};
pub(super) use self::outcome::{code, done, problem};

/// A page: its title, what is in its `main`, and where its form may lead.
pub(super) struct Page {
    pub(super) status: StatusCode,
    title: String,
    main: String,
    /// Browsers apply `form-action` to where a form's answer redirects, so the client's origin is
    /// named there.
    leads_to: Option<String>,
    has_form: bool,
}

impl Page {
    fn new(title: impl Into<String>, main: String) -> Self {
        Self { status: StatusCode::OK, title: title.into(), main, leads_to: None, has_form: false }
    }

    /// The page with another status.
    pub(super) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// A page with a form, whose answer may redirect to `origin`.
    fn form(mut self, origin: Option<&str>) -> Self {
        self.has_form = true;
        self.leads_to = origin.map(str::to_owned);
        self
    }

    /// The answer, under a policy that lets nothing in but the page's own style. `instance` is the
    /// name of who runs it.
    pub(super) fn respond(self, instance: &str) -> Response {
        let body = self.document(instance);
        let mut response = plain(self.status, "text/html; charset=utf-8", body.into_bytes());
        let headers = response.headers_mut();
        if let Ok(policy) = HeaderValue::from_str(&self.policy()) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }

    fn policy(&self) -> String {
        let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()).as_ref());
        let form = match (&self.leads_to, self.has_form) {
            (Some(origin), true) => format!("'self' {origin}"),
            (None, true) => "'self'".to_owned(),
            (_, false) => "'none'".to_owned(),
        };
        format!(
            "default-src 'none'; style-src 'sha256-{style}'; form-action {form}; \
             base-uri 'none'; frame-ancestors 'none'"
        )
    }

    fn document(&self, instance: &str) -> String {
        let (title, instance) = (Escaped(&self.title), Escaped(instance));
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{title} · {instance}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <header><p>{instance}</p>{FLOURISH}</header>\n\
             <main>\n{main}</main>\n\
             <footer><p>Signing with a name, not with a key.</p></footer>\n</body>\n</html>\n",
            main = self.main,
        )
    }
}

/// What there is to know of who asks.
fn facts(known: &[(&'static str, String)]) -> String {
    let mut facts = String::from("<dl>\n");
    for (name, value) in known {
        // Writing to a string does not fail.
        let _written = writeln!(facts, "<dt>{name}</dt><dd>{}</dd>", Escaped(value));
    }
    facts.push_str("</dl>\n");
    facts
}

/// Text as it may stand between tags and in quoted attributes.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // Text from strangers: nothing that reorders or hides what a person agrees to.
                other if other.is_control() || is_bidi(other) => f.write_char('\u{fffd}')?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// Characters that change the direction of what follows (Unicode UAX 9), or are not seen.
fn is_bidi(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A paraph: the flourish under a signature.
const FLOURISH: &str = "<svg viewBox=\"0 0 120 18\" aria-hidden=\"true\" focusable=\"false\">\
<path d=\"M2 13C20 2 34 1 35 7s-14 9-11 2S58-1 76 7s26 4 42-4\" fill=\"none\" \
stroke=\"currentColor\" stroke-width=\"1.6\" stroke-linecap=\"round\"/></svg>";

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1b20;--soft:#5b5b66;--page:#f5f4f0;--card:#fff;\
--line:#dcd9d1;--edge:#85838c;--accent:#2347b8;--over:#1a3690;--on:#fff;--note:#f3f1ea;\
--bad:#9b1c1c;--badbg:#fcefed;\
font:1.0625rem/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",sans-serif}\
@media(prefers-color-scheme:dark){:root{--ink:#ededf1;--soft:#a9a9b5;--page:#131317;--card:#1d1d23;\
--line:#34343d;--edge:#7d7d8a;--accent:#9db7ff;--over:#bccdff;--on:#11162a;--note:#26262e;\
--bad:#ffa8a1;--badbg:#2d1a1a}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:flex;flex-direction:column;align-items:center;\
background:var(--page);color:var(--ink);padding:clamp(1.5rem,9vh,6rem) 1rem 1.5rem}\
header{color:var(--soft);text-align:center;margin-bottom:1.25rem}\
header p{margin:0;font-weight:600;letter-spacing:.01em;color:var(--ink);overflow-wrap:anywhere}\
header svg{display:block;width:7.5rem;height:1.125rem;margin:.25rem auto 0;color:var(--accent)}\
main{width:100%;max-width:27rem;background:var(--card);border:1px solid var(--line);\
border-radius:.875rem;padding:clamp(1.25rem,5vw,2rem)}\
h1{font-size:1.4rem;line-height:1.3;letter-spacing:-.01em;margin:0 0 .5rem;text-wrap:balance}\
p{margin:.5rem 0;text-wrap:pretty}\
.soft{color:var(--soft);font-size:.9375rem}\
.who{margin:1.25rem 0;padding:.875rem 1rem;border:1px solid var(--line);border-radius:.625rem}\
.who strong{display:block;font-size:1.125rem;overflow-wrap:anywhere}\
.note{margin:1rem 0;padding:.75rem 1rem;background:var(--note);border-radius:.625rem;\
font-size:.9375rem}\
.alert{margin:1rem 0;padding:.75rem 1rem;background:var(--badbg);color:var(--bad);\
border-left:.25rem solid;border-radius:.375rem}\
ul.ways{list-style:none;margin:1.25rem 0 0;padding:0;display:grid;gap:.625rem}\
a{color:var(--accent)}\
.button{display:block;width:100%;font:inherit;font-weight:600;text-align:center;\
text-decoration:none;padding:.75rem 1rem;border:1px solid var(--edge);border-radius:.625rem;\
background:transparent;color:var(--ink);cursor:pointer;overflow-wrap:anywhere}\
.button:hover{border-color:var(--ink)}\
.button.main{background:var(--accent);border-color:var(--accent);color:var(--on)}\
.button.main:hover{background:var(--over);border-color:var(--over)}\
form .button{margin-top:.625rem}\
label,legend{font-weight:600}\
fieldset{border:0;margin:1.25rem 0;padding:0;min-width:0}\
.pick{display:flex;gap:.625rem;align-items:baseline;font-weight:400;padding:.625rem .875rem;\
border:1px solid var(--line);border-radius:.625rem;margin-top:.5rem;overflow-wrap:anywhere}\
.pick:has(:checked){border-color:var(--accent)}\
.pick input{accent-color:var(--accent);margin:0;flex:none}\
.field{display:block;width:100%;font:inherit;margin:.375rem 0 .625rem;padding:.6875rem .875rem;\
border:1px solid var(--edge);border-radius:.625rem;background:var(--card);color:inherit}\
.code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}\
.big{display:block;font-size:1.125rem;padding:.875rem 1rem;margin:1rem 0;background:var(--note);\
border-radius:.625rem;user-select:all}\
.typed{text-transform:uppercase;letter-spacing:.15em;font-size:1.25rem;text-align:center}\
dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem;margin:1rem 0;font-size:.9375rem}\
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\
footer{margin-top:1.25rem;color:var(--soft);font-size:.875rem;text-align:center}\
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}\
@media(forced-colors:active){.button{border:1px solid}}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_run_no_foreign_script() {
        let hostile = "\"><script>alert('x')</script>&\u{202e}";
        let ways = [Way { href: hostile.to_owned(), name: hostile.to_owned() }];
        let facts = [("Program", hostile.to_owned())];
        let pages = [
            choose_for_device(&facts, &ways),
            type_code(hostile, hostile, Some(hostile)),
            done(hostile),
            choose(hostile, &ways),
            development(hostile, hostile, None, hostile, Some(hostile)),
            problem(hostile, &[hostile], &ways),
            code(hostile, hostile),
            confirm(&Confirm {
                action: hostile,
                session: hostile,
                provider: hostile,
                login: Some(hostile),
                addresses: &[hostile.to_owned(), hostile.to_owned()],
                preselected: Some(0),
                facts: &facts,
                is_device: true,
                leads_to: None,
                complaint: Some(hostile),
            }),
        ];
        for page in pages {
            let document = page.document(hostile);
            assert!(!document.contains("<script"), "{document}");
            assert!(!document.contains('\u{202e}'), "{document}");
            assert!(document.contains("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)"), "{document}");
            let policy = page.policy();
            assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
        }
    }
}
