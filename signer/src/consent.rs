//! The instance's notice: what its operator wants a person to have read before their first
//! signature. Most instances have none. It is asked once, and never without a terminal.

use std::fs;
use std::path::{Path, PathBuf};

use fetch::shown::shown;
use formats::digest::HashAlgorithm;
use formats::instance::InstanceDescription;

use crate::error::UsageFault;
use crate::login::environment::Environment;
use crate::login::person::Person;

/// A notice that has not been confirmed.
#[derive(Debug)]
pub(crate) struct Notice<'a> {
    instance: &'a InstanceDescription,
    text: &'a str,
    /// Where its confirmation is remembered; none on a machine without such a place.
    mark: Option<PathBuf>,
}

impl<'a> Notice<'a> {
    /// The instance's notice, if it has one, unless it was confirmed before or `yes` does so now.
    ///
    /// # Errors
    /// [`UsageFault::NoticeUnread`] when there is nobody to ask.
    pub(crate) fn pending(
        instance: Option<&'a InstanceDescription>,
        yes: bool,
        person: &Person<'_>,
    ) -> Result<Option<Self>, UsageFault> {
        let Some(instance) = instance else { return Ok(None) };
        let Some(text) = instance.notice.as_deref() else { return Ok(None) };
        let mark = state_folder(person.environment).map(|folder| mark(&folder, instance, text));
        if yes || mark.as_deref().is_some_and(Path::exists) {
            return Ok(None);
        }
        if !person.is_there() {
            let notice = text.to_owned();
            return Err(UsageFault::NoticeUnread { instance: instance.name.clone(), notice });
        }
        Ok(Some(Self { instance, text, mark }))
    }

    /// Shows it, asks, and remembers a yes.
    ///
    /// # Errors
    /// [`UsageFault::NoticeDeclined`].
    pub(crate) fn confirm(self, person: &Person<'_>) -> Result<(), UsageFault> {
        let lines: String = self.text.lines().map(|line| format!("  {}\n", shown(line))).collect();
        let question = format!(
            "{} says:\n{lines}Do you agree? It is asked only once. [y/N] ",
            shown(&self.instance.name)
        );
        if !person.agrees(&question) {
            return Err(UsageFault::NoticeDeclined);
        }
        // On a system that cannot be written to it is asked again the next time.
        if let Some(mark) = self.mark {
            _ = mark.parent().map(fs::create_dir_all);
            _ = fs::write(mark, b"");
        }
        Ok(())
    }
}

/// An empty file, named after what was confirmed and of whom: another text is asked again.
fn mark(folder: &Path, instance: &InstanceDescription, text: &str) -> PathBuf {
    let confirmed = [&instance.name, &instance.faces.ca, text].join("\0");
    let digest = HashAlgorithm::Sha256.digest(confirmed.as_bytes()).to_string();
    folder.join("notices").join(digest.replace(':', "-"))
}

/// The XDG base directory specification, and what stands for it elsewhere.
fn state_folder(environment: &Environment) -> Option<PathBuf> {
    let path = |name| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = if cfg!(windows) {
        path("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        path("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        path("XDG_STATE_HOME").or_else(|| path("HOME").map(|home| home.join(".local/state")))
    };
    folder.map(|folder| folder.join("paraph"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use formats::instance::Faces;

    fn instance(notice: Option<&str>) -> InstanceDescription {
        InstanceDescription {
            name: "Example".into(),
            client_id: "sigstore".into(),
            notice: notice.map(str::to_owned),
            faces: Faces {
                ca: "https://ca.example".into(),
                log: "https://log.example".into(),
                ct: "https://ct.example".into(),
                tsa: "https://tsa.example/api/v1/timestamp".into(),
                oidc: None,
                tuf: "https://ca.example/tuf".into(),
            },
        }
    }

    #[test]
    fn no_notice_asks_nobody() {
        let environment = Environment::new(|_| None);
        let person = Person { environment: &environment, terminal: false };
        assert!(Notice::pending(None, false, &person).unwrap().is_none());
        assert!(Notice::pending(Some(&instance(None)), false, &person).unwrap().is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_notice_is_confirmed_once() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap().to_owned();
        let environment = Environment::new(move |name| (name == "HOME").then(|| home.clone()));
        let (here, gone) = (
            Person { environment: &environment, terminal: true },
            Person { environment: &environment, terminal: false },
        );
        let (one, two) = (instance(Some("One.")), instance(Some("Two.")));
        let unread = UsageFault::NoticeUnread { instance: "Example".into(), notice: "One.".into() };
        assert_eq!(Notice::pending(Some(&one), false, &gone).unwrap_err(), unread);
        assert!(Notice::pending(Some(&one), true, &gone).unwrap().is_none());
        // That was for once; it was not a person who read it.
        assert_eq!(Notice::pending(Some(&one), false, &gone).unwrap_err(), unread);

        let notice = Notice::pending(Some(&one), false, &here).unwrap().unwrap();
        let mark = notice.mark.unwrap();
        assert!(mark.starts_with(folder.path().join(".local/state/paraph/notices")));
        fs::create_dir_all(mark.parent().unwrap()).unwrap();
        fs::write(&mark, b"").unwrap();
        assert!(Notice::pending(Some(&one), false, &gone).unwrap().is_none());
        assert!(Notice::pending(Some(&two), false, &gone).is_err());
    }
}
