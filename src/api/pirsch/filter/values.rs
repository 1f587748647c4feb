//! The forms that a value may take: `x`, `!x`, `~x`, `^x`, `null`, `!null`.

use crate::pattern;
use crate::statistics::platforms;
use crate::statistics::selection::{TextIs, Texts};

/// Patterns in one request.
const PATTERNS_MAX: usize = 10;

/// The class that stands for every one above XL, and these.
const SCREEN_XXL: &[&str] = &["XXL", "HD", "Full HD", "WQHD", "UHD 4K", "UHD 5K"];

/// How the words of a parameter are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    /// As they stand.
    Plain,
    /// Codes in lower case; `~` and `^` take a list with commas.
    Code,
    /// `desktop`, `mobile`; every other word is unknown.
    Platform,
    /// Screen classes.
    Screen,
}

/// One value, taken apart.
enum Form<'a> {
    Is(&'a str),
    IsNot(&'a str),
    Contains(&'a str),
    Lacks(&'a str),
}

fn form(value: &str) -> Form<'_> {
    let absent = |text: &'_ str| text.eq_ignore_ascii_case("null");
    if let Some(text) = value.strip_prefix('!') {
        Form::IsNot(if absent(text) { "" } else { text })
    } else if let Some(text) = value.strip_prefix('~') {
        Form::Contains(text)
    } else if let Some(text) = value.strip_prefix('^') {
        Form::Lacks(text)
    } else {
        Form::Is(if absent(value) { "" } else { value })
    }
}

/// The conditions that the values of one parameter make: one of the positive ones, and none of the others.
pub(super) fn texts(values: &[String], words: Words) -> Texts {
    let mut texts = Texts::default();
    for value in values {
        match form(value) {
            Form::Is(text) => texts.any.extend(exact(text, words)),
            Form::IsNot(text) => texts.none.extend(exact(text, words)),
            Form::Contains("") | Form::Lacks("") => {}
            Form::Contains(text) => texts.any.extend(partial(text, words)),
            Form::Lacks(text) => texts.none.extend(partial(text, words)),
        }
    }
    texts
}

fn exact(text: &str, words: Words) -> Vec<TextIs> {
    let exactly = |text: &str| TextIs::Exactly(text.to_owned());
    match words {
        Words::Plain => vec![exactly(text)],
        Words::Code => vec![TextIs::Exactly(text.to_lowercase())],
        Words::Platform if platforms::KNOWN.contains(&text) => vec![exactly(text)],
        Words::Platform => vec![TextIs::NoneOf(platforms::KNOWN)],
        Words::Screen if text == "XXL" => SCREEN_XXL.iter().map(|class| exactly(class)).collect(),
        Words::Screen => vec![exactly(text)],
    }
}

fn partial(text: &str, words: Words) -> Vec<TextIs> {
    match words {
        Words::Code => {
            let codes = text.split(',').map(str::trim).filter(|code| !code.is_empty());
            codes.map(|code| TextIs::Exactly(code.to_lowercase())).collect()
        }
        _ => vec![TextIs::Containing(text.to_lowercase())],
    }
}

/// The conditions that patterns make: one must match, and none of those after `!`.
pub(super) fn patterns(values: &[String]) -> Result<Texts, String> {
    if values.len() > PATTERNS_MAX {
        return Err(format!("more than {PATTERNS_MAX} patterns"));
    }
    let mut texts = Texts::default();
    for value in values {
        let (list, text) = match value.strip_prefix('!') {
            Some(text) => (&mut texts.none, text),
            None => (&mut texts.any, value.as_str()),
        };
        list.push(TextIs::Matching(pattern::compile(text)?));
    }
    Ok(texts)
}
