//! `/readyz` turns red, with the name of what is broken, and only then.

use crate::desk::Desk;
use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

async fn get(router: &Router, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn red(router: &Router, named: &str) {
    let (status, body) = get(router, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    assert!(body.contains(named), "{body} does not name {named}");
    assert_eq!(get(router, "/healthz").await.0, StatusCode::OK, "alive all the same");
}

#[tokio::test]
async fn readiness_honest() {
    let desk = Desk::new();
    let router = desk.faces().router;
    assert_eq!(get(&router, "/readyz").await.0, StatusCode::OK);

    // The router is there before the clock moves: the engine would sign a new head meanwhile.
    desk.clock.set(desk.clock.now() + 21 * 60);
    red(&router, "ct log: its head is").await;

    let desk = Desk::new();
    let router = desk.faces().router;
    desk.clock.set(desk.instance.issuing().not_after() - 100);
    red(&router, "a CA certificate has 100 s left").await;

    let desk = Desk::new();
    let router = desk.faces().router;
    desk.clock.set(desk.instance.timestamp[0].not_after() + 1);
    red(&router, "tsa: its certificate ended").await;

    let desk = Desk::new();
    let router = desk.faces().router;
    desk.engine.shutdown();
    red(&router, "log: stopping").await;
}

#[tokio::test]
async fn metrics_tell_the_same() {
    let desk = Desk::new();
    let (_, text) = get(&desk.faces().router, "/metrics").await;
    for line in ["fulcio_new_certs 0", "paraph_ready 1", "paraph_log_entries{log=\"ct\"} 1"] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}
