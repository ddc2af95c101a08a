//! The HTTP client against a server that misbehaves in one way at a time.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fetch::endpoint::Endpoint;
use fetch::http::{Body, Http, HttpError, Request, Service};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const SERVICE: Service = Service::CertificateAuthority;

/// A server that gives each connection the next of these answers, then the last one again.
struct Script {
    url: String,
    connections: Arc<AtomicUsize>,
    requests: Arc<std::sync::Mutex<Vec<String>>>,
}

async fn serve(answers: Vec<String>) -> Script {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let connections = Arc::new(AtomicUsize::new(0));
    let requests = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (count, seen) = (connections.clone(), requests.clone());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let n = count.fetch_add(1, Ordering::SeqCst);
            let mut buffer = vec![0; 64 * 1024];
            let read = stream.read(&mut buffer).await.unwrap();
            seen.lock().unwrap().push(String::from_utf8_lossy(&buffer[..read]).into_owned());
            let answer = &answers[n.min(answers.len() - 1)];
            if answer == "HANG" {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    Script { url, connections, requests }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}",
        body.len()
    )
}

async fn post(url: &str, bearer: Option<&str>) -> Result<Vec<u8>, HttpError> {
    let endpoint = Endpoint::parse(url).unwrap().join("/x");
    Http::new()
        .send(&Request {
            service: SERVICE,
            endpoint: &endpoint,
            body: Some(Body { content_type: "application/json", bytes: b"{}".to_vec(), bearer }),
            accept: "application/json",
            cap: 1000,
            limit: Duration::from_millis(800),
        })
        .await
}

#[tokio::test]
async fn returns_the_body_of_a_success() {
    for status in ["200 OK", "201 Created"] {
        let script = serve(vec![answer(status, "", "hello")]).await;
        assert_eq!(post(&script.url, Some("t.o.k")).await.unwrap(), b"hello");
        let request = script.requests.lock().unwrap()[0].clone();
        assert!(request.starts_with("POST /x HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("authorization: Bearer t.o.k\r\n"), "{request}");
    }
}

#[tokio::test]
async fn refusals_carry_the_services_words() {
    let body = r#"{"code":3,"message":"audience other, wanted sigstore","details":[]}"#;
    let script = serve(vec![answer("400 Bad Request", "", body)]).await;
    assert_eq!(
        post(&script.url, None).await.unwrap_err(),
        HttpError::Refused {
            service: SERVICE,
            url: format!("{}/x", script.url),
            status: 400,
            message: Some("audience other, wanted sigstore".into()),
            retry_after: None,
        }
    );
    assert_eq!(script.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn token_goes_to_one_place() {
    let other = serve(vec![answer("200 OK", "", "stolen")]).await;
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = format!("Location: {}/x\r\n", other.url);
        let script = serve(vec![answer(status, &location, "")]).await;
        let error = post(&script.url, Some("t.o.k")).await.unwrap_err();
        assert!(matches!(error, HttpError::Redirected { .. }), "{error}");
    }
    assert_eq!(other.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn no_token_in_clear_beyond_this_machine() {
    let error = post("http://192.0.2.1", Some("t.o.k")).await.unwrap_err();
    assert_eq!(
        error,
        HttpError::SecretInClear { service: SERVICE, url: "http://192.0.2.1/x".into() }
    );
    assert!(!error.to_string().contains("t.o.k"));
}

#[tokio::test]
async fn answers_have_a_cap() {
    let fits = serve(vec![answer("200 OK", "", &"x".repeat(1000))]).await;
    assert_eq!(post(&fits.url, None).await.unwrap().len(), 1000);
    let script = serve(vec![answer("200 OK", "", &"x".repeat(1001))]).await;
    assert!(matches!(
        post(&script.url, None).await.unwrap_err(),
        HttpError::TooLarge { cap: 1000, .. }
    ));
}

#[tokio::test]
async fn overload_is_asked_again_and_then_reported() {
    let busy = answer("503 Service Unavailable", "Retry-After: 0\r\n", "{\"message\":\"busy\"}");
    let script = serve(vec![busy.clone(), answer("201 Created", "", "done")]).await;
    assert_eq!(post(&script.url, None).await.unwrap(), b"done");
    assert_eq!(script.connections.load(Ordering::SeqCst), 2);

    let script = serve(vec![busy]).await;
    let error = post(&script.url, None).await.unwrap_err();
    assert!(matches!(error, HttpError::Refused { status: 503, .. }), "{error}");
    assert_eq!(script.connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn silence_ends_in_a_time_out_and_is_not_repeated() {
    let script = serve(vec!["HANG".into()]).await;
    let error = post(&script.url, None).await.unwrap_err();
    assert!(matches!(error, HttpError::TimedOut { .. }), "{error}");
    assert_eq!(script.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_cut_answer_is_no_answer() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    let script = serve(vec![cut.into()]).await;
    let error = post(&script.url, None).await.unwrap_err();
    assert!(matches!(error, HttpError::BrokeOff { .. }), "{error}");
}

/// Something that is no TLS server answers an https URL: no token is sent, nothing panics.
#[tokio::test]
async fn https_without_tls_is_no_connection() {
    let script = serve(vec![answer("200 OK", "", "hello")]).await;
    let url = script.url.replace("http:", "https:");
    let error = post(&url, Some("t.o.k")).await.unwrap_err();
    assert!(matches!(error, HttpError::Unreachable { .. }), "{error}");
    assert!(script.requests.lock().unwrap().iter().all(|request| !request.contains("t.o.k")));
}

#[tokio::test]
async fn nobody_there_is_said_with_the_address() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let error = post(&format!("http://127.0.0.1:{port}"), None).await.unwrap_err();
    let HttpError::Unreachable { url, reason, .. } = &error else { panic!("{error}") };
    assert_eq!(*url, format!("http://127.0.0.1:{port}/x"));
    assert!(reason.contains("refused"), "{reason}");
}
