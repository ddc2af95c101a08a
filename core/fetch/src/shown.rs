//! Text from strangers, made safe to show.
//!
//! An identity in a certificate, or a message of a server, may hold control sequences that repaint
//! a terminal, bidirectional overrides that reorder a line, or letters that only look like others
//! (RUSTSEC-2025-0055 is the class). Shown text is printable ASCII, one line, and reversible.

use std::fmt::Write as _;

/// The text with everything but printable ASCII, and the backslash itself, written as an escape
/// (`\u{202e}`, `\n`, `\\`).
///
/// ```
/// assert_eq!(fetch::shown::shown("alice@example.com"), "alice@example.com");
/// assert_eq!(fetch::shown::shown("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
/// ```
#[must_use]
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(character),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Writing to a String cannot fail.
            other => _ = write!(out, "\\u{{{:x}}}", u32::from(other)),
        }
    }
    out
}

/// A whole message as one safe line: as [`shown`], but a backslash stays as it is, since what a
/// message quotes may have been escaped already.
#[must_use]
pub fn one_line(message: &str) -> String {
    shown(message).replace("\\\\", "\\")
}

/// At most `limit` characters of [`shown`] text, with `...` where it was cut.
#[must_use]
pub fn shown_at_most(text: &str, limit: usize) -> String {
    let mut characters = text.chars();
    let kept: String = characters.by_ref().take(limit).collect();
    let rest = if characters.next().is_some() { "..." } else { "" };
    format!("{}{rest}", shown(&kept))
}

/// JSON text with every character beyond ASCII written as `\uXXXX` (RFC 8259 section 7), which
/// changes no value: outside of strings JSON has none. What a program parses stays what was
/// found, and a person who looks at it sees no reordered line.
#[must_use]
pub fn ascii_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut units = [0; 2];
    for character in json.chars() {
        // DEL is the one control character that JSON does not ask to be escaped.
        if character.is_ascii() && character != '\u{7f}' {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut units) {
                _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_identity_is_escaped() {
        for (raw, safe) in [
            ("https://github.com/a/b@refs/heads/main", "https://github.com/a/b@refs/heads/main"),
            ("\u{1b}]0;owned\u{7}", "\\u{1b}]0;owned\\u{7}"),
            ("moc.\u{202e}elpmaxe", "moc.\\u{202e}elpmaxe"),
            ("a\nVerified", "a\\nVerified"),
            ("p\u{430}ypal", "p\\u{430}ypal"),
            ("back\\slash", "back\\\\slash"),
            ("\u{7f}\u{9b}31m", "\\u{7f}\\u{9b}31m"),
        ] {
            assert_eq!(shown(raw), safe);
        }
    }

    #[test]
    fn a_message_is_not_escaped_twice() {
        let message = format!("the signer is {}", shown("a\u{202e}b"));
        assert_eq!(one_line(&message), message);
        assert_eq!(one_line("two\nlines"), "two\\nlines");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(shown_at_most("abcdef", 6), "abcdef");
        assert_eq!(shown_at_most("abcdefg", 6), "abcdef...");
    }

    #[test]
    fn json_keeps_its_values() {
        assert_eq!(
            ascii_json("{\"a\":\"\u{202e}x\u{1f600}\u{7f}\"}"),
            "{\"a\":\"\\u202ex\\ud83d\\ude00\\u007f\"}"
        );
    }
}
