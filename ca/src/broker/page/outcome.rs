//! How a sign-in ends on our own pages: a code to carry over, or what went wrong and what to do.

use std::fmt::Write as _;

use super::choose::{Way, list};
use super::{Escaped, Page};

/// The code of a client that no browser can reach.
pub(in crate::broker) fn code(address: &str, code: &str) -> Page {
    let main = format!(
        "<h1>Signed in</h1>\n\
         <p class=\"soft\">You are signed in as</p>\n\
         <div class=\"who\"><strong>{address}</strong></div>\n\
         <p id=\"what\">Copy this code into the terminal that asks for it. It works once, for five \
         minutes.</p>\n\
         <code class=\"code big\" id=\"code\" aria-describedby=\"what\">{code}</code>\n",
        address = Escaped(address),
        code = Escaped(code),
    );
    Page::new("Signed in", main)
}

/// A terminal has got its answer.
pub(in crate::broker) fn done(address: &str) -> Page {
    let main = format!(
        "<h1>Signed in</h1>\n\
         <p class=\"soft\">Your terminal may now sign as</p>\n\
         <div class=\"who\"><strong>{}</strong></div>\n\
         <p>Go back to it: you can close this page.</p>\n",
        Escaped(address)
    );
    Page::new("Signed in", main)
}

/// What went wrong, what to do about it, and other ways where there are some.
pub(in crate::broker) fn problem(what: &str, advice: &[&str], ways: &[Way]) -> Page {
    let mut main = format!(
        "<h1>This did not work</h1>\n<p class=\"alert\" role=\"alert\">{}.</p>\n",
        Escaped(what)
    );
    for line in advice {
        let _written = writeln!(main, "<p>{}</p>", Escaped(line));
    }
    if !ways.is_empty() {
        main.push_str(&list(ways));
    }
    Page::new("Not signed in", main)
}
