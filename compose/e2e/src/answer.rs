//! What a refusal must look like.

use serde_json::Value;

use crate::http::Response;

/// Checks that an answer is a refusal in JSON with this status, and that its message holds
/// `fragment`; answers the message.
///
/// # Panics
/// When it is anything else.
pub fn refused(response: &Response, status: u16, fragment: &str) -> String {
    assert_eq!(
        response.status,
        status,
        "wanted a refusal naming {fragment:?}: {}",
        response.text()
    );
    let body = response.json();
    assert!(body["code"].is_u64(), "{body}");
    assert_eq!(body["details"], Value::Array(Vec::new()), "{body}");
    let message = body["message"].as_str().unwrap_or_else(|| panic!("no message: {body}"));
    assert!(
        message.to_lowercase().contains(&fragment.to_lowercase()),
        "the message {message:?} does not name {fragment:?}"
    );
    assert!(response.header("x-request-id").is_some(), "no request id on {message:?}");
    message.to_owned()
}

/// Checks that an answer is a 4xx in JSON, whatever its reason; answers status and message.
///
/// # Panics
/// When it is anything else.
pub fn client_fault(response: &Response) -> (u16, String) {
    assert!((400..500).contains(&response.status), "{}: {}", response.status, response.text());
    let body = response.json();
    let message = body["message"].as_str().unwrap_or_else(|| panic!("no message: {body}"));
    (response.status, message.to_owned())
}
