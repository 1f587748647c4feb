//! Which sessions and rows a reader wants: plain data, from which an engine's filter is made as often as needed.
//!
//! A statistic asks several queries with more or less of the same filter, and the engine's filter holds closures;
//! so what was asked for is kept here as data.

use std::sync::Arc;

use hitstone_engine::query::{EventTest, Filter, MapTest, TextTest, ValueTest};
use hitstone_engine::schema::Column;
use hitstone_engine::units::{SessionId, VisitorId};
use regex::Regex;

/// One condition on a text. The empty text stands for "absent".
#[derive(Debug, Clone)]
pub enum TextIs {
    /// The text itself.
    Exactly(String),
    /// Contains this, whatever the case. Must be lower-case.
    Containing(String),
    /// Matches somewhere.
    Matching(Regex),
    /// Any but these.
    NoneOf(&'static [&'static str]),
}

impl TextIs {
    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Exactly(wanted) => text == wanted,
            Self::Containing(part) => text.to_lowercase().contains(part.as_str()),
            Self::Matching(pattern) => pattern.is_match(text),
            Self::NoneOf(texts) => !texts.contains(&text),
        }
    }

    fn is_absent(&self) -> bool {
        matches!(self, Self::Exactly(text) if text.is_empty())
    }
}

/// All conditions on one text: one of `any` must hold (if there are any), and none of `none`.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    /// One of these must hold.
    pub any: Vec<TextIs>,
    /// None of these may hold.
    pub none: Vec<TextIs>,
}

impl Texts {
    /// Whether every text passes.
    pub fn is_empty(&self) -> bool {
        self.any.is_empty() && self.none.is_empty()
    }

    /// Whether `text` passes.
    pub fn holds(&self, text: &str) -> bool {
        (self.any.is_empty() || self.any.iter().any(|is| is.holds(text)))
            && !self.none.iter().any(|is| is.holds(text))
    }

    /// The one text that passes, when the conditions say just that.
    pub fn exact(&self) -> Option<&str> {
        match (self.any.as_slice(), self.none.as_slice()) {
            ([TextIs::Exactly(text)], []) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    fn test(&self) -> TextTest {
        let texts = self.clone();
        Box::new(move |text| texts.holds(text))
    }

    /// A missing key compares as the empty text.
    fn value_test(&self) -> ValueTest {
        let texts = self.clone();
        Box::new(move |value| texts.holds(value.unwrap_or_default()))
    }
}

/// Conditions on the tags or the metadata of a row; all must hold.
#[derive(Debug, Clone)]
pub enum PairIs {
    /// The key is there (`true`) or is not.
    Key(String, bool),
    /// The value of the key passes; a missing key compares as the empty text.
    Value(String, Texts),
}

impl PairIs {
    fn test(&self) -> MapTest {
        match self {
            Self::Key(key, wanted) => {
                let wanted = *wanted;
                MapTest { key: key.clone(), test: Box::new(move |value| value.is_some() == wanted) }
            }
            Self::Value(key, texts) => MapTest { key: key.clone(), test: texts.value_test() },
        }
    }
}

/// Which sessions and rows a reader wants. The default is all of them.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Conditions on session attributes.
    pub attributes: Vec<(Column, Texts)>,
    /// On the path of the page.
    pub path: Texts,
    /// On the path of the page, as a pattern.
    pub pattern: Texts,
    /// On the host name of the page.
    pub hostname: Texts,
    /// On the path that the session began with.
    pub entry_path: Texts,
    /// On the path that the session ended with.
    pub exit_path: Texts,
    /// On the names of the session's events. The empty name stands for "no event".
    pub event: Texts,
    /// On the metadata of these events.
    pub meta: Vec<PairIs>,
    /// On the tags of the page view.
    pub tags: Vec<PairIs>,
    /// One session.
    pub session: Option<(VisitorId, SessionId)>,
}

impl Selection {
    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        let texts =
            [&self.path, &self.pattern, &self.hostname, &self.entry_path, &self.exit_path, &self.event];
        texts.iter().all(|texts| texts.is_empty())
            && self.attributes.is_empty()
            && self.meta.is_empty()
            && self.tags.is_empty()
            && self.session.is_none()
    }

    /// Whether sessions are selected by their events.
    pub fn has_event(&self) -> bool {
        !self.event.is_empty() || !self.meta.is_empty()
    }

    /// Whether rows are selected, not sessions.
    pub fn selects_rows(&self) -> bool {
        !(self.path.is_empty() && self.pattern.is_empty() && self.hostname.is_empty() && self.tags.is_empty())
    }

