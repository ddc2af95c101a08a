//! Text from a stranger's file, made into TOML.

/// A TOML basic string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Text for a comment or a message: on one line, without what moves a terminal's cursor.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A table as a comment, with the decision that it waits for.
pub(super) fn commented(table: &str, decision: &str) -> String {
    let lines: String = table.trim_end().lines().map(|line| format!("# {line}\n")).collect();
    format!("# {decision}\n{lines}\n")
}
