//! The person at the terminal, if there is one, and which way they can sign in.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use super::NobodyToAsk;
use super::environment::Environment;
use crate::cli::login::AuthFlow;

/// Who is to be asked, and told.
pub struct Person<'a> {
    /// The run's variables.
    pub environment: &'a Environment,
    /// Whether standard input and standard error are a terminal.
    pub terminal: bool,
}

/// A way to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// With a browser on this machine.
    Browser,
    /// With a code that is typed into one elsewhere.
    Device,
}

impl<'a> Person<'a> {
    /// Whoever started this process.
    #[must_use]
    pub fn at_this_process(environment: &'a Environment) -> Self {
        let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        Self { environment, terminal }
    }

    /// Whether there is somebody who can answer a question.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.terminal && !self.environment.is_on("CI")
    }

    /// The way to sign in: the one that was asked for by name (whoever does that is there), or
    /// else the browser where there is a display, and a code where there is none.
    ///
    /// # Errors
    /// [`NobodyToAsk`].
    pub fn way(&self, flow: Option<AuthFlow>) -> Result<Way, NobodyToAsk> {
        match flow {
            Some(AuthFlow::Normal) => Ok(Way::Browser),
            Some(AuthFlow::Device) => Ok(Way::Device),
            Some(AuthFlow::Token) => Err(NobodyToAsk::TokenOnly),
            None if self.environment.is_on("CI") => Err(NobodyToAsk::Ci),
            None if !self.terminal => Err(NobodyToAsk::NoTerminal),
            None if self.has_display() => Ok(Way::Browser),
            None => Ok(Way::Device),
        }
    }

    /// A browser that is started over SSH opens, if at all, where nobody sits.
    fn has_display(&self) -> bool {
        let is_set = |name| self.environment.get(name).is_some();
        if is_set("SSH_CONNECTION") || is_set("SSH_TTY") {
            return false;
        }
        cfg!(any(target_os = "macos", windows))
            || is_set("DISPLAY")
            || is_set("WAYLAND_DISPLAY")
            || is_set("BROWSER")
    }

    /// Tells them something.
    pub fn tell(&self, text: &str) {
        _ = io::stderr().write_all(text.as_bytes());
    }

    /// Asks a question that is answered by `y` or `yes`; anything else, and the end of input, is no.
    #[must_use]
    pub fn agrees(&self, question: &str) -> bool {
        self.tell(question);
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(
        terminal: bool,
        variables: &'static [&'static str],
        flow: Option<AuthFlow>,
    ) -> Result<Way, NobodyToAsk> {
        let environment =
            Environment::new(|name| variables.contains(&name).then(|| "1".to_owned()));
        Person { environment: &environment, terminal }.way(flow)
    }

    #[test]
    fn a_person_is_asked_where_they_sit() {
        assert_eq!(way(true, &["DISPLAY"], None), Ok(Way::Browser));
        assert_eq!(way(true, &["WAYLAND_DISPLAY"], None), Ok(Way::Browser));
        assert_eq!(way(true, &["DISPLAY", "SSH_CONNECTION"], None), Ok(Way::Device));
        assert_eq!(way(true, &["DISPLAY", "SSH_TTY"], None), Ok(Way::Device));
        #[cfg(target_os = "linux")]
        assert_eq!(way(true, &[], None), Ok(Way::Device));
    }

    #[test]
    fn nobody_is_asked_without_a_terminal_or_in_ci() {
        assert_eq!(way(false, &["DISPLAY"], None), Err(NobodyToAsk::NoTerminal));
        assert_eq!(way(true, &["DISPLAY", "CI"], None), Err(NobodyToAsk::Ci));
        assert_eq!(way(true, &["DISPLAY"], Some(AuthFlow::Token)), Err(NobodyToAsk::TokenOnly));
    }

    #[test]
    fn a_flow_that_was_named_is_taken() {
        assert_eq!(way(false, &[], Some(AuthFlow::Normal)), Ok(Way::Browser));
        assert_eq!(way(false, &["DISPLAY"], Some(AuthFlow::Device)), Ok(Way::Device));
    }
}
