//! A world: a site with its settings and visits that are known exactly, and what one visit means.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use hitstone::goals::Goal;

/// Metadata or tags.
pub type Pairs = BTreeMap<String, String>;

pub const SITE_ID: &str = "some-site";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    View,
    Event,
    Ping,
}

/// A row of a visit. Texts that are absent are empty.
#[derive(Debug, Clone)]
pub struct Row {
    pub time: i64,
    pub kind: Kind,
    pub path: String,
    pub title: String,
    pub hostname: String,
    pub name: String,
    pub meta: Pairs,
    pub tags: Pairs,
    pub duration: Option<u32>,
    pub non_interactive: bool,
}

/// Who visits: someone whose id changes with each UTC day, or someone with an id that the site gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Person {
    Daily(u64),
    Given(u64),
}

/// One session.
#[derive(Debug, Clone)]
pub struct Visit {
    pub person: Person,
    pub visitor: u64,
    /// Known once the order of arrival is.
    pub id: u32,
    /// By the name of the query parameter.
    pub attributes: BTreeMap<&'static str, String>,
    /// In order of time.
    pub rows: Vec<Row>,
    /// The first row is a page view that nobody sent: the server makes it of the event that is the second row.
    pub opened_by_event: bool,
}

impl Visit {
    pub fn start(&self) -> i64 {
        self.rows[0].time
    }

    /// The last activity of any kind.
    pub fn last(&self) -> i64 {
        self.rows[self.rows.len() - 1].time
    }

    pub fn seconds(&self) -> i64 {
        whole_seconds(self.start(), self.last())
    }

    pub fn views(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.kind == Kind::View)
    }

    pub fn entry(&self) -> Option<&Row> {
        self.views().next()
    }

    pub fn exit(&self) -> Option<&Row> {
        self.entry()?;
        self.rows.iter().rev().find(|row| !row.path.is_empty())
    }

    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    pub fn bounced(&self) -> bool {
        let paths: BTreeSet<&str> = self.views().map(|row| row.path.as_str()).collect();
        let opening = usize::from(self.opened_by_event);
        let interactive = |(index, row): (usize, &Row)| {
            let excused = index == opening && !paths.is_empty();
            row.kind == Kind::Event && !row.non_interactive && !excused
        };
        paths.len() <= 1 && !self.rows.iter().enumerate().any(interactive)
    }

    /// Seconds until the next page view, an hour at most; 0 for the last.
    pub fn time_on_page(&self, index: usize) -> i64 {
        let next = self.rows[index + 1..].iter().find(|row| row.kind == Kind::View);
        next.map_or(0, |next| whole_seconds(self.rows[index].time, next.time).min(3600))
    }
}

/// Seconds between two moments, each cut to whole seconds.
pub fn whole_seconds(from: i64, to: i64) -> i64 {
    to.div_euclid(1000) - from.div_euclid(1000)
}

/// On which day the site's weeks start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Week {
    FromMonday,
    FromSunday,
}

/// A site with everything that happened on it.
#[derive(Debug, Clone)]
pub struct World {
    /// The site's number in the engine.
    pub number: u32,
    pub zone: &'static str,
    pub week: Week,
    pub group_by_title: bool,
    pub active_seconds: u32,
    pub goals: Vec<Goal>,
    pub now: i64,
    /// The date that everything happens around.
    pub base: jiff::civil::Date,
    pub visits: Vec<Visit>,
    /// In which order the rows arrive: visit by visit, one number a row that is sent.
    pub arrival: Vec<usize>,
    pub seal_rows: usize,
    pub batch_rows: usize,
}

impl World {
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.visits.iter().flat_map(|visit| &visit.rows)
    }

    /// The world without some of its visits. Ids are given anew, as fewer visits arrive.
    pub fn without(&self, visits: Range<usize>) -> Self {
        let mut world = self.clone();
        world.visits.drain(visits.clone());
        world.arrival.retain(|at| !visits.contains(at));
        world.arrival.iter_mut().filter(|at| **at >= visits.end).for_each(|at| *at -= visits.len());
        world.number_visits();
        world
    }

    /// Gives the visits their ids: the UTC day that they were opened on, and a number in order of arrival.
    pub fn number_visits(&mut self) {
        let mut seen = BTreeSet::new();
        let mut counts: BTreeMap<(u64, u32), u32> = BTreeMap::new();
        for at in &self.arrival {
            if !seen.insert(*at) {
                continue;
            }
            let visit = &mut self.visits[*at];
            let day = visit.rows[0].time.div_euclid(86_400_000) as u32;
            let count = counts.entry((visit.visitor, day)).or_default();
            visit.id = (day << 16) | *count;
            *count += 1;
        }
    }
}
