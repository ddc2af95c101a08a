//! The page that asks who is signing in, and the page that says what is wrong.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use openidconnect::url::Url;

/// One line of the list: the value to send, and what is shown.
pub(crate) struct Choice {
    pub(crate) value: usize,
    pub(crate) shown: String,
}

/// Asks which account to sign in as, or to refuse. Sends `session` and `account` or `cancel`.
pub(crate) fn ask(
    provider: &str,
    action: &str,
    session: &str,
    scopes: &[String],
    choices: &[Choice],
) -> Response {
    let buttons: String = choices
        .iter()
        .map(|choice| {
            format!(
                "<p><button name=\"account\" value=\"{}\">{}</button></p>\n",
                choice.value,
                escape(&choice.shown)
            )
        })
        .collect();
    document(
        StatusCode::OK,
        &format!("Stand-in of {provider}: sign in"),
        &format!(
            "<p>The application asks for: {}.</p>\n<form method=\"post\" action=\"{}\">\n\
             <input type=\"hidden\" name=\"session\" value=\"{}\">\n{buttons}\
             <p><button name=\"cancel\" value=\"1\">Cancel</button></p>\n</form>\n",
            escape(&scopes.join(", ")),
            escape(action),
            escape(session),
        ),
    )
}

/// A page without a way back: the request is not in order, so nobody is sent anywhere.
pub(crate) fn error(status: StatusCode, provider: &str, what: &str) -> Response {
    let title = format!("Stand-in of {provider}: error");
    document(status, &title, &format!("<p role=\"alert\">{}</p>\n", escape(what)))
}

/// Back to the application with these parameters added. The URI was compared with a registered
/// one before, so it parses.
pub(crate) fn back(redirect_uri: &str, parameters: &[(&str, Option<&str>)]) -> Response {
    let mut url = Url::parse(redirect_uri).expect("a registered redirect URI is a URL");
    for (name, value) in parameters {
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    Redirect::to(url.as_str()).into_response()
}

fn document(status: StatusCode, title: &str, main: &str) -> Response {
    let title = escape(title);
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<main>\n<h1>{title}</h1>\n{main}</main>\n</html>\n"
    );
    (status, Html(page)).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
