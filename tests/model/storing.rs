//! Puts a world into a store and asks the server about it.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, mpsc};

use hitstone::api::pirsch::statistics::{StatisticsAnswer, StatisticsContext, answer};
use hitstone::sites::{Site, WeekStart};
use hitstone::statistics::days::local_days;
use hitstone_engine::event::{Event, Kind as EventKind, Texts, encode_pairs};
use hitstone_engine::schema::Column;
use hitstone_engine::store::{CompactionSettings, Receipt, Snapshot, Store, StoreOptions};
use hitstone_engine::units::{SiteId, VisitorId};

use crate::draw_world::visitor_id;
use crate::lazy_fs::LazyFs;
use crate::random::Random;
use crate::request::Request;
use crate::world::{Kind, Person, Row, SITE_ID, Visit, Week, World};

const DAY: i64 = 86_400_000;

/// Worlds in a store, and their sites.
pub struct Stored {
    sites: HashMap<u32, Site>,
    /// The same content, stored in several ways.
    snapshots: Vec<Arc<Snapshot>>,
    // The snapshots need neither, but they go last.
    _store: Store,
    _folder: tempfile::TempDir,
}

impl Stored {
    /// Stores worlds of different site numbers, all in one. Some of it may go to the lake in between, and sessions that
    /// go on come back. Then all of it goes there, and perhaps the store is opened again.
    pub fn new(worlds: &[World]) -> Self {
        let folder = folder();
        let sites: HashMap<u32, Site> = worlds.iter().map(|world| (world.number, site(world))).collect();
        let mut random = Random::new(worlds[0].now.cast_unsigned());
        let mut store = open(&folder, worlds, &sites);
        append(&store, worlds, &mut random);
        let mut snapshots = vec![store.snapshot()];
        compact(&store);
        if random.below(4) == 0 {
            store.close().unwrap();
            store = open(&folder, worlds, &sites);
            // It has nothing to do but to take the aggregates that are there.
            compact(&store);
        }
        snapshots.push(store.snapshot());
        Self { sites, snapshots, _store: store, _folder: folder }
    }

    /// The server's answers about a world, one for each way in which it is stored.
    pub fn ask(&self, world: &World, request: &Request) -> Vec<StatisticsAnswer> {
        let ask = |snapshot: &Arc<Snapshot>| {
            let context = StatisticsContext {
                snapshot: Arc::clone(snapshot),
                site: &self.sites[&world.number],
                now_ms: world.now,
                cancelled: &|| None,
            };
            answer(request.endpoint, &request.query(), &context)
        };
        self.snapshots.iter().map(ask).collect()
    }

    /// Whether an answer was made of counts that were made beforehand.
    pub fn has_used_aggregates(&self) -> bool {
        self.snapshots.iter().any(|snapshot| snapshot.aggregates().cache_bytes() > 0)
    }
}

fn open(folder: &tempfile::TempDir, worlds: &[World], sites: &HashMap<u32, Site>) -> Store {
    let rows: usize = worlds.iter().map(|world| world.rows().count()).sum();
    // Segments are many, but not so many that nothing else gets its turn.
    let options = StoreOptions { seal_rows: worlds[0].seal_rows.max(rows / 12), ..StoreOptions::default() };
    let store = Store::open(Arc::new(LazyFs), folder.path(), options).unwrap();
    let sites = sites.clone();
    let days_of = move |site: SiteId, span: &Range<i64>| {
        let site = &sites[&site.0];
        let zone = jiff::tz::TimeZone::get(&site.timezone).unwrap();
        Some(local_days(&zone, &site.timezone, span))
    };
    let settings = CompactionSettings {
        host_of: Arc::new(|site| Some(format!("site{}.example", site.0))),
        days_of: Arc::new(days_of),
        // Nothing is ever due: it goes by what it is told.
        clock: Arc::new(|| 0),
        aggregate_rows_min: 1,
        share: 1.0,
        tell: Arc::new(|_| ()),
    };
    store.start_compaction(settings).unwrap();
    store
}

fn compact(store: &Store) {
    let done = store.compact(&mut |_| ()).unwrap();
    assert_eq!(done.waiting_rows, 0);
}

/// In memory where the system offers it: the disk has tests of its own, and waiting for it is most of the time.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn site(world: &World) -> Site {
    let mut site = Site::new(world.number, "example.com".into(), 0).unwrap();
    site.id = SITE_ID.into();
    site.timezone = world.zone.into();
    site.group_by_title = world.group_by_title;
    site.active_visitors_seconds = world.active_seconds;
    site.week_start = match world.week {
        Week::FromMonday => WeekStart::Monday,
        Week::FromSunday => WeekStart::Sunday,
    };
    site.goals = world.goals.clone();
    site
}