    /// The same without what selects pages: path, pattern and tags.
    pub fn of_any_page(&self) -> Self {
        let (path, pattern) = Default::default();
        Self { path, pattern, tags: Vec::new(), ..self.clone() }
    }

    /// The same without entry and exit path.
    pub fn of_any_ends(&self) -> Self {
        let (entry_path, exit_path) = Default::default();
        Self { entry_path, exit_path, ..self.clone() }
    }

    /// The engine's filter.
    pub fn filter(&self) -> Filter {
        let rows =
            [(Column::Path, &self.path), (Column::Path, &self.pattern), (Column::Hostname, &self.hostname)];
        let optional = |texts: &Texts| (!texts.is_empty()).then(|| texts.test());
        Filter {
            attributes: self.attributes.iter().map(|(column, texts)| (*column, texts.test())).collect(),
            entry_path: optional(&self.entry_path),
            exit_path: optional(&self.exit_path),
            events: self.event_tests(),
            rows: rows
                .iter()
                .filter(|(_, texts)| !texts.is_empty())
                .map(|(column, texts)| (*column, texts.test()))
                .collect(),
            tags: self.tags.iter().map(PairIs::test).collect(),
            session: self.session,
        }
    }

    /// One test for an event that must have happened, one for events that must not, one for "no event at all".
    fn event_tests(&self) -> Vec<EventTest> {
        let named = |list: &[TextIs]| list.iter().filter(|is| !is.is_absent()).cloned().collect::<Vec<_>>();
        let (wanted, unwanted) = (named(&self.event.any), named(&self.event.none));
        let any_wanted = self.event.none.iter().any(TextIs::is_absent);
        let none_wanted = self.event.any.iter().any(TextIs::is_absent);
        let mut tests = Vec::new();
        if !wanted.is_empty() || any_wanted || !self.meta.is_empty() {
            let meta = self.meta.iter().map(PairIs::test).collect();
            tests.push(EventTest { name: one_of(wanted), meta, negated: false });
        }
        if !unwanted.is_empty() {
            tests.push(EventTest { name: one_of(unwanted), meta: Vec::new(), negated: true });
        }
        if none_wanted {
            tests.push(EventTest { name: None, meta: Vec::new(), negated: true });
        }
        tests
    }
}

fn one_of(list: Vec<TextIs>) -> Option<TextTest> {
    if list.is_empty() {
        return None;
    }
    let list: Arc<[TextIs]> = list.into();
    Some(Box::new(move |text| list.iter().any(|is| is.holds(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exactly(text: &str) -> TextIs {
        TextIs::Exactly(text.into())
    }

    #[test]
    fn groups_of_conditions_are_combined() {
        let texts =
            Texts { any: vec![exactly("a"), TextIs::Containing("b".into())], none: vec![exactly("ab")] };
        for (text, want) in [("a", true), ("xBx", true), ("ab", false), ("", false), ("c", false)] {
            assert_eq!(texts.holds(text), want, "{text}");
        }
    }

    #[test]
    fn a_missing_key_compares_as_empty() {
        let test = PairIs::Value("k".into(), Texts { any: vec![], none: vec![exactly("x")] }).test();
        assert!((test.test)(None) && (test.test)(Some("y")) && !(test.test)(Some("x")));
        let key = PairIs::Key("k".into(), false).test();
        assert!((key.test)(None) && !(key.test)(Some("")));
    }

    #[test]
    fn events_become_tests() {
        let tests = |any: &[&str], none: &[&str], meta: usize| {
            let texts = |list: &[&str]| list.iter().map(|name| exactly(name)).collect();
            let selection = Selection {
                event: Texts { any: texts(any), none: texts(none) },
                meta: (0..meta).map(|_| PairIs::Key("k".into(), true)).collect(),
                ..Selection::default()
            };
            let of = |test: EventTest| {
                let names = test.name.map(|name| ["a", "b", "c"].map(&name));
                (names, test.meta.len(), test.negated)
            };
            selection.event_tests().into_iter().map(of).collect::<Vec<_>>()
        };
        assert!(tests(&[], &[], 0).is_empty());
        assert_eq!(tests(&["a", "b"], &[], 1), [(Some([true, true, false]), 1, false)]);
        assert_eq!(tests(&[], &["a"], 0), [(Some([true, false, false]), 0, true)]);
        assert_eq!(tests(&[], &["a"], 1), [(None, 1, false), (Some([true, false, false]), 0, true)]);
        assert_eq!(tests(&[""], &[], 0), [(None, 0, true)]);
        assert_eq!(tests(&[], &[""], 0), [(None, 0, false)]);
    }
}
