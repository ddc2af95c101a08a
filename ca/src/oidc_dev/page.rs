//! The two pages: one form, and one complaint. No script, nothing from elsewhere.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The Content-Security-Policy of a page. Browsers apply `form-action` to where a form's answer
/// redirects, so the client's origin is named there.
pub(super) fn policy(redirect_origin: Option<&str>) -> String {
    let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()).as_ref());
    let form = match redirect_origin {
        Some(origin) => format!("'self' {origin}"),
        None => "'none'".to_owned(),
    };
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action {form}; \
         base-uri 'none'; frame-ancestors 'none'"
    )
}

pub(super) fn sign_in(
    action: &str,
    session: &str,
    client_id: &str,
    complaint: Option<&str>,
) -> String {
    let (action, session, client_id) = (escape(action), escape(session), escape(client_id));
    let (alert, invalid) = match complaint {
        Some(complaint) => (
            format!(
                "<p id=\"problem\" role=\"alert\">That address is {}.</p>\n",
                escape(complaint)
            ),
            " aria-invalid=\"true\" aria-describedby=\"problem\"",
        ),
        None => (String::new(), ""),
    };
    let main = format!(
        "<h1>Development sign-in</h1>\n\
         <p>Sign in to <strong>{client_id}</strong> as anybody. This issuer believes every address \
         and exists on this machine only.</p>\n\
         {alert}\
         <form method=\"post\" action=\"{action}\">\n\
         <input type=\"hidden\" name=\"session\" value=\"{session}\">\n\
         <label for=\"email\">Email address</label>\n\
         <input id=\"email\" name=\"email\" type=\"email\" autocomplete=\"email\" required \
         autofocus{invalid}>\n\
         <button type=\"submit\">Sign in</button>\n\
         </form>\n"
    );
    document("Development sign-in", &main)
}

pub(super) fn refusal(reason: &str) -> String {
    let main = format!("<h1>Development sign-in</h1>\n<p role=\"alert\">{}.</p>\n", escape(reason));
    document("Development sign-in: not possible", &main)
}

fn document(title: &str, main: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<main>\n{main}</main>\n</body>\n</html>\n"
    )
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

const STYLE: &str = "\
:root{color-scheme:light dark;font:1.125rem/1.5 system-ui,sans-serif}\
main{max-width:28rem;margin:10vh auto;padding:0 1rem}\
label{display:block;font-weight:600;margin-top:1rem}\
input,button{font:inherit;padding:.5rem .75rem;border:1px solid;border-radius:.375rem}\
input{width:100%;box-sizing:border-box;margin:.25rem 0 1rem}\
button{cursor:pointer;font-weight:600}\
:focus-visible{outline:3px solid;outline-offset:2px}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_run_no_foreign_script() {
        let hostile = "\"><script>alert('x')</script>&";
        for page in [sign_in(hostile, hostile, hostile, Some(hostile)), refusal(hostile)] {
            assert!(!page.contains("<script"), "{page}");
            assert!(page.contains("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)"), "{page}");
        }
        let policy = policy(Some("http://localhost:1234"));
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(policy.contains("; form-action 'self' http://localhost:1234; "), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}
