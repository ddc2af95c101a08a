//! A SPIFFE agent at a Unix socket: real HTTP/2, with the two messages written by hand from
//! `workload.proto`.

use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, Response};
use tokio::net::UnixListener;

/// What came with one call.
#[derive(Debug)]
pub struct Called {
    /// Method and path.
    pub line: String,
    /// The head's fields.
    pub fields: HeaderMap,
    /// The framed message.
    pub body: Vec<u8>,
}

/// Answers one call with this message and this gRPC status.
pub async fn agent(listener: UnixListener, message: Vec<u8>, status: &'static str) -> Called {
    let (stream, _) = listener.accept().await.unwrap();
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let (request, mut respond) = connection.accept().await.unwrap().unwrap();
    let drive = tokio::spawn(async move { while connection.accept().await.is_some() {} });
    let (parts, mut body) = request.into_parts();
    let mut whole = Vec::new();
    while let Some(piece) = body.data().await {
        whole.extend_from_slice(&piece.unwrap());
    }
    let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let mut stream = respond.send_response(head, false).unwrap();
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend_from_slice(&message);
    stream.send_data(Bytes::from(framed), false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    stream.send_trailers(trailers).unwrap();
    _ = drive.await;
    Called {
        line: format!("{} {}", parts.method, parts.uri.path()),
        fields: parts.headers,
        body: whole,
    }
}

/// Listens in this folder.
pub fn listen(folder: &Path) -> (UnixListener, String) {
    let path = folder.join("api.sock");
    (UnixListener::bind(&path).unwrap(), format!("unix://{}", path.display()))
}

/// A field with this number of the wire type "length-delimited".
pub fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = content.len();
    while length > 0x7f {
        field.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    field.push(u8::try_from(length).unwrap());
    field.extend_from_slice(content);
    field
}
