//! Which groupings aggregates keep: the one table of what statistics ask without a filter, or about one group.
//!
//! | asked by | unit | group | by |
//! | --- | --- | --- | --- |
//! | totals, series, growth, overview, denominators | sessions | all, buckets | day |
//! | time on page in growth | page views | all, buckets | day |
//! | session durations, time on page | sums alone, of sessions and of page views | all, buckets | day |
//! | hours, weekdays, minutes | page views | clock | day |
//! | channel, language, country, os and versions, browser, platform, screen, utm, their options; totals, series and session durations of one of them | sessions | attributes | day |
//! | time on page of one of them | page views | attributes | day |
//! | host names, their options | page views | hostname | day |
//! | what has no city or no region | sessions | all | day |
//! | browser versions, campaigns, terms, regions, cities, referrers, their options | sessions | attributes | month, week |
//! | pages with and without titles, and a list's pages | page views | path, title | month, week |
//! | entry and exit pages | page views | entry, exit | month, week |
//! | pages of events | events | path, title | month, week |
//!
//! The totals and series of what passes a filter are those of a group, when the filter leaves no other group.
//!
//! What has many groups is kept by month and by week: a few days are scanned fast, of a span of weeks all but its ends is
//! known, and long ones are added up of few numbers.
//!
//! Events with the keys of their metadata, metadata, tags and who is active are left to the scan: their keys are sets
//! or pairs, of which nothing can be taken off again.

use crate::query::{Filter, Group, Measures, Query, Unit};
use crate::schema::Column;

/// Milliseconds of a minute and of an hour.
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;

/// What a grouping groups by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// All in one group.
    All,
    /// All sessions without a text in this column, in one group.
    Absent(Column),
    /// Slots of the zone's clock: their length, and how many there are.
    Clock(i64, u16),
    /// Texts of columns.
    Columns(&'static [Column]),
    /// The page that sessions began with, and its title.
    Entry(bool),
    /// The page that sessions ended with, and its title.
    Exit(bool),
}

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grain {
    /// Each local day: spans and buckets of whole days are answered.
    Day,
    /// Each local month, as far as the source has it: for groupings with many groups.
    Month,
    /// Each week of a local month, from Monday on: for the same groupings.
    Week,
}

/// What is summed beside the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sums {
    /// Nothing.
    None,
    /// Session durations.
    Durations,
    /// Time on page.
    TimeOnPage,
    /// The seconds that custom events carry.
    EventSeconds,
}

/// What of the sessions is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// Everything, of sessions whose visitors recur nowhere.
    All,
    /// Sums alone, to which it does not matter who recurs.
    SumsOnly,
}

/// A grouping that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spec {
    /// Its number in files; never used for another one.
    pub id: u8,
    pub unit: Unit,
    pub by: By,
    pub grain: Grain,
    pub sums: Sums,
    pub counted: Counted,
}

const fn day(id: u8, unit: Unit, by: By, sums: Sums) -> Spec {
    Spec { id, unit, by, grain: Grain::Day, sums, counted: Counted::All }
}

const fn month(id: u8, unit: Unit, by: By, sums: Sums) -> Spec {
    Spec { id, unit, by, grain: Grain::Month, sums, counted: Counted::All }
}

const fn sums(id: u8, unit: Unit, sums: Sums) -> Spec {
    Spec { id, unit, by: By::All, grain: Grain::Day, sums, counted: Counted::SumsOnly }
}

const fn attributes(id: u8, columns: &'static [Column]) -> Spec {
    day(id, Unit::Sessions, By::Columns(columns), Sums::Durations)
}

const fn times_by(id: u8, columns: &'static [Column]) -> Spec {
    day(id, Unit::PageViews, By::Columns(columns), Sums::TimeOnPage)
}

const fn many(id: u8, columns: &'static [Column]) -> Spec {
    month(id, Unit::Sessions, By::Columns(columns), Sums::None)
}

/// What the number of a grouping by month has more when it is by week.
const WEEKLY: u8 = 64;

