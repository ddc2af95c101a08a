//! The listener that a browser returns to, as a browser, another program or another machine would
//! meet it.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpStream, UdpSocket};
use std::thread;

use signer::login::loopback::{Loopback, Page};

fn port(loopback: &Loopback) -> u16 {
    let redirect = loopback.redirect();
    let rest = redirect.strip_prefix("http://localhost:").unwrap();
    rest.strip_suffix("/auth/callback").unwrap().parse().unwrap()
}

fn raw(address: (IpAddr, u16), request: String) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A GET from a thread of its own, as the listener works on the test's.
async fn get(port: u16, target: &str) -> String {
    ask(port, "GET", target, &format!("localhost:{port}")).await
}

async fn ask(port: u16, method: &str, target: &str, host: &str) -> String {
    let request = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    tokio::task::spawn_blocking(move || raw((Ipv4Addr::LOCALHOST.into(), port), request))
        .await
        .unwrap()
}

#[tokio::test]
async fn loopback_local_and_brief() {
    let mut loopback = Loopback::open().await.unwrap();
    let port = port(&loopback);

    // Nobody on the network gets through.
    if let Some(other) = address_on_the_network() {
        assert!(TcpStream::connect((other, port)).is_err(), "{other} was let in");
    }

    // Nor anything that is not the return of this sign-in; none of it uses up the one answer.
    for (method, target, host, status) in [
        ("GET", "/", "localhost", "404"),
        ("GET", "/favicon.ico", "localhost", "404"),
        ("GET", "/auth/callback/", "localhost", "404"),
        ("GET", "//auth/callback", "localhost", "404"),
        ("POST", "/auth/callback?code=x", "localhost", "405"),
        ("GET", "/auth/callback?code=x", "rebound.example", "421"),
        ("GET", "/auth/callback?code=x", "", "421"),
    ] {
        let host = if host.is_empty() { String::new() } else { format!("{host}:{port}") };
        let answer = ask(port, method, target, &host).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{target}: {answer}");
    }
    let broken = format!("GET /auth/callback\r\nHost: localhost:{port}\r\n\r\n");
    let address = (Ipv4Addr::LOCALHOST.into(), port);
    let answer = tokio::task::spawn_blocking(move || raw(address, broken)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");

    // The first return is taken as it came; what it says is shown nowhere.
    let first = tokio::spawn(get(port, "/auth/callback?error=<script>alert(1)</script>"));
    let answer = loopback.answer().await;
    assert_eq!(answer.query, "error=<script>alert(1)</script>");
    let second = get(port, "/auth/callback?code=x").await;
    assert!(second.starts_with("HTTP/1.1 410 "), "{second}");
    answer.show(Page::Failed).await;
    let first = first.await.unwrap();
    assert!(first.starts_with("HTTP/1.1 400 "), "{first}");
    for page in [first, second] {
        assert!(!page.contains("script"), "{page}");
        assert!(page.contains("\r\ncontent-security-policy: default-src 'none';"), "{page}");
        assert!(page.contains("\r\ncache-control: no-store\r\n"), "{page}");
    }

    // With the sign-in the listener goes.
    drop(loopback);
    tokio::task::yield_now().await;
    let gone = thread::spawn(move || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    assert!(gone.join().unwrap(), "somebody still listens");
}

#[tokio::test]
async fn every_sign_in_has_a_port_of_its_own_and_a_page_at_the_end() {
    let mut one = Loopback::open().await.unwrap();
    let two = Loopback::open().await.unwrap();
    assert_ne!(port(&one), port(&two));
    let browser = tokio::spawn(get(port(&one), "/auth/callback?code=c&state=s"));
    let answer = one.answer().await;
    assert_eq!(answer.query, "code=c&state=s");
    answer.show(Page::SignedIn).await;
    let page = browser.await.unwrap();
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("Signed in"), "{page}");
}

/// This machine's address in its network, where it is in one. Nothing is sent.
fn address_on_the_network() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}
