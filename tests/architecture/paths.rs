//! Finds the paths that a source mentions, by a small reading of Rust: comments, texts, words, braces.

use std::collections::BTreeSet;

/// The paths below the crate's root (or `engine`) that a source mentions, outside its unit tests.
pub fn imports_of(text: &str, module: &[String]) -> BTreeSet<Vec<String>> {
    let code = without_tests(&strip(text));
    let tokens = tokens(&code);
    let mut found = BTreeSet::new();
    for (i, token) in tokens.iter().enumerate() {
        let starts_path = i == 0 || tokens[i - 1] != "::";
        let followed = tokens.get(i + 1).is_some_and(|next| next == "::");
        let base: Vec<String> = match token.as_str() {
            "crate" => Vec::new(),
            "hitstone_engine" => vec!["engine".to_string()],
            "hitstone" if module.first().is_some_and(|first| first == "main") => Vec::new(),
            "super" => module[..module.len().saturating_sub(1)].to_vec(),
            _ => continue,
        };
        if starts_path && followed {
            collect_paths(&tokens, i + 2, &base, &mut found);
        }
    }
    found
}

/// Follows `a::b`, `{a, b::c}` and `super::` from `at`; returns where the path ends.
fn collect_paths(
    tokens: &[String],
    mut at: usize,
    base: &[String],
    found: &mut BTreeSet<Vec<String>>,
) -> usize {
    let mut path = base.to_vec();
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = collect_paths(tokens, at, &path, found);
                    while tokens.get(at).is_some_and(|token| token != "," && token != "}") {
                        at += 1;
                    }
                    at += usize::from(tokens.get(at).is_some_and(|token| token == ","));
                }
                return at + 1;
            }
            "super" => {
                path.pop();
            }
            "self" | "*" => {}
            word if word.chars().all(|c| c.is_alphanumeric() || c == '_') => path.push(word.to_string()),
            _ => break,
        }
        at += 1;
        if tokens.get(at).is_none_or(|token| token != "::") {
            break;
        }
        at += 1;
    }
    found.insert(path);
    at
}

fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        let mut token = c.to_string();
        if c.is_alphanumeric() || c == '_' {
            while let Some(next) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                token.push(next);
            }
        } else if c == ':' && chars.next_if_eq(&':').is_some() {
            token.push(':');
        } else if c.is_whitespace() {
            continue;
        }
        tokens.push(token);
    }
    tokens
}

/// Takes out `#[cfg(test)] mod ... { ... }`.
fn without_tests(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let body = after.find(['{', ';']).unwrap_or(after.len() - 1);
        rest = if after[body..].starts_with(';') {
            &after[body + 1..]
        } else {
            &after[body + block_length(&after[body..])..]
        };
    }
    out + rest
}

/// Length of the block that `code` begins with.
fn block_length(code: &str) -> usize {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// Takes out comments and what stands in quotes.
pub fn strip(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment_length(rest)
        } else if c == '"' {
            quoted_length(rest)
        } else if let Some(length) = raw_text_length(rest) {
            length
        } else if let Some(length) = character_length(rest) {
            length
        } else {
            // A whole word at once, so that the `r` of `for"` does not begin a raw text.
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = word.max(c.len_utf8());
            out.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        };
        out.push(' ');
        rest = &rest[length..];
    }
    out
}

fn block_comment_length(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn quoted_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `r"..."`, `br#"..."#` and the like.
fn raw_text_length(text: &str) -> Option<usize> {
    let start = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = start.len() - start.trim_start_matches('#').len();
    let body = start[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(text.len() - body.len() + length)
}

/// `'x'`, `'\n'`, `'\u{7f}'`; a lifetime is none.
fn character_length(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'')?;
    if let Some(escape) = body.strip_prefix('\\') {
        let skip = escape.chars().next().map_or(0, char::len_utf8);
        return Some(2 + skip + escape[skip..].find('\'')? + 1);
    }
    let c = body.chars().next()?;
    body[c.len_utf8()..].starts_with('\'').then(|| 2 + c.len_utf8())
}

/// The finder of imports must find them.
#[test]
fn imports_are_found() {
    let text = r#"
        //! use crate::comment;
        use crate::plain::Thing;
        use crate::{one, two::{Deep, deeper::Er}, three as four};
        pub(crate) use super::sibling::X;
        fn f() { crate::inline::call("crate::text", 'x', b'\''); let _ = "\" crate::escaped"; }
        /* crate::block /* crate::nested */ crate::still */
        use hitstone_engine::{event::Event, store};
        #[cfg(test)]
        mod tests { use crate::only_in_tests; fn g() { if true {} } }
        fn h() { crate::after::x() }
    "#;
    let found = imports_of(text, &["folder".into(), "file".into()]);
    let found: Vec<String> = found.into_iter().map(|path| path.join("::")).collect();
    let wanted = [
        "after::x",
        "engine::event::Event",
        "engine::store",
        "folder::sibling::X",
        "inline::call",
        "one",
        "plain::Thing",
        "three",
        "two::Deep",
        "two::deeper::Er",
    ];
    assert_eq!(found, wanted);
}
