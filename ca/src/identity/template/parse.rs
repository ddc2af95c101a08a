//! Template text to parts.

use super::{Operand, Part, TemplateFault};

/// Parses a whole template. A text without `{{` names a claim; the empty text is empty.
pub(super) fn template(text: &str) -> Result<Vec<Part>, TemplateFault> {
    if !text.contains("{{") {
        let bare = (!text.is_empty()).then(|| Part::Value(Operand::Field(text.to_owned())));
        return Ok(bare.into_iter().collect());
    }
    let mut pieces = pieces(text)?.into_iter();
    match sequence(&mut pieces, 0)? {
        (parts, Ended::Text) => Ok(parts),
        (_, Ended::Else) => Err(TemplateFault::Stray { word: "else" }),
        (_, Ended::End) => Err(TemplateFault::Stray { word: "end" }),
    }
}

enum Piece<'t> {
    Text(&'t str),
    Action(&'t str),
}

/// How a run of parts ended.
#[derive(PartialEq, Eq)]
enum Ended {
    Text,
    Else,
    End,
}

fn pieces(mut text: &str) -> Result<Vec<Piece<'_>>, TemplateFault> {
    let mut pieces = Vec::new();
    while let Some((before, rest)) = text.split_once("{{") {
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        let (action, after) = rest.split_once("}}").ok_or(TemplateFault::Unclosed)?;
        pieces.push(Piece::Action(action));
        text = after;
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

fn sequence<'t>(
    pieces: &mut impl Iterator<Item = Piece<'t>>,
    depth: usize,
) -> Result<(Vec<Part>, Ended), TemplateFault> {
    if depth > MAX_DEPTH {
        return Err(TemplateFault::TooDeep { limit: MAX_DEPTH });
    }
    let mut parts = Vec::new();
    while let Some(piece) = pieces.next() {
        let action = match piece {
            Piece::Text(text) => {
                parts.push(Part::Text(text.to_owned()));
                continue;
            }
            Piece::Action(action) => action,
        };
        let unsupported = || TemplateFault::Action { action: action.to_owned() };
        let words = words(action).ok_or_else(unsupported)?;
        match words.as_slice() {
            [Word::Name("else")] => return Ok((parts, Ended::Else)),
            [Word::Name("end")] => return Ok((parts, Ended::End)),
            [Word::Name("if"), Word::Name("eq"), operands @ ..] => {
                let (left, rest) = operand(operands).ok_or_else(unsupported)?;
                let (right, rest) = operand(rest).ok_or_else(unsupported)?;
                if !rest.is_empty() {
                    return Err(unsupported());
                }
                let (equal, otherwise) = branches(pieces, depth)?;
                parts.push(Part::Choice { left, right, equal, otherwise });
            }
            [Word::Name("index"), Word::Dot, Word::Text(name)] => {
                parts.push(Part::Value(Operand::Index((*name).to_owned())));
            }
            value => match operand(value) {
                Some((value @ (Operand::Field(_) | Operand::Index(_)), [])) => {
                    parts.push(Part::Value(value));
                }
                Some(_) | None => return Err(unsupported()),
            },
        }
    }
    Ok((parts, Ended::Text))
}

fn branches<'t>(
    pieces: &mut impl Iterator<Item = Piece<'t>>,
    depth: usize,
) -> Result<(Vec<Part>, Vec<Part>), TemplateFault> {
    let (equal, ended) = sequence(pieces, depth + 1)?;
    let otherwise = match ended {
        Ended::End => return Ok((equal, Vec::new())),
        Ended::Text => return Err(TemplateFault::Unended),
        Ended::Else => sequence(pieces, depth + 1)?,
    };
    match otherwise {
        (otherwise, Ended::End) => Ok((equal, otherwise)),
        (_, Ended::Else) => Err(TemplateFault::Stray { word: "else" }),
        (_, Ended::Text) => Err(TemplateFault::Unended),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Word<'t> {
    Name(&'t str),
    Field(&'t str),
    Text(&'t str),
    Dot,
    Open,
    Close,
}

fn operand<'w, 't>(words: &'w [Word<'t>]) -> Option<(Operand, &'w [Word<'t>])> {
    match words {
        [Word::Field(name), rest @ ..] => Some((Operand::Field((*name).to_owned()), rest)),
        [Word::Text(text), rest @ ..] => Some((Operand::Literal((*text).to_owned()), rest)),
        [Word::Open, Word::Name("index"), Word::Dot, Word::Text(name), Word::Close, rest @ ..] => {
            Some((Operand::Index((*name).to_owned()), rest))
        }
        _ => None,
    }
}

/// The words of an action, or nothing where one is of no known kind.
fn words(action: &str) -> Option<Vec<Word<'_>>> {
    let mut words = Vec::new();
    let mut rest = action.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '(' => (Word::Open, rest.get(1..)?),
            ')' => (Word::Close, rest.get(1..)?),
            '"' => {
                let (text, after) = rest.get(1..)?.split_once('"')?;
                if text.contains('\\') {
                    return None;
                }
                (Word::Text(text), after)
            }
            '.' => {
                let (name, after) = identifier(rest.get(1..)?);
                (if name.is_empty() { Word::Dot } else { Word::Field(name) }, after)
            }
            _ => {
                let (name, after) = identifier(rest);
                if name.is_empty() {
                    return None;
                }
                (Word::Name(name), after)
            }
        };
        // `.a.b` is a field of a field in Go, and not two operands.
        let apart = after.is_empty()
            || after.starts_with([' ', '\t', '\n', ')'])
            || matches!(word, Word::Open);
        if !apart {
            return None;
        }
        words.push(word);
        rest = after.trim_start();
    }
    Some(words)
}

fn identifier(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    text.split_at(end)
}

const MAX_DEPTH: usize = 8;
