use regex::{Regex, RegexBuilder};

use crate::error::PatternError;

/// A regular expression (the syntax of the `regex` crate, close to RE2) that must match the whole
/// of a text.
///
/// Peers match anywhere in the text, so that `https://github.com/org` also lets `org-evil` in.
/// Here the pattern is compiled alone first, so that no stray parenthesis can break out of the
/// anchoring, and then as `^(?:PATTERN)$`. Matching takes time linear in the text.
#[derive(Debug, Clone)]
pub struct WholePattern {
    part: Regex,
    whole: Regex,
}

impl WholePattern {
    /// Compiles a pattern of at most 4096 bytes.
    ///
    /// # Errors
    /// [`PatternError`]; in particular a pattern that matches the empty text or anything at all is
    /// refused, because a rule that everyone passes is no rule. See [`Self::anything`].
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        let compiled = Self::compile(pattern)?;
        if compiled.whole.is_match("") {
            return Err(PatternError::MatchesEmpty);
        }
        if UNLIKE.iter().all(|text| compiled.whole.is_match(text)) {
            return Err(PatternError::MatchesAnything);
        }
        Ok(compiled)
    }

    /// The pattern that every text passes, for a caller whose user asked for it in so many words.
    ///
    /// # Errors
    /// Never, unless the regular expression engine refuses `(?s).*`.
    pub fn anything() -> Result<Self, PatternError> {
        Self::compile("(?s).*")
    }

    /// The pattern as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.part.as_str()
    }

    pub(crate) fn matches_whole(&self, text: &str) -> bool {
        self.whole.is_match(text)
    }

    pub(crate) fn matches_part(&self, text: &str) -> bool {
        self.part.is_match(text)
    }

    fn compile(pattern: &str) -> Result<Self, PatternError> {
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(PatternError::TooLong(pattern.len()));
        }
        let part = build(pattern)?;
        let whole = build(&format!("^(?:{pattern})$"))?;
        Ok(Self { part, whole })
    }
}

fn build(pattern: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_COMPILED_BYTES)
        .nest_limit(MAX_NESTING)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
            other => PatternError::Syntax(other.to_string()),
        })
}

/// Texts that no honest pattern for identities, issuers or claims matches all of.
const UNLIKE: [&str; 4] = [
    "q",
    "https://unlike.invalid/a/b?c=d#e",
    "someone.else@unlike.invalid",
    "0 1\u{7f}~!{}\u{e9}\u{4e00}",
];

const MAX_PATTERN_BYTES: usize = 4096;
const MAX_COMPILED_BYTES: usize = 1 << 20;
const MAX_NESTING: u32 = 64;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refused(pattern: &str) -> PatternError {
        WholePattern::new(pattern).unwrap_err()
    }

    #[test]
    fn wildcards_need_consent() {
        for empty in ["", "^", "$", "^$", ".*", ".*?", "(.*)", "^.*$", "(?s).*", "a*", "|a"] {
            assert_eq!(refused(empty), PatternError::MatchesEmpty, "{empty}");
        }
        for all in [".+", "^.+$", "(?s).+", ".", ".+|x", "[^x]+", "..*"] {
            let found = WholePattern::new(all);
            if all == "." {
                assert!(found.is_ok(), "one character is a rule");
            } else {
                assert_eq!(found.unwrap_err(), PatternError::MatchesAnything, "{all}");
            }
        }
        assert!(WholePattern::new(".+@x[.]io").is_ok());
        assert!(WholePattern::new("https://github.com/.*").is_ok());
        assert!(WholePattern::anything().unwrap().matches_whole("a\nb"));
    }

    #[test]
    fn regexp_cost_bounded() {
        assert_eq!(refused(&"a".repeat(4097)), PatternError::TooLong(4097));
        assert!(WholePattern::new(&"a".repeat(4096)).is_ok());
        assert_eq!(refused("a{1000}{1000}"), PatternError::TooLarge);
        let pattern = WholePattern::new("(a+)+b").unwrap();
        assert!(!pattern.matches_whole(&"a".repeat(1 << 20)));
    }

    #[test]
    fn pattern_stands_alone_before_it_is_anchored() {
        assert!(matches!(refused("a)|(?:b"), PatternError::Syntax(_)));
        assert!(matches!(refused("("), PatternError::Syntax(_)));
        // In the verbose form a comment would swallow the closing anchor.
        assert!(matches!(refused("(?x)a # b"), PatternError::Syntax(_)));
        assert!(WholePattern::new("(?i)dev@x[.]io").unwrap().matches_whole("DEV@X.IO"));
    }
}
