//! Queries over a snapshot (sealed segments, a frozen one, views of the open one) against plain loops over the model.
//! That kernels and filters are exact over any tables is tested where they are; here it is that a snapshot hands them
//! the right tables.

use std::collections::{BTreeMap, BTreeSet};

use hitstone_engine::query::TextTest;
use hitstone_engine::query::{EventTest, Filter, Group, Metrics, Occurrence, Query, Report, Unit};
use hitstone_engine::schema::Column;
use hitstone_engine::snapshot::Snapshot;
use hitstone_engine::units::SiteId;

use crate::model::{Model, Session};
use crate::workload::{Rng, SITES};

/// A filter in both words.
struct Choice {
    country: Option<&'static str>,
    campaign_named: bool,
    event: Option<(&'static str, bool)>,
}

impl Choice {
    fn random(rng: &mut Rng) -> Self {
        Self {
            country: [None, Some("de"), Some(""), Some("jp")][rng.below(4) as usize],
            campaign_named: rng.one_in(4),
            event: [None, None, Some(("sale", false)), Some(("клик", true))][rng.below(4) as usize],
        }
    }

    fn filter(&self) -> Filter {
        let mut filter = Filter::default();
        if let Some(country) = self.country {
            filter.attributes.push((Column::Country, TextTest::one_of([country])));
        }
        if self.campaign_named {
            filter.attributes.push((Column::UtmCampaign, TextTest::present()));
        }
        if let Some((name, negated)) = self.event {
            let test = EventTest {
                name: Some(TextTest::one_of([name])),
                meta: Vec::new(),
                passes: if negated { Occurrence::DidNot } else { Occurrence::Happened },
                selects_rows: true,
            };
            filter.events.push(test);
        }
        filter
    }

    fn holds(&self, session: &Session) -> bool {
        let attribute = |column: Column| session.attributes[column.index()].as_str();
        let happened = |name: &str| session.rows.iter().any(|row| row.kind == 1 && row.texts[3] == name);
        self.country.is_none_or(|country| attribute(Column::Country) == country)
            && (!self.campaign_named || !attribute(Column::UtmCampaign).is_empty())
            && self.event.is_none_or(|(name, negated)| happened(name) != negated)
    }
}

/// Counts of a group.
#[derive(Default)]
struct Counts {
    visitors: BTreeSet<u64>,
    sessions: BTreeSet<(u64, i64, u32)>,
    bounced: BTreeSet<(u64, i64, u32)>,
    views: u64,
}

impl Counts {
    fn add(&mut self, session: &Session, views: u64) {
        let key = (session.visitor, session.day, session.n);
        self.visitors.insert(session.visitor);
        self.sessions.insert(key);
        if session.state().bounced {
            self.bounced.insert(key);
        }
        self.views += views;
    }

    fn numbers(&self) -> [u64; 4] {
        [self.visitors.len() as u64, self.sessions.len() as u64, self.bounced.len() as u64, self.views]
    }
}

fn numbers(metrics: &Metrics) -> [u64; 4] {
    [metrics.visitors, metrics.sessions, metrics.bounces, metrics.views]
}

/// Asks a few random questions of each site.
pub fn check(snapshot: &Snapshot, model: &Model, rng: &mut Rng, context: &str) {
    for site in SITES {
        let sessions: Vec<&Session> = model.sessions.iter().filter(|session| session.site == site).collect();
        let times: Vec<i64> = sessions.iter().flat_map(|session| &session.rows).map(|row| row.time).collect();
        let (Some(&least), Some(&greatest)) = (times.iter().min(), times.iter().max()) else { continue };
        let width = (greatest - least + 2) as u64;
        let from = least - 1 + rng.below(width) as i64;
        let span = if rng.one_in(2) { least..greatest + 1 } else { from..from + rng.below(width) as i64 };
        // Where the lake is asked, too, spans are whole seconds.
        let span = span.start.div_euclid(1000) * 1000..(span.end + 999).div_euclid(1000) * 1000;
        let choice = Choice::random(rng);
        let ask = |unit: Unit, group: Group| ask(snapshot, site, &span, choice.filter(), unit, group);
        let chosen = || sessions.iter().filter(|session| choice.holds(session));

        let mut whole = Counts::default();
        let placed = |session: &&&Session| span.contains(&session.state().last);
        chosen().filter(placed).for_each(|session| whole.add(session, session.state().views.into()));
        let report = ask(Unit::Sessions, Group::All);
        assert_eq!(numbers(&report.rows[0].metrics), whole.numbers(), "{context}, site {site}, {span:?}");

        let mut paths: BTreeMap<String, Counts> = BTreeMap::new();
        for session in chosen() {
            for row in session.rows.iter().filter(|row| row.kind == 0 && span.contains(&row.time)) {
                paths.entry(row.texts[1].clone()).or_default().add(session, 1);
            }
        }
        let report = ask(Unit::PageViews, Group::Columns(vec![Column::Path]));
        let found: BTreeMap<String, [u64; 4]> =
            report.rows.iter().map(|row| (row.keys[0].clone(), numbers(&row.metrics))).collect();
        let wanted: BTreeMap<String, [u64; 4]> =
            paths.into_iter().map(|(path, counts)| (path, counts.numbers())).collect();
        assert_eq!(found, wanted, "{context}, pages of site {site}, {span:?}");
    }
}

fn ask(
    snapshot: &Snapshot,
    site: u32,
    span: &std::ops::Range<i64>,
    filter: Filter,
    unit: Unit,
    group: Group,
) -> Report {
    let query = Query { filter, ..Query::new(SiteId(site), span.clone(), unit, group) };
    snapshot.answer(&query, &|| None).unwrap()
}
