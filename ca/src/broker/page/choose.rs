//! Choosing how to sign in, and the form of the development issuer.

use std::fmt::Write as _;

use super::{Escaped, Page, facts};

/// A link to one way to sign in.
pub(in crate::broker) struct Way {
    pub(in crate::broker) href: String,
    pub(in crate::broker) name: String,
}

/// The ways to sign in, each a link: it leads to another site, which no form's policy could name.
pub(in crate::broker) fn choose(client: &str, ways: &[Way]) -> Page {
    let client = Escaped(client);
    let main = format!(
        "<h1>Sign in to sign</h1>\n\
         <p class=\"soft\">{client} asks who you are. Choose the account that others know you \
         by: its email address will be in the signature.</p>\n{}",
        list(ways)
    );
    Page::new("Sign in", main)
}

/// The same for a terminal whose code was typed, with what there is to know of it.
pub(in crate::broker) fn choose_for_device(known: &[(&'static str, String)], ways: &[Way]) -> Page {
    let main = format!(
        "<h1>Sign in for this terminal?</h1>\n\
         <p class=\"soft\">It will sign as you. Go on only if you have asked for it yourself, \
         just now.</p>\n{}{}",
        facts(known),
        list(ways)
    );
    Page::new("Sign in for a terminal", main)
}

/// Where the code of a terminal is typed.
pub(in crate::broker) fn type_code(action: &str, session: &str, complaint: Option<&str>) -> Page {
    let (action, session) = (Escaped(action), Escaped(session));
    let (alert, invalid) = complaint.map_or((String::new(), ""), |complaint| {
        let alert = format!(
            "<p class=\"alert\" id=\"problem\" role=\"alert\">{}.</p>\n",
            Escaped(complaint)
        );
        (alert, " aria-invalid=\"true\"")
    });
    let described = if complaint.is_some() { "help problem" } else { "help" };
    let main = format!(
        "<h1>Connect a terminal</h1>\n\
         <p class=\"soft\" id=\"help\">Type the code that your own terminal shows. If somebody \
         sent you a code, they want to sign as you: close this page.</p>\n{alert}\
         <form method=\"post\" action=\"{action}\">\n\
         <input type=\"hidden\" name=\"session\" value=\"{session}\">\n\
         <label for=\"code\">Code</label>\n\
         <input class=\"field code typed\" id=\"code\" name=\"user_code\" autocomplete=\"off\" \
         autocapitalize=\"characters\" spellcheck=\"false\" maxlength=\"16\" required autofocus \
         aria-describedby=\"{described}\"{invalid}>\n\
         <button class=\"button main\" type=\"submit\">Continue</button>\n\
         </form>\n"
    );
    Page::new("Connect a terminal", main).form(None)
}

/// The form of the development issuer.
pub(in crate::broker) fn development(
    action: &str,
    session: &str,
    leads_to: Option<&str>,
    client: &str,
    complaint: Option<&str>,
) -> Page {
    let (action, session, client) = (Escaped(action), Escaped(session), Escaped(client));
    let (alert, invalid) = match complaint {
        Some(complaint) => (
            format!(
                "<p class=\"alert\" id=\"problem\" role=\"alert\">That address is {}.</p>\n",
                Escaped(complaint)
            ),
            " aria-invalid=\"true\" aria-describedby=\"problem\"",
        ),
        None => (String::new(), ""),
    };
    let main = format!(
        "<h1>Development sign-in</h1>\n\
         <p class=\"soft\">Sign in to {client} as anybody. This instance believes every address \
         and exists on this machine only; here too, the address stays in a log.</p>\n{alert}\
         <form method=\"post\" action=\"{action}\">\n\
         <input type=\"hidden\" name=\"session\" value=\"{session}\">\n\
         <label for=\"email\">Email address</label>\n\
         <input class=\"field\" id=\"email\" name=\"email\" type=\"email\" autocomplete=\"email\" \
         required autofocus{invalid}>\n\
         <button class=\"button main\" type=\"submit\">Sign in</button>\n\
         </form>\n"
    );
    Page::new("Development sign-in", main).form(leads_to)
}

pub(super) fn list(ways: &[Way]) -> String {
    let mut list = String::from("<ul class=\"ways\">\n");
    for Way { href, name } in ways {
        let (href, name) = (Escaped(href), Escaped(name));
        // Writing to a string does not fail.
        let _written = writeln!(list, "<li><a class=\"button\" href=\"{href}\">{name}</a></li>");
    }
    list.push_str("</ul>\n");
    list
}
