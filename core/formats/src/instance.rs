//! The description of an instance: what a signer must know of it beyond trust root and signing
//! configuration. It is our own document, a target of the instance's TUF repository; clients that do
//! not know it never see it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::json::{self, JsonError};

/// An instance, as it describes itself to people and to `signer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceDescription {
    /// Who runs it, for people.
    pub name: String,
    /// The OAuth client id that its sign-in knows, and the audience of the tokens that it takes.
    pub client_id: String,
    /// A notice that a person confirms once before the first signature; none asks nothing.
    pub notice: Option<String>,
    /// Where its parts are.
    pub faces: Faces,
}

/// The addresses of an instance, as clients write them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faces {
    /// Certificate authority.
    pub ca: String,
    /// Artifact log.
    pub log: String,
    /// Certificate transparency log.
    pub ct: String,
    /// Timestamp authority: the whole address.
    pub tsa: String,
    /// Sign-in for people: an OpenID issuer; none where nobody signs in through the instance.
    pub oidc: Option<String>,
    /// TUF repository.
    pub tuf: String,
}

/// Why a description was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DescriptionError {
    /// Not strict JSON of the expected shape. Members that are not known are passed over: a newer
    /// instance may say more, and nothing here is a matter of trust.
    #[error("instance description: {0}")]
    Json(#[from] JsonError),
    /// `mediaType` is not [`MEDIA_TYPE`].
    #[error("instance description: unknown mediaType {found:?}")]
    UnknownMediaType {
        /// The media type.
        found: String,
    },
    /// A member that is empty, too long, or holds control characters (a notice may have line feeds).
    #[error("instance description: {member} is empty, too long or not printable")]
    Text {
        /// Its name.
        member: &'static str,
    },
}

impl InstanceDescription {
    /// Reads a description.
    ///
    /// # Errors
    /// [`DescriptionError`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, DescriptionError> {
        let wire: Wire = json::from_slice_capped(bytes, MAX_BYTES)?;
        if wire.media_type != MEDIA_TYPE {
            return Err(DescriptionError::UnknownMediaType { found: wire.media_type });
        }
        let Wire { name, client_id, notice, faces, .. } = wire;
        let WireFaces { ca, log, ct, tsa, oidc, tuf } = faces;
        let one_line = |text: String, member: &'static str, most: usize| {
            let printable = !text.chars().any(char::is_control);
            let fits = printable && (1..=most).contains(&text.len());
            if fits { Ok(text) } else { Err(DescriptionError::Text { member }) }
        };
        let url = |text: String, member: &'static str| one_line(text, member, MAX_URL);
        if let Some(notice) = &notice {
            let printable = notice.chars().all(|c| c == '\n' || !c.is_control());
            if !printable || !(1..=MAX_NOTICE).contains(&notice.len()) {
                return Err(DescriptionError::Text { member: "notice" });
            }
        }
        Ok(Self {
            name: one_line(name, "name", MAX_NAME)?,
            client_id: one_line(client_id, "clientId", MAX_NAME)?,
            notice,
            faces: Faces {
                ca: url(ca, "faces.ca")?,
                log: url(log, "faces.log")?,
                ct: url(ct, "faces.ct")?,
                tsa: url(tsa, "faces.tsa")?,
                oidc: oidc.map(|oidc| url(oidc, "faces.oidc")).transpose()?,
                tuf: url(tuf, "faces.tuf")?,
            },
        })
    }

    /// Writes it.
    #[must_use]
    pub fn to_json(&self) -> String {
        let Self { name, client_id, notice, faces } = self.clone();
        let Faces { ca, log, ct, tsa, oidc, tuf } = faces;
        crate::bundle::wire::to_json(&Wire {
            media_type: MEDIA_TYPE.to_owned(),
            name,
            client_id,
            notice,
            faces: WireFaces { ca, log, ct, tsa, oidc, tuf },
        })
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    media_type: String,
    name: String,
    client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notice: Option<String>,
    faces: WireFaces,
}

#[derive(Deserialize, Serialize)]
struct WireFaces {
    ca: String,
    log: String,
    ct: String,
    tsa: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    oidc: Option<String>,
    tuf: String,
}

/// The media type of version 1.
pub const MEDIA_TYPE: &str = "application/vnd.paraph.instance.v1+json";

/// The name of the file, and of the TUF target.
pub const FILE_NAME: &str = "paraph_instance.v1.json";

const MAX_BYTES: usize = 64 * 1024;
const MAX_NAME: usize = 256;
const MAX_URL: usize = 2048;
const MAX_NOTICE: usize = 16 * 1024;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn description() -> InstanceDescription {
        InstanceDescription {
            name: "Example".into(),
            client_id: "sigstore".into(),
            notice: Some("Signatures\nare public.".into()),
            faces: Faces {
                ca: "https://ca.example.com".into(),
                log: "https://log.example.com".into(),
                ct: "https://ct.example.com".into(),
                tsa: "https://tsa.example.com/api/v1/timestamp".into(),
                oidc: Some("https://ca.example.com/oidc".into()),
                tuf: "https://ca.example.com/tuf".into(),
            },
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut whole = description();
        assert_eq!(InstanceDescription::from_json(whole.to_json().as_bytes()), Ok(whole.clone()));
        whole.notice = None;
        whole.faces.oidc = None;
        assert_eq!(InstanceDescription::from_json(whole.to_json().as_bytes()), Ok(whole));
    }

    #[test]
    fn unknown_members_are_passed_over_and_unknown_versions_are_not() {
        let json = description().to_json();
        let more = json.replacen('{', "{\"later\":1,", 1);
        assert_eq!(InstanceDescription::from_json(more.as_bytes()), Ok(description()));
        let other = json.replace(".v1+json", ".v2+json");
        assert_eq!(
            InstanceDescription::from_json(other.as_bytes()),
            Err(DescriptionError::UnknownMediaType {
                found: "application/vnd.paraph.instance.v2+json".into()
            })
        );
    }

    #[test]
    fn text_is_printable_and_bounded() {
        for (member, change) in [
            (
                "name",
                Box::new(|d: &mut InstanceDescription| d.name = "a\u{1b}[2J".into()) as Change,
            ),
            ("name", Box::new(|d| d.name = String::new())),
            ("clientId", Box::new(|d| d.client_id = "x".repeat(MAX_NAME + 1))),
            ("notice", Box::new(|d| d.notice = Some("a\r".into()))),
            ("faces.ca", Box::new(|d| d.faces.ca = "https://h/\n".into())),
            ("faces.oidc", Box::new(|d| d.faces.oidc = Some(String::new()))),
        ] {
            let mut changed = description();
            change(&mut changed);
            let refused = InstanceDescription::from_json(changed.to_json().as_bytes());
            assert_eq!(refused, Err(DescriptionError::Text { member }));
        }
    }

    type Change = Box<dyn Fn(&mut InstanceDescription)>;
}