/// Appends everything in batches and checks that the store made as many rows of it as the worlds have.
fn append(store: &Store, worlds: &[World], random: &mut Random) {
    let (report, reports) = mpsc::channel();
    let rows: usize = worlds.iter().map(|world| world.rows().count()).sum();
    let events = mixed(worlds);
    let batches: Vec<&[Event]> = events.chunks(worlds[0].batch_rows.max(rows / 300)).collect();
    let mut receipts: Vec<Receipt> = Vec::new();
    // As many at once as the queue takes; in between, perhaps, what is there goes to the lake.
    let pause = [1000, batches.len() / 2 + 1, batches.len() / 3 + 1][random.below(3)].min(1000);
    for (number, batches) in batches.chunks(pause).enumerate() {
        if number > 0 {
            compact(store);
        }
        for batch in batches {
            let report = report.clone();
            let done = move |result| report.send(result).unwrap();
            store.append(batch.to_vec(), Box::new(done)).unwrap();
        }
        receipts.extend(batches.iter().map(|_| reports.recv().unwrap().unwrap()));
    }
    let stored: usize = receipts.iter().map(|receipt| receipt.rows).sum();
    assert_eq!(stored, rows, "the store did not keep the rows as they were constructed");
}

/// The events of all worlds, a few of each in turn.
fn mixed(worlds: &[World]) -> Vec<Event> {
    let mut random = Random::new(worlds.len() as u64);
    let mut left: Vec<VecDeque<Event>> = worlds.iter().map(|world| events(world).into()).collect();
    let mut mixed = Vec::new();
    while left.iter().any(|events| !events.is_empty()) {
        let events = &mut left[random.below(worlds.len())];
        let count = random.below(30).min(events.len());
        mixed.extend(events.drain(..count));
    }
    mixed
}

/// The events of a world in order of arrival.
fn events(world: &World) -> Vec<Event> {
    let mut sent: HashMap<usize, usize> = HashMap::new();
    let event = |at: &usize| {
        let visit = &world.visits[*at];
        let index = sent.entry(*at).or_insert(usize::from(visit.opened_by_event));
        *index += 1;
        Event { site: SiteId(world.number), ..event(visit, *index - 1) }
    };
    world.arrival.iter().map(event).collect()
}

fn event(visit: &Visit, index: usize) -> Event {
    let row = &visit.rows[index];
    let given = matches!(visit.person, Person::Given(_));
    let is_first = index == usize::from(visit.opened_by_event);
    Event {
        site: SiteId(0),
        time: row.time,
        received: None,
        kind: match row.kind {
            Kind::View => EventKind::PageView,
            Kind::Event => EventKind::Event,
            Kind::Ping => EventKind::Ping,
        },
        visitor: VisitorId(visitor_id(visit.person, row.time)),
        previous_visitor: (!given).then(|| VisitorId(visitor_id(visit.person, row.time - DAY))),
        user_key: given.then_some(visit.visitor),
        event_duration: row.duration,
        non_interactive: row.non_interactive,
        may_be_assumed: false,
        status: None,
        texts: texts(visit, row, is_first),
    }
}

/// Later rows carry attributes that must not count; no referrer or campaign though, which would end the session.
fn texts(visit: &Visit, row: &Row, is_first: bool) -> Texts {
    let mut texts = Texts::new();
    for (name, column) in COLUMNS {
        if is_first {
            texts.set(*column, visit.attribute(name));
        }
    }
    if !is_first {
        texts.set(Column::Country, "xx");
        texts.set(Column::Browser, "Other");
        texts.set(Column::Platform, "desktop");
    }
    texts.set(Column::Path, &row.path);
    texts.set(Column::Title, &row.title);
    texts.set(Column::Hostname, &row.hostname);
    texts.set(Column::EventName, &row.name);
    let pairs: Vec<_> = row.meta.iter().collect();
    texts.set(Column::EventMeta, &encode_pairs(&pairs));
    let pairs: Vec<_> = row.tags.iter().collect();
    texts.set(Column::Tags, &encode_pairs(&pairs));
    texts
}

const COLUMNS: &[(&str, Column)] = &[
    ("referrer", Column::Referrer),
    ("referrer_name", Column::ReferrerName),
    ("channel", Column::Channel),
    ("language", Column::Language),
    ("country", Column::Country),
    ("region", Column::Region),
    ("city", Column::City),
    ("os", Column::Os),
    ("os_version", Column::OsVersion),
    ("browser", Column::Browser),
    ("browser_version", Column::BrowserVersion),
    ("platform", Column::Platform),
    ("screen_class", Column::ScreenClass),
    ("utm_source", Column::UtmSource),
    ("utm_medium", Column::UtmMedium),
    ("utm_campaign", Column::UtmCampaign),
    ("utm_content", Column::UtmContent),
    ("utm_term", Column::UtmTerm),
];
