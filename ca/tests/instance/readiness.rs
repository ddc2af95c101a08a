//! `/readyz` turns red, with the name of what is broken, and only then.

use crate::desk::Desk;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

async fn get(desk: &Desk, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = desk.faces().router.oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn red(desk: &Desk, named: &str) {
    let (status, body) = get(desk, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    assert!(body.contains(named), "{body} does not name {named}");
    assert_eq!(get(desk, "/healthz").await.0, StatusCode::OK, "alive all the same");
}

#[tokio::test]
async fn readiness_honest() {
    let desk = Desk::new();
    assert_eq!(get(&desk, "/readyz").await.0, StatusCode::OK);

    desk.clock.set(desk.clock.now() + 21 * 60);
    red(&desk, "ct log: its head is").await;

    let desk = Desk::new();
    desk.clock.set(desk.instance.issuing().not_after() - 100);
    red(&desk, "a CA certificate has 100 s left").await;

    let desk = Desk::new();
    desk.clock.set(desk.instance.timestamp[0].not_after() + 1);
    red(&desk, "tsa: its certificate ended").await;

    let desk = Desk::new();
    desk.engine.shutdown();
    red(&desk, "log: stopping").await;
}

#[tokio::test]
async fn metrics_tell_the_same() {
    let desk = Desk::new();
    let (_, text) = get(&desk, "/metrics").await;
    for line in ["fulcio_new_certs 0", "paraph_ready 1", "paraph_log_entries{log=\"ct\"} 1"] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}
