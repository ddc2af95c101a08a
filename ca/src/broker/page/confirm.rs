//! The last question before a token: as whom, for what, and that it cannot be taken back.

use std::fmt::Write as _;

use super::{Escaped, Page, facts};

/// What the question names.
pub(in crate::broker) struct Confirm<'a> {
    pub(in crate::broker) action: &'a str,
    pub(in crate::broker) session: &'a str,
    pub(in crate::broker) provider: &'a str,
    pub(in crate::broker) login: Option<&'a str>,
    pub(in crate::broker) addresses: &'a [String],
    /// Which address is chosen unless the person picks another.
    pub(in crate::broker) preselected: Option<usize>,
    /// What else there is to know of who asks.
    pub(in crate::broker) facts: &'a [(&'static str, String)],
    /// Whether it is for a terminal somewhere else.
    pub(in crate::broker) is_device: bool,
    pub(in crate::broker) leads_to: Option<&'a str>,
    pub(in crate::broker) complaint: Option<&'a str>,
}

/// The question.
pub(in crate::broker) fn confirm(question: &Confirm<'_>) -> Page {
    let account = match question.login {
        Some(login) => format!("{} · {}", Escaped(question.provider), Escaped(login)),
        None => Escaped(question.provider).to_string(),
    };
    let (title, who) = match question.addresses {
        [only] if question.preselected.is_some() => (
            "Sign with this address?",
            format!(
                "<div class=\"who\"><strong>{only}</strong><span class=\"soft\">{account}</span>\
                 <input type=\"hidden\" name=\"email\" value=\"{only}\"></div>\n",
                only = Escaped(only)
            ),
        ),
        several => ("Sign with which address?", choices(several, question.preselected, &account)),
    };
    let alert = question.complaint.map_or(String::new(), |complaint| {
        format!("<p class=\"alert\" role=\"alert\">{}.</p>\n", Escaped(complaint))
    });
    let main = format!(
        "<h1>{title}</h1>\n{alert}\
         <form method=\"post\" action=\"{action}\">\n\
         <input type=\"hidden\" name=\"session\" value=\"{session}\">\n{who}\
         <p class=\"note\"><strong>It becomes public, and stays so.</strong> Every signature \
         carries this address in its certificate, and a log that anyone can read and nobody can \
         erase keeps it.</p>\n{facts}{warning}\
         <button class=\"button main\" type=\"submit\" name=\"answer\" value=\"continue\">Continue\
         </button>\n\
         <button class=\"button\" type=\"submit\" name=\"answer\" value=\"cancel\" \
         formnovalidate>Cancel</button>\n\
         </form>\n",
        action = Escaped(question.action),
        session = Escaped(question.session),
        facts = facts(question.facts),
        warning = if question.is_device { DEVICE_WARNING } else { "" },
    );
    Page::new(title, main).form(question.leads_to)
}

fn choices(addresses: &[String], preselected: Option<usize>, account: &str) -> String {
    let mut choices = format!("<fieldset>\n<legend>Verified addresses of {account}</legend>\n");
    for (at, address) in addresses.iter().enumerate() {
        let checked = if preselected == Some(at) { " checked" } else { "" };
        let address = Escaped(address);
        let _written = writeln!(
            choices,
            "<label class=\"pick\"><input type=\"radio\" name=\"email\" value=\"{address}\" \
             required{checked}> {address}</label>"
        );
    }
    choices.push_str("</fieldset>\n");
    choices
}

const DEVICE_WARNING: &str = "<p class=\"note\"><strong>Is that your own terminal?</strong> It will \
    sign as you. If somebody sent you the code, cancel.</p>\n";
