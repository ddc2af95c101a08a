//! Values of allow rules that hold `*`: any text within one path segment; and `**`: any text.
//!
//! A segment ends at `/`, so that `octo-org/*` is every repository of one owner and no more.

/// A value with at least one star, read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob(Vec<Part>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Character(char),
    /// `*`
    WithinSegment,
    /// `**`
    Anything,
}

impl Glob {
    /// Reads a value; `None` where three stars or more stand together, which say nothing that two
    /// do not.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = Vec::with_capacity(text.len());
        for character in text.chars() {
            match (character, parts.last()) {
                ('*', Some(Part::Anything)) => return None,
                ('*', Some(Part::WithinSegment)) => {
                    parts.pop();
                    parts.push(Part::Anything);
                }
                ('*', _) => parts.push(Part::WithinSegment),
                _ => parts.push(Part::Character(character)),
            }
        }
        Some(Self(parts))
    }

    /// True if it is the whole of `text`. Takes time in proportion to both lengths multiplied,
    /// whatever they hold: nothing is tried twice.
    pub(super) fn matches(&self, text: &str) -> bool {
        // reached[n]: the first n parts can be the whole of the text read so far.
        let mut reached = vec![false; self.0.len() + 1];
        reached[0] = true;
        self.pass_stars(&mut reached);
        for character in text.chars() {
            let mut next = vec![false; reached.len()];
            for (n, part) in self.0.iter().enumerate() {
                match part {
                    Part::Character(wanted) => next[n + 1] |= reached[n] && *wanted == character,
                    Part::WithinSegment => next[n + 1] |= reached[n + 1] && character != '/',
                    Part::Anything => next[n + 1] |= reached[n + 1],
                }
            }
            self.pass_stars(&mut next);
            reached = next;
        }
        reached.last().is_some_and(|whole| *whole)
    }

    /// A star may be nothing.
    fn pass_stars(&self, reached: &mut [bool]) {
        for (n, part) in self.0.iter().enumerate() {
            if !matches!(part, Part::Character(_)) {
                reached[n + 1] |= reached[n];
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, read off it: slow, and with nothing in common with the matcher.
    fn oracle(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', '*', rest @ ..] => (0..=text.len()).any(|n| oracle(rest, &text[n..])),
            ['*', rest @ ..] => (0..=text.len())
                .take_while(|n| !text[..*n].contains(&'/'))
                .any(|n| oracle(rest, &text[n..])),
            [first, rest @ ..] => text.first() == Some(first) && oracle(rest, &text[1..]),
        }
    }

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn a_star_stays_in_its_segment() {
        for (pattern, text, matches) in [
            ("octo-org/*", "octo-org/app", true),
            ("octo-org/*", "octo-org/app/deeper", false),
            ("octo-org/*", "octo-org-evil/app", false),
            ("octo-org/*", "evil/octo-org/app", false),
            ("refs/heads/**", "refs/heads/fix/one", true),
            ("refs/heads/**", "refs/tags/v1", false),
            ("refs/tags/v*", "refs/tags/v1.2", true),
            ("refs/tags/v*", "refs/tags/V1.2", false),
            ("refs/tags/v*", "refs/tags/v1/x", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
        ] {
            assert_eq!(Glob::read(pattern).unwrap().matches(text), matches, "{pattern} {text}");
        }
        assert_eq!(Glob::read("a***"), None);
    }

    proptest! {
        #[test]
        fn matches_what_the_definition_says(
            pattern in "([ab/é]|\\*{1,2}){0,8}",
            text in "[ab/é]{0,10}",
        ) {
            if let Some(glob) = Glob::read(&pattern) {
                prop_assert_eq!(glob.matches(&text), oracle(&chars(&pattern), &chars(&text)));
            } else {
                prop_assert!(pattern.contains("***"));
            }
        }

        #[test]
        fn never_panics(pattern in "\\PC{0,40}", text in any::<String>()) {
            if let Some(glob) = Glob::read(&pattern) {
                glob.matches(&text);
            }
        }
    }

    #[test]
    fn many_stars_cost_no_more() {
        let glob = Glob::read(&"a*".repeat(100)).unwrap();
        assert!(!glob.matches(&format!("{}b", "/a".repeat(4000))));
    }
}
