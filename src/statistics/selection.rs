//! Which sessions and rows a reader wants: plain data, from which an engine's filter is made as often as needed.
//!
//! A statistic asks several queries with more or less of the same filter, and the engine's filter holds closures;
//! so what was asked for is kept here as data.

use hitstone_engine::event::Pairs;
use hitstone_engine::query::{EventTest, Filter, Occurrence, PairsTest, TextTest};
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

    /// The one text that is wanted, when it is one; there may be unwanted ones besides.
    pub fn one_wanted(&self) -> Option<&str> {
        match self.any.as_slice() {
            [TextIs::Exactly(text)] if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    fn test(&self) -> TextTest {
        if let Some(texts) = exactly(&self.any)
            && self.none.is_empty()
        {
            return TextTest::one_of(texts);
        }
        let texts = self.clone();
        TextTest::named(format!("{texts:?}"), move |text| texts.holds(text))
    }
}

/// Conditions on the tags or the metadata of a row; all must hold.
#[derive(Debug, Clone)]
pub enum PairIs {
    /// One of the keys is wanted (if there are any wanted ones), and none is unwanted. The absent key stands for
    /// "no key at all".
    Keys(Texts),
    /// The value of the key passes; a missing key compares as the empty text.
    Value(String, Texts),
}

impl PairIs {
    fn holds(&self, pairs: Pairs<'_>) -> bool {
        match self {
            Self::Value(key, texts) => texts.holds(pairs.get(key).unwrap_or_default()),
            Self::Keys(texts) => {
                let occurs = |is: &TextIs| {
                    if is.is_absent() {
                        pairs.0.is_empty()
                    } else {
                        pairs.iter().any(|pair| is.holds(pair.0))
                    }
                };
                (texts.any.is_empty() || texts.any.iter().any(occurs)) && !texts.none.iter().any(occurs)
            }
        }
    }

    fn test(&self) -> PairsTest {
        let is = self.clone();
        PairsTest::named(format!("{is:?}"), move |pairs| is.holds(pairs))
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
    /// The events select sessions only, also in statistics over events.
    pub events_select_sessions: bool,
    /// What these want is wanted as well.
    pub and: Vec<Selection>,
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
            && self.and.iter().all(Self::is_empty)
    }

    /// Whether sessions are selected by their events.
    pub fn has_event(&self) -> bool {
        !self.event.is_empty() || !self.meta.is_empty() || self.and.iter().any(Self::has_event)
    }

    /// Whether sessions are selected by an event that happened in them.
    pub fn has_wanted_event(&self) -> bool {
        self.event.any.iter().any(|is| !is.is_absent())
            || self.event.none.iter().any(TextIs::is_absent)
            || !self.meta.is_empty()
            || self.and.iter().any(Self::has_wanted_event)
    }

    /// Whether rows are selected, not sessions.
    pub fn selects_rows(&self) -> bool {
        !(self.path.is_empty() && self.pattern.is_empty() && self.hostname.is_empty() && self.tags.is_empty())
            || self.and.iter().any(Self::selects_rows)
    }

    /// The same without what selects pages: path, pattern and tags.
    pub fn of_any_page(&self) -> Self {
        let (path, pattern) = Default::default();
        let and = self.and.iter().map(Self::of_any_page).collect();
        Self { path, pattern, tags: Vec::new(), and, ..self.clone() }
    }

    /// The same without entry and exit path.
    pub fn of_any_ends(&self) -> Self {
        let (entry_path, exit_path) = Default::default();
        let and = self.and.iter().map(Self::of_any_ends).collect();
        Self { entry_path, exit_path, and, ..self.clone() }
    }

    /// The one tag that is wanted, when it is one.
    pub fn one_tag(&self) -> Option<&str> {
        let mut keys = self.tags.iter().filter_map(|is| match is {
            PairIs::Keys(texts) => Some(texts),
            PairIs::Value(..) => None,
        });
        let key = keys.next()?.one_wanted();
        if keys.next().is_some() { None } else { key }
    }

    /// The engine's filter.
    pub fn filter(&self) -> Filter {
        let mut filter = Filter::default();
        self.add_to(&mut filter);
        filter
    }

    fn add_to(&self, filter: &mut Filter) {
        let given = |texts: &&Texts| !texts.is_empty();
        filter.attributes.extend(self.attributes.iter().map(|(column, texts)| (*column, texts.test())));
        let rows =
            [(Column::Path, &self.path), (Column::Path, &self.pattern), (Column::Hostname, &self.hostname)];
        let rows = rows.into_iter().filter(|(_, texts)| given(texts));
        filter.rows.extend(rows.map(|(column, texts)| (column, texts.test())));
        filter.tags.extend(self.tags.iter().map(PairIs::test));
        filter.events.extend(self.event_tests());
        for (place, texts) in
            [(&mut filter.entry_path, &self.entry_path), (&mut filter.exit_path, &self.exit_path)]
        {
            if !texts.is_empty() {
                *place = Some(both(place.take(), texts.test()));
            }
        }
        filter.session = filter.session.or(self.session);
        self.and.iter().for_each(|selection| selection.add_to(filter));
    }

    /// At most one test for an event that must have happened, one for events that must not, one for "no event".
    fn event_tests(&self) -> Vec<EventTest> {
        let named = |list: &[TextIs]| list.iter().filter(|is| !is.is_absent()).cloned().collect::<Vec<_>>();
        let (wanted, unwanted) = (named(&self.event.any), named(&self.event.none));
        let any_wanted = self.event.none.iter().any(TextIs::is_absent) || !self.meta.is_empty();
        let none_wanted = self.event.any.iter().any(TextIs::is_absent);
        let mut tests = Vec::new();
        let mut push = |names, meta, passes| {
            let selects_rows = !self.events_select_sessions;
            tests.push(EventTest { name: one_of(names), meta, passes, selects_rows });
        };
        if none_wanted && wanted.is_empty() {
            push(Vec::new(), Vec::new(), Occurrence::DidNot);
        }
        if !wanted.is_empty() || any_wanted {
            let passes =
                if none_wanted && !any_wanted { Occurrence::HappenedOrNoEvent } else { Occurrence::Happened };
            push(wanted, self.meta.iter().map(PairIs::test).collect(), passes);
        }
        if !unwanted.is_empty() {
            push(unwanted, Vec::new(), Occurrence::DidNot);
        }
        tests
    }
}

/// The texts of a list that names nothing but texts.
fn exactly(list: &[TextIs]) -> Option<Vec<String>> {
    let text = |is: &TextIs| match is {
        TextIs::Exactly(text) => Some(text.clone()),
        _ => None,
    };
    if list.is_empty() { None } else { list.iter().map(text).collect() }
}

fn both(first: Option<TextTest>, second: TextTest) -> TextTest {
    match first {
        Some(first) => TextTest::that(move |text| first.holds(text) && second.holds(text)),
        None => second,
    }
}

fn one_of(list: Vec<TextIs>) -> Option<TextTest> {
    if list.is_empty() {
        return None;
    }
    Some(Texts { any: list, none: Vec::new() }.test())
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
        let is = PairIs::Value("k".into(), Texts { any: vec![], none: vec![exactly("x")] });
        assert!(is.holds(Pairs("")) && is.holds(Pairs("1:k1:y")) && !is.holds(Pairs("1:k1:x")));
    }

    #[test]
    fn keys_are_looked_for() {
        let keys = |any: &[&str], none: &[&str]| {
            let texts = |list: &[&str]| list.iter().map(|key| exactly(key)).collect();
            PairIs::Keys(Texts { any: texts(any), none: texts(none) })
        };
        let (nothing, a, both) = (Pairs(""), Pairs("1:a0:"), Pairs("1:a0:1:b0:"));
        for (is, want) in [
            (keys(&["a"], &[]), [false, true, true]),
            (keys(&["b", "c"], &[]), [false, false, true]),
            (keys(&[], &["b"]), [true, true, false]),
            (keys(&["", "b"], &[]), [true, false, true]),
            (keys(&[], &[""]), [false, true, true]),
        ] {
            assert_eq!([nothing, a, both].map(|pairs| is.holds(pairs)), want, "{is:?}");
        }
    }

    #[test]
    fn events_become_tests() {
        use Occurrence::{DidNot, Happened, HappenedOrNoEvent};
        let tests = |any: &[&str], none: &[&str], meta: usize| {
            let texts = |list: &[&str]| list.iter().map(|name| exactly(name)).collect();
            let selection = Selection {
                event: Texts { any: texts(any), none: texts(none) },
                meta: (0..meta)
                    .map(|_| PairIs::Keys(Texts { any: vec![exactly("k")], none: vec![] }))
                    .collect(),
                ..Selection::default()
            };
            let of = |test: EventTest| {
                let names = test.name.map(|name| ["a", "b", "c"].map(|text| name.holds(text)));
                (names, test.meta.len(), test.passes)
            };
            selection.event_tests().into_iter().map(of).collect::<Vec<_>>()
        };
        let (no_event, a, ab) = ((None, 0, DidNot), [true, false, false], [true, true, false]);
        assert!(tests(&[], &[], 0).is_empty());
        assert_eq!(tests(&["a", "b"], &[], 1), [(Some(ab), 1, Happened)]);
        assert_eq!(tests(&[], &["a"], 0), [(Some(a), 0, DidNot)]);
        assert_eq!(tests(&[], &["a"], 1), [(None, 1, Happened), (Some(a), 0, DidNot)]);
        assert_eq!(tests(&[""], &[], 0), [no_event]);
        assert_eq!(tests(&[], &[""], 0), [(None, 0, Happened)]);
        assert_eq!(tests(&["a", ""], &[], 0), [(Some(a), 0, HappenedOrNoEvent)]);
        assert_eq!(tests(&["a", ""], &[], 1), [(Some(a), 1, Happened)]);
        assert_eq!(tests(&[""], &[], 1), [no_event, (None, 1, Happened)]);
    }
}
