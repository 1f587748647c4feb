//! Tests of texts and of pairs.

use crate::event::Pairs;

type Holds = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// A test of one text. The empty text stands for "absent".
pub struct TextTest(Kind);

/// What is known of a test, so that it need not be put to every text.
enum Kind {
    OneOf(Vec<String>),
    That { name: Option<String>, holds: Holds },
}

impl TextTest {
    /// The text is one of these, which are looked up.
    pub fn one_of(texts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(Kind::OneOf(texts.into_iter().map(Into::into).collect()))
    }

    /// Something is true of the text.
    pub fn that(holds: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Kind::That { name: None, holds: Box::new(holds) })
    }

    /// Something with a name is true of the text: tests of one name say the same of every text, so what one said of a
    /// string need not be found out again by another.
    pub fn named(name: String, holds: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Kind::That { name: Some(name), holds: Box::new(holds) })
    }

    /// There is a text.
    pub fn present() -> Self {
        Self::named("present".to_owned(), |text| !text.is_empty())
    }

    /// Whether the text passes.
    pub fn holds(&self, text: &str) -> bool {
        match &self.0 {
            Kind::OneOf(texts) => texts.iter().any(|wanted| wanted == text),
            Kind::That { holds, .. } => holds(text),
        }
    }

    /// The texts of which it is one.
    pub(super) fn texts(&self) -> Option<&[String]> {
        match &self.0 {
            Kind::OneOf(texts) => Some(texts),
            Kind::That { .. } => None,
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.0 {
            Kind::OneOf(_) => None,
            Kind::That { name, .. } => name.as_deref(),
        }
    }
}

/// A test of the metadata or the tags of a row.
pub struct PairsTest {
    name: Option<String>,
    holds: Box<dyn Fn(Pairs<'_>) -> bool + Send + Sync>,
}

impl PairsTest {
    /// Something is true of the pairs.
    pub fn that(holds: impl Fn(Pairs<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self { name: None, holds: Box::new(holds) }
    }

    /// Something with a name is true of them: see [`TextTest::named`].
    pub fn named(name: String, holds: impl Fn(Pairs<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self { name: Some(name), ..Self::that(holds) }
    }

    /// Whether the pairs pass.
    pub fn holds(&self, pairs: Pairs<'_>) -> bool {
        (self.holds)(pairs)
    }

    /// A name for all of these tests together; `None` when one has none.
    pub(super) fn name_of_all(tests: &[Self]) -> Option<String> {
        // Lengths keep lists of names apart.
        let names = tests.iter().map(|test| test.name.as_ref().map(|name| format!("{}:{name}", name.len())));
        names.collect()
    }
}
