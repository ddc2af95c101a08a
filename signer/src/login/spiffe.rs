//! SPIFFE: the workload API of the machine's agent, over a Unix socket (SPIFFE Workload API,
//! `FetchJWTSVID`; gRPC over HTTP/2). One call of one method needs no gRPC library: the two messages
//! are read and written here.
//!
//! Only a socket that `SPIFFE_ENDPOINT_SOCKET` names is asked. cosign also tries one below `/tmp`,
//! where on a shared machine anybody could have put theirs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use formats::limits::MAX_TOKEN_BYTES;
use http::{HeaderMap, Request};
use thiserror::Error;
use tokio::net::UnixStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::ambient::{AmbientError, Asked};

/// Why the agent gave no token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpiffeFault {
    /// Not the address of a Unix socket.
    #[error("it is not the address of a Unix socket (unix:///path)")]
    Address,
    /// Nobody there, or somebody who breaks off.
    #[error("the agent cannot be reached: {0}")]
    Unreachable(String),
    /// The agent said no; gRPC's status code.
    #[error("the agent answered with gRPC status {0}")]
    Refused(i32),
    /// Not the message that the method answers with.
    #[error("the agent's answer is not a FetchJWTSVID answer")]
    Answer,
    /// No answer.
    #[error("the agent did not answer within {} s", LIMIT.as_secs())]
    TimedOut,
}

/// The workload's JWT-SVID; none when no socket is named.
///
/// # Errors
/// [`AmbientError::Spiffe`].
pub(super) async fn token(asked: &Asked<'_>) -> Result<Option<Zeroizing<String>>, AmbientError> {
    let Some(address) = asked.environment.get(SOCKET) else { return Ok(None) };
    let fetched = async {
        let path = path(&address).ok_or(SpiffeFault::Address)?;
        timeout(LIMIT, fetch(&path, asked.audience)).await.unwrap_or(Err(SpiffeFault::TimedOut))
    };
    fetched.await.map(Some).map_err(AmbientError::Spiffe)
}

/// SPIFFE Workload Endpoint section 4: `unix:///path`; a bare path is what cosign takes.
fn path(address: &str) -> Option<PathBuf> {
    let path = match address.strip_prefix("unix:") {
        Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
        None => address,
    };
    let path = Path::new(path);
    path.is_absolute().then(|| path.to_owned())
}

async fn fetch(path: &Path, audience: &str) -> Result<Zeroizing<String>, SpiffeFault> {
    let stream = UnixStream::connect(path)
        .await
        .map_err(|error| SpiffeFault::Unreachable(error.kind().to_string()))?;
    let (mut sender, connection) = h2::client::handshake(stream).await.map_err(broke)?;
    let talk = async {
        let request = Request::post("http://localhost/SpiffeWorkloadAPI/FetchJWTSVID")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            // Without it an agent refuses: a browser that was lured here can not send it.
            .header("workload.spiffe.io", "true")
            .body(())
            .map_err(|_| SpiffeFault::Address)?;
        let (answer, mut body) = sender.send_request(request, false).map_err(broke)?;
        body.send_data(frame(&ask(audience)), true).map_err(broke)?;
        let answer = answer.await.map_err(broke)?;
        // An answer without a body carries its status in the head.
        status(answer.headers())?;
        let mut stream = answer.into_body();
        let mut whole = Zeroizing::new(Vec::new());
        while let Some(piece) = stream.data().await {
            let piece = piece.map_err(broke)?;
            if whole.len() + piece.len() > MAX_ANSWER {
                return Err(SpiffeFault::Answer);
            }
            whole.extend_from_slice(&piece);
            stream.flow_control().release_capacity(piece.len()).map_err(broke)?;
        }
        status(&stream.trailers().await.map_err(broke)?.unwrap_or_default())?;
        svid(&whole).ok_or(SpiffeFault::Answer)
    };
    tokio::select! {
        token = talk => token,
        ended = connection => Err(match ended {
            Ok(()) => SpiffeFault::Unreachable("it closed the connection".into()),
            Err(error) => broke(error),
        }),
    }
}

fn status(fields: &HeaderMap) -> Result<(), SpiffeFault> {
    let Some(status) = fields.get("grpc-status") else { return Ok(()) };
    match status.to_str().ok().and_then(|text| text.parse().ok()) {
        Some(0) => Ok(()),
        Some(code) => Err(SpiffeFault::Refused(code)),
        None => Err(SpiffeFault::Answer),
    }
}

/// gRPC's frame: not compressed, length, message.
fn frame(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(message);
    frame.freeze()
}

/// `JWTSVIDRequest { repeated string audience = 1; }`.
fn ask(audience: &str) -> Vec<u8> {
    let mut message = vec![FIELD_1];
    let mut length = audience.len();
    while length > 0x7f {
        message.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    message.push(length as u8);
    message.extend_from_slice(audience.as_bytes());
    message
}

/// `JWTSVIDResponse { repeated JWTSVID svids = 1; }`, `JWTSVID { string svid = 2; }`: the first, which
/// is the workload's default identity.
fn svid(framed: &[u8]) -> Option<Zeroizing<String>> {
    let (&[compressed, a, b, c, d], message) = framed.split_first_chunk()?;
    if compressed != 0 || u32::from_be_bytes([a, b, c, d]) as usize != message.len() {
        return None;
    }
    let svid = field(message, FIELD_1)?;
    let text = std::str::from_utf8(field(svid, FIELD_2)?).ok()?;
    Some(Zeroizing::new(text.to_owned()))
}

/// The first length-delimited field with this key; others are passed over if they are of that kind.
fn field(mut message: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        let (&key, rest) = message.split_first()?;
        let (length, rest) = varint(rest)?;
        // Wire type 2 (length-delimited) is the only one that these messages have.
        if key & 0x87 != 0x02 {
            return None;
        }
        let (value, rest) = rest.split_at_checked(length)?;
        if key == wanted {
            return Some(value);
        }
        message = rest;
    }
}

fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(4) {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

fn broke(error: h2::Error) -> SpiffeFault {
    SpiffeFault::Unreachable(error.to_string())
}

const SOCKET: &str = "SPIFFE_ENDPOINT_SOCKET";
const FIELD_1: u8 = 1 << 3 | 2;
const FIELD_2: u8 = 2 << 3 | 2;
const MAX_ANSWER: usize = 4 * MAX_TOKEN_BYTES;
const LIMIT: Duration = Duration::from_secs(10);