/// Groupings with few groups.
const FEW: [Spec; 31] = {
    use Column::*;
    use Unit::{PageViews, Sessions};
    [
        day(1, Sessions, By::All, Sums::Durations),
        day(2, PageViews, By::All, Sums::TimeOnPage),
        day(3, PageViews, By::Clock(HOUR_MS, 24), Sums::None),
        day(4, PageViews, By::Clock(HOUR_MS, 168), Sums::None),
        day(5, PageViews, By::Clock(MINUTE_MS, 60), Sums::None),
        day(6, Sessions, By::Absent(City), Sums::None),
        day(7, Sessions, By::Absent(Region), Sums::None),
        day(8, PageViews, By::Columns(&[Hostname]), Sums::None),
        attributes(9, &[Channel]),
        attributes(10, &[Language]),
        attributes(11, &[Country]),
        attributes(12, &[Os]),
        attributes(13, &[Os, OsVersion]),
        attributes(14, &[Browser]),
        attributes(16, &[Platform]),
        attributes(17, &[ScreenClass]),
        attributes(18, &[UtmSource]),
        attributes(19, &[UtmMedium]),
        attributes(21, &[UtmContent]),
        times_by(37, &[Channel]),
        times_by(38, &[Language]),
        times_by(39, &[Country]),
        times_by(40, &[Os]),
        times_by(41, &[Browser]),
        times_by(42, &[Platform]),
        times_by(43, &[ScreenClass]),
        times_by(44, &[UtmSource]),
        times_by(45, &[UtmMedium]),
        times_by(46, &[UtmContent]),
        sums(35, Sessions, Sums::Durations),
        sums(36, PageViews, Sums::TimeOnPage),
    ]
};

/// Groupings with many groups, as they are kept by month.
const MANY: [Spec; 15] = {
    use Column::*;
    use Unit::{Events, PageViews};
    [
        many(15, &[Browser, BrowserVersion]),
        many(20, &[UtmCampaign]),
        many(22, &[UtmTerm]),
        many(23, &[ReferrerName]),
        many(24, &[Region, Country]),
        many(25, &[City, Country, Region]),
        many(26, &[ReferrerName, Referrer]),
        month(27, PageViews, By::Columns(&[Path]), Sums::TimeOnPage),
        month(28, PageViews, By::Columns(&[Path, Title]), Sums::None),
        month(29, PageViews, By::Entry(false), Sums::None),
        month(30, PageViews, By::Entry(true), Sums::None),
        month(31, PageViews, By::Exit(false), Sums::None),
        month(32, PageViews, By::Exit(true), Sums::None),
        month(33, Events, By::Columns(&[Path]), Sums::EventSeconds),
        month(34, Events, By::Columns(&[Path, Title]), Sums::EventSeconds),
    ]
};

/// All groupings that are kept.
pub(super) const SPECS: &[Spec] = &{
    let mut all = [FEW[0]; FEW.len() + 2 * MANY.len()];
    let mut at = 0;
    while at < FEW.len() {
        all[at] = FEW[at];
        at += 1;
    }
    at = 0;
    while at < MANY.len() {
        let weekly = Spec { id: MANY[at].id + WEEKLY, grain: Grain::Week, ..MANY[at] };
        all[FEW.len() + at] = MANY[at];
        all[FEW.len() + MANY.len() + at] = weekly;
        at += 1;
    }
    all
};

