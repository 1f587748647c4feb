//! The formats of Apache and nginx that are no JSON:
//!
//! ```text
//! common    ADDRESS IDENT USER [TIME] "REQUEST" STATUS BYTES
//! combined  common, then "REFERRER" "USER AGENT"
//! vhost     HOST:PORT, then combined
//! ```
//!
//! What comes after these fields is left alone. Within quotes `\xHH`, `\"`, `\\`, `\n` and their like are escapes.

use std::borrow::Cow;

use super::{Entry, Read, Request, present, time};

/// Reads a line of `combined` or `common`.
pub(super) fn combined(line: &[u8]) -> Read<'_> {
    read(line, Cow::Borrowed(""))
}

/// Reads a line of `vhost_combined`.
pub(super) fn vhost(line: &[u8]) -> Read<'_> {
    let (host, rest) = word(line).ok_or("the line has only one word")?;
    read(rest, present(String::from_utf8_lossy(host)))
}

fn read<'a>(line: &'a [u8], host: Cow<'a, str>) -> Read<'a> {
    let (address, rest) = word(line).ok_or("the line has only one word")?;
    // A user's name may have blanks.
    let bracket = rest.windows(2).position(|pair| pair == b" [").ok_or("there is no time in brackets")?;
    let rest = rest.get(bracket + 2..).unwrap_or_default();
    let bracket = rest.iter().position(|byte| *byte == b']').ok_or("the time's bracket is not closed")?;
    let (time, rest) = rest.split_at(bracket);
    let rest = rest.get(1..).unwrap_or_default();
    let (request, rest) = quoted(rest).ok_or("there is no request in quotes")?;
    let (status, rest) = word(rest).unwrap_or((rest.trim_ascii(), b""));
    let (_bytes, rest) = word(rest).unwrap_or((rest.trim_ascii(), b""));
    let (referrer, user_agent) = referrer_and_agent(rest)?;
    Ok(Some(Entry {
        time: std::str::from_utf8(time).ok().and_then(time::read),
        address: String::from_utf8_lossy(address),
        host,
        request: Request::of_line(&unescaped(request)),
        status: status_of(status),
        referrer,
        user_agent,
        ..Entry::default()
    }))
}

/// Both are absent in the common format.
fn referrer_and_agent(rest: &[u8]) -> Result<(Cow<'_, str>, Option<Cow<'_, str>>), &'static str> {
    if !rest.trim_ascii_start().starts_with(b"\"") {
        return Ok((Cow::Borrowed(""), None));
    }
    let (referrer, rest) = quoted(rest).ok_or("the referrer's quotes are not closed")?;
    let referrer = present(unescaped(referrer));
    if !rest.trim_ascii_start().starts_with(b"\"") {
        return Ok((referrer, None));
    }
    let (user_agent, _) = quoted(rest).ok_or("the user agent's quotes are not closed")?;
    Ok((referrer, Some(present(unescaped(user_agent)))))
}

/// Three digits at most, as JSON's numbers have to be too.
pub(super) fn status_of(text: &[u8]) -> Option<u16> {
    let is_status = (1..=3).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    is_status.then(|| text.iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0')))
}

/// The text up to the first blank, and what follows it.
fn word(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.trim_ascii_start();
    let end = line.iter().position(|byte| *byte == b' ')?;
    Some((line.get(..end)?, line.get(end..)?))
}

/// The text between quotes, escapes left as they are, and what follows. Old servers did not escape quotes: one that
/// neither a blank nor the line's end follows belongs to the text.
fn quoted(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = line.trim_ascii_start().strip_prefix(b"\"")?;
    let mut at = 0;
    while let Some(byte) = inside.get(at) {
        match byte {
            b'\\' => at += 1,
            b'"' if matches!(inside.get(at + 1), None | Some(b' ')) => {
                return Some((inside.get(..at)?, inside.get(at + 1..)?));
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn unescaped(text: &[u8]) -> Cow<'_, str> {
    if !text.contains(&b'\\') {
        return String::from_utf8_lossy(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, after) = if byte == b'\\' { escape(after) } else { (byte, after) };
        out.push(byte);
        rest = after;
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// The byte that an escape stands for, and what follows it; a backslash that begins none stands for itself.
fn escape(after: &[u8]) -> (u8, &[u8]) {
    match after {
        [b'x', high, low, rest @ ..] => match (hex(*high), hex(*low)) {
            (Some(high), Some(low)) => (high << 4 | low, rest),
            _ => (b'\\', after),
        },
        [byte @ (b'"' | b'\\'), rest @ ..] => (*byte, rest),
        [b'b', rest @ ..] => (0x08, rest),
        [b'f', rest @ ..] => (0x0c, rest),
        [b'n', rest @ ..] => (b'\n', rest),
        [b'r', rest @ ..] => (b'\r', rest),
        [b't', rest @ ..] => (b'\t', rest),
        [b'v', rest @ ..] => (0x0b, rest),
        _ => (b'\\', after),
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}
