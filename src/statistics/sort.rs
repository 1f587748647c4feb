//! In which order the lines of a list come, and which of them are searched for.

use std::cmp::Ordering;
use std::sync::Arc;

use hitstone_engine::query::{GroupTest, Metrics, Order, Rank};

use super::Line;
use super::numbers::share;

/// What lines are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum SortBy {
    Visitors,
    Views,
    Sessions,
    Bounces,
    BounceRate,
    Entries,
    /// The average in seconds.
    Seconds,
    CustomTotal,
    CustomAverage,
    /// A text of the line.
    Key(usize),
    /// All lines are alike.
    Nothing,
}

/// An order of lines; lines that it finds alike are ordered by their texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub by: SortBy,
    /// The least first.
    pub ascending: bool,
}

impl SortBy {
    /// Whether the least comes first unless told otherwise: texts do, numbers do not.
    pub fn is_ascending(self) -> bool {
        matches!(self, Self::Key(_) | Self::Nothing)
    }
}

impl Sort {
    /// The order in the engine's terms, for a list whose lines the engine makes whole. `seconds` gives a line's
    /// average.
    pub fn order(self, seconds: fn(&Metrics) -> f64) -> Order {
        let rank = match self.by {
            SortBy::Key(key) => Rank::Key(key),
            SortBy::Visitors => Rank::Number(|metrics| metrics.visitors as f64),
            SortBy::Views => Rank::Number(|metrics| metrics.views as f64),
            SortBy::Sessions | SortBy::Entries => Rank::Number(|metrics| metrics.sessions as f64),
            SortBy::Bounces => Rank::Number(|metrics| metrics.bounces as f64),
            SortBy::BounceRate => Rank::Number(|metrics| share(metrics.bounces, metrics.sessions)),
            SortBy::Seconds => Rank::Number(seconds),
            SortBy::CustomTotal | SortBy::CustomAverage | SortBy::Nothing => Rank::Number(|_| 0.0),
        };
        Order { rank, ascending: self.ascending }
    }

    /// The same order of groups that lack the first text of their lines, which is equal in all of them.
    pub fn without_first_key(self) -> Self {
        let by = match self.by {
            SortBy::Key(0) => SortBy::Nothing,
            SortBy::Key(key) => SortBy::Key(key - 1),
            by => by,
        };
        Self { by, ..self }
    }

    /// Puts finished lines in order.
    pub fn lines(self, lines: &mut [Line]) {
        lines.sort_by(|a, b| self.compare(a, b).then_with(|| a.keys.cmp(&b.keys)));
    }

    fn compare(self, a: &Line, b: &Line) -> Ordering {
        let order = match self.by {
            SortBy::Key(key) => a.keys.get(key).cmp(&b.keys.get(key)),
            SortBy::Visitors => a.metrics.visitors.cmp(&b.metrics.visitors),
            SortBy::Views => a.metrics.views.cmp(&b.metrics.views),
            SortBy::Sessions => a.metrics.sessions.cmp(&b.metrics.sessions),
            SortBy::Bounces => a.metrics.bounces.cmp(&b.metrics.bounces),
            SortBy::BounceRate => {
                let rate = |line: &Line| share(line.metrics.bounces, line.metrics.sessions);
                rate(a).total_cmp(&rate(b))
            }
            SortBy::Entries => a.entries.cmp(&b.entries),
            SortBy::Seconds => a.seconds.cmp(&b.seconds),
            SortBy::CustomTotal => a.custom.total().total_cmp(&b.custom.total()),
            SortBy::CustomAverage => a.custom.average().total_cmp(&b.custom.average()),
            SortBy::Nothing => Ordering::Equal,
        };
        if self.ascending { order } else { order.reverse() }
    }
}

/// Picks groups by their texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    negated: bool,
    wanted: Wanted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    /// Lower-case parts, with any text between them; in each part `_` stands for any one character.
    Parts(Vec<String>),
    /// One of these.
    Codes(Vec<String>),
}

impl Search {
    /// A part of a text, whatever the case: `%` stands for any text, `_` for any character; after `!` what does not
    /// have that part.
    pub fn text(text: &str) -> Self {
        let (negated, text) = negation(text);
        let parts = text.to_lowercase().split('%').map(str::to_owned).collect();
        Self { negated, wanted: Wanted::Parts(parts) }
    }

    /// Codes with commas between them; after `!` none of them.
    pub fn codes(text: &str) -> Self {
        let (negated, text) = negation(text);
        let codes = text.split(',').map(|code| code.trim().to_lowercase());
        Self { negated, wanted: Wanted::Codes(codes.filter(|code| !code.is_empty()).collect()) }
    }

    /// Whether one of the texts (after `!`: none of them) is wanted.
    pub fn holds(&self, texts: &[&str]) -> bool {
        let is_wanted = |text: &&str| match &self.wanted {
            Wanted::Parts(parts) => contains_all(&text.to_lowercase(), parts),
            Wanted::Codes(codes) => codes.iter().any(|code| code == text),
        };
        texts.iter().any(is_wanted) != self.negated
    }

    /// The test of a group's first texts.
    pub fn test(self: &Arc<Self>, text_count: usize) -> GroupTest {
        let search = Arc::clone(self);
        Box::new(move |texts| search.holds(texts.get(..text_count).unwrap_or(texts)))
    }
}

fn negation(text: &str) -> (bool, &str) {
    match text.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, text),
    }
}

/// Whether the parts occur one after the other. Taking each at its first place is enough.
fn contains_all(text: &str, parts: &[String]) -> bool {
    let mut rest = text;
    parts.iter().all(|part| match find(rest, part) {
        Some(after) => {
            rest = after;
            true
        }
        None => false,
    })
}

/// What follows the first place where `part` matches.
fn find<'a>(text: &'a str, part: &str) -> Option<&'a str> {
    if !part.contains('_') {
        return text.find(part).and_then(|at| text.get(at + part.len()..));
    }
    let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    starts.into_iter().find_map(|at| {
        let mut rest = text.get(at..)?.chars();
        let matches = part.chars().all(|wanted| rest.next().is_some_and(|c| wanted == '_' || wanted == c));
        matches.then_some(rest.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found() {
        for (search, text, want) in [
            ("BLOG", "/my-Blog/", true),
            ("blog", "/shop", false),
            ("!blog", "/shop", true),
            ("!blog", "/blog", false),
            ("a%c", "xabcx", true),
            ("a%c", "ca", false),
            ("a_c", "xa\u{e9}c", true),
            ("a_c", "ac", false),
            ("_", "", false),
            ("%", "", true),
            ("a_a", "abab aca", true),
            ("ÄÖ", "xäöx", true),
        ] {
            assert_eq!(Search::text(search).holds(&[text]), want, "{search} in {text}");
        }
        assert!(Search::text("b").holds(&["a", "b"]) && !Search::text("!b").holds(&["a", "b"]));
    }

    #[test]
    fn codes_are_whole() {
        let search = Search::codes(" DE, at,");
        assert!(
            search.holds(&["de"]) && search.holds(&["at"]) && !search.holds(&["d"]) && !search.holds(&[""])
        );
        assert!(!Search::codes("!de").holds(&["de"]) && Search::codes("!de").holds(&["fr"]));
    }
}