impl Spec {
    /// The grouping that has the answer to a query, if any has; of one that is kept by month and by week the one by month.
    pub fn of(query: &Query) -> Option<&'static Self> {
        if query.by_scan || query.number.is_some() || query.measures.meta_keys {
            return None;
        }
        let unit = query.counted_unit();
        let find = |counted: Counted| {
            let fits = |spec: &&Self| {
                (spec.unit, spec.counted) == (unit, counted)
                    && spec.grain != Grain::Week
                    && spec.groups_as(query)
                    && spec.measures(query.measures)
            };
            SPECS.iter().find(fits)
        };
        // What has all has the sums, but not those of visitors that recur.
        query.sums_only.then(|| find(Counted::SumsOnly)).flatten().or_else(|| find(Counted::All))
    }

    /// A grouping by month as it is kept by week.
    pub fn by_weeks(&self) -> Option<&'static Self> {
        let is_weekly = |spec: &&Self| spec.grain == Grain::Week && spec.id == self.id + WEEKLY;
        if self.grain == Grain::Month { SPECS.iter().find(is_weekly) } else { None }
    }

    fn groups_as(&self, query: &Query) -> bool {
        let tested = Tested::of(&query.filter);
        match (&query.group, self.by) {
            (Group::All | Group::Buckets(_), By::All) => tested.is_some_and(|tested| tested.is_empty()),
            (Group::All | Group::Buckets(_), By::Absent(column)) => {
                tested.is_some_and(|tested| !tested.is_empty() && tested.only(&[column]))
            }
            // A day is within a bucket or cut by it; longer periods are mostly cut.
            (Group::Buckets(_), By::Columns(_)) if self.grain != Grain::Day => false,
            (Group::All | Group::Buckets(_), By::Columns(own)) => {
                tested.is_some_and(|tested| tested.only(own) && tested.all(own))
            }
            (Group::Clock(clock), By::Clock(slot_ms, slot_count)) => {
                let alike = (clock.slot_ms, clock.slot_count) == (slot_ms, slot_count);
                alike && tested.is_some_and(|tested| tested.is_empty())
            }
            (Group::Columns(columns), By::Columns(own)) => {
                columns == own && tested.is_some_and(|tested| tested.only(own))
            }
            (Group::Entry(with_title), By::Entry(own)) | (Group::Exit(with_title), By::Exit(own)) => {
                *with_title == own && tested.is_some_and(|tested| tested.is_empty())
            }
            _ => false,
        }
    }

    fn measures(&self, measures: Measures) -> bool {
        // Time on page is zero for other units than page views.
        let time_on_page = measures.time_on_page && self.unit == Unit::PageViews;
        (!measures.durations || self.sums == Sums::Durations)
            && (!time_on_page || self.sums == Sums::TimeOnPage)
    }

    /// For a grouping by path and title the one by path, and the one of page views by path and title, unless it is that.
    pub fn without_title(&self) -> Option<(&'static Self, Option<&'static Self>)> {
        const TITLED: By = By::Columns(&[Column::Path, Column::Title]);
        let plain = match self.by {
            TITLED => By::Columns(&[Column::Path]),
            By::Entry(true) => By::Entry(false),
            By::Exit(true) => By::Exit(false),
            _ => return None,
        };
        let find =
            |unit, by| SPECS.iter().find(|spec| (spec.unit, spec.by, spec.grain) == (unit, by, self.grain));
        let pages = find(Unit::PageViews, TITLED).filter(|pages| pages.id != self.id);
        Some((find(self.unit, plain)?, pages))
    }

    /// The columns of the group's key.
    pub fn columns(&self) -> &'static [Column] {
        match self.by {
            By::All | By::Absent(_) | By::Clock(..) => &[],
            By::Columns(columns) => columns,
            By::Entry(false) | By::Exit(false) => &[Column::Path],
            By::Entry(true) | By::Exit(true) => &[Column::Path, Column::Title],
        }
    }

    /// How many numbers make the key of an entry.
    pub fn key_length(&self) -> usize {
        match self.by {
            By::All | By::Absent(_) => 0,
            By::Clock(..) => 1,
            _ => self.columns().len(),
        }
    }

    /// What is measured.
    pub fn measured(&self) -> Measures {
        Measures {
            durations: self.sums == Sums::Durations,
            time_on_page: self.sums == Sums::TimeOnPage,
            meta_keys: false,
        }
    }
}

/// The columns that a filter tests, when it tests nothing but texts of sessions and rows.
struct Tested(Vec<Column>);

impl Tested {
    fn of(filter: &Filter) -> Option<Self> {
        let Filter { attributes, entry_path, exit_path, events, rows, tags, session } = filter;
        let only_texts = entry_path.is_none() && exit_path.is_none() && session.is_none();
        let columns = attributes.iter().chain(rows).map(|(column, _)| *column);
        (only_texts && events.is_empty() && tags.is_empty()).then(|| Self(columns.collect()))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn only(&self, columns: &[Column]) -> bool {
        self.0.iter().all(|column| columns.contains(column))
    }

    fn all(&self, columns: &[Column]) -> bool {
        columns.iter().all(|column| self.0.contains(column))
    }
}
