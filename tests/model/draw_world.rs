//! Worlds at random: small ones, from small pools of texts so that groups meet, around odd dates.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::calendar;
use crate::dice::{between, chance, pick, some};
use crate::draw_goals;
use crate::random::Random;
use crate::world::{Kind, Pairs, Person, Row, Visit, Week, World};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Zones with a date on which something odd happens in them.
pub const PLACES: &[(&str, &str)] = &[
    ("UTC", "2024-02-29"),
    ("UTC", "2023-12-31"),
    ("UTC", "2000-01-01"),
    ("Europe/Berlin", "2024-03-31"),
    ("Europe/Berlin", "2024-10-27"),
    ("America/New_York", "2024-03-10"),
    ("America/New_York", "2023-11-05"),
    ("Asia/Kolkata", "2024-01-01"),
    ("Australia/Lord_Howe", "2024-04-07"),
    ("Australia/Lord_Howe", "2023-10-01"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("America/Sao_Paulo", "2018-02-17"),
    ("Pacific/Apia", "2011-12-30"),
    ("Pacific/Apia", "2012-04-01"),
    ("Pacific/Chatham", "2024-04-07"),
    ("America/Havana", "2024-03-10"),
    ("Asia/Tehran", "2022-03-22"),
];

/// What texts there are in a world.
struct Pools {
    paths: Vec<String>,
    titles: Vec<String>,
    hosts: Vec<String>,
    names: Vec<String>,
    keys: Vec<String>,
    values: Vec<String>,
    /// More texts of each kind than any list shows.
    is_wide: bool,
}

const PATHS: &[&str] =
    &["/", "/a", "/a/b", "/blog/one", "/Blog/two", "/Über", "/прайс", "/很长", "/100%", "/a b+c&d=e#f"];
const TITLES: &[&str] = &["", "Home", "home", "Über uns", "100% _"];
const HOSTS: &[&str] = &["example.com", "www.example.com", "shop.example.org", ""];
const NAMES: &[&str] = &["sale", "Sale", "sign up", "клик", "a"];
const KEYS: &[&str] = &["amount", "currency", "k", "Ü", "a.b", "amount2"];
const VALUES: &[&str] = &["", "1", "2", "3.5", " 42 ", "abc", "-7", "1e2", "€", "Ü x", "10"];

impl Pools {
    fn draw(random: &mut Random, is_wide: bool) -> Self {
        let mut texts = |texts: &[&str]| -> Vec<String> {
            let mut texts: Vec<String> = some(random, texts).into_iter().map(str::to_owned).collect();
            let last = texts[texts.len() - 1].clone();
            texts.extend((0..if is_wide { 220 } else { 0 }).map(|number| format!("{last}{number}")));
            texts
        };
        Self {
            paths: texts(PATHS),
            titles: texts(TITLES),
            hosts: texts(HOSTS),
            names: texts(NAMES),
            keys: texts(KEYS),
            values: texts(VALUES),
            is_wide,
        }
    }

    fn pairs(&self, random: &mut Random) -> Pairs {
        let mut pairs = Pairs::new();
        if chance(random, 60) {
            for _ in 0..=random.below(2) {
                let (key, value) = (pick(random, &self.keys), pick(random, &self.values));
                pairs.insert((*key).to_owned(), (*value).to_owned());
            }
        }
        pairs
    }
}

pub fn world(random: &mut Random) -> World {
    let (zone, base) = *pick(random, PLACES);
    let base: Date = base.parse().unwrap();
    let middle = calendar::day_start(zone, base);
    let is_wide = chance(random, 3);
    let pools = Pools::draw(random, is_wide);
    let edges = edges(zone, base);
    let mut visits: Vec<Visit> = Vec::new();
    let people = if pools.is_wide { 300 } else { 1 + random.below(12) as u64 };
    let count = match random.below(10) {
        _ if pools.is_wide => 260,
        0 => random.below(5),
        _ => 10 + random.below(60),
    };
    for _ in 0..count {
        let visit = visit(random, &pools, people, middle, &edges);
        if visits.iter().all(|other| apart(other, &visit)) {
            visits.push(visit);
        }
    }
    let mut world = World {
        number: 1,
        zone: if chance(random, 70) { zone } else { pick(random, PLACES).0 },
        week: *pick(random, &[Week::FromMonday, Week::FromSunday]),
        group_by_title: chance(random, 30),
        active_seconds: *pick(random, &[600, 60, 1800, 7200]),
        goals: Vec::new(),
        now: 0,
        base,
        arrival: arrival(random, &visits),
        visits,
        seal_rows: *pick(random, &[10, 30, 60, 100, 300, 1 << 18]),
        batch_rows: 1 + random.below(20),
    };
    world.number_visits();
    world.now = now(random, &world, middle);
    world.goals = draw_goals::goals(random, &world);
    world
}

/// Moments at which something begins or ends: midnights, hours, changes of the clock.
fn edges(zone: &str, base: Date) -> Vec<i64> {
    let mut edges: Vec<i64> =
        (-3..=3).map(|days| calendar::day_start(zone, calendar::plus_days(base, days))).collect();
    edges.extend(calendar::clock_changes(zone, edges[0], edges[6] + 2 * DAY));
    let midnight = edges[3];
    edges.extend((0..6).map(|hours| midnight + hours * HOUR));
    edges
}

/// Mostly soon after something that happened, so that there is something to see; the days asked for end with it.
fn now(random: &mut Random, world: &World, middle: i64) -> i64 {
    let recent = (middle - DAY)..(middle + 5 * DAY);
    let times: Vec<i64> = world.rows().map(|row| row.time).filter(|time| recent.contains(time)).collect();
    if !times.is_empty() && chance(random, 60) {
        return pick(random, &times) + between(random, 0, 10 * MINUTE);
    }
    middle + between(random, 0, 40 * DAY) + 1
}

fn visit(random: &mut Random, pools: &Pools, people: u64, middle: i64, edges: &[i64]) -> Visit {
    let number = random.next() % people;
    let person = if chance(random, 40) { Person::Given(number) } else { Person::Daily(number) };
    let start = match random.below(10) {
        0..5 => middle + between(random, -DAY / 4, DAY),
        5..7 => middle + between(random, -2 * DAY, 3 * DAY),
        7 => middle + between(random, -10 * DAY, 10 * DAY),
        8 => middle + between(random, -70 * DAY, 5 * DAY),
        _ => middle + between(random, -500 * DAY, 100 * DAY),
    };
    let length = match random.below(100) {
        0..1 if pools.is_wide => Length::Huge,
        0..30 => Length::Row,
        30..50 => Length::Long,
        _ => Length::Short,
    };
    let (mut rows, opened_by_event) = rows(random, pools, start, length);
    if chance(random, 35) {
        let by = pick(random, edges) + between(random, -1, 1) - pick(random, &rows).time;
        rows.iter_mut().for_each(|row| row.time += by);
    }
    let visitor = visitor_id(person, rows[0].time);
    let mut attributes = attributes(random);
    if pools.is_wide {
        for name in ["city", "referrer", "referrer_name", "utm_campaign", "browser", "browser_version"] {
            attributes.entry(name).and_modify(|text| text.push_str(&random.below(150).to_string()));
        }
    }
    Visit { person, visitor, id: 0, attributes, rows, opened_by_event }
}

/// The id of a person at a time: any 64 bits that differ.
pub fn visitor_id(person: Person, time: i64) -> u64 {
    let (number, day) = match person {
        Person::Given(number) => (number, 0),
        Person::Daily(number) => (number + 1000, 1 + time.div_euclid(DAY) as u64),
    };
    Random::new(number << 32 | day).next()
}

/// Whether the session rule keeps two visits apart.
fn apart(one: &Visit, other: &Visit) -> bool {
    let gap = 31 * MINUTE;
    one.person != other.person || one.last() + gap < other.start() || other.last() + gap < one.start()
}

/// How much happens in a visit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Row,
    Short,
    /// Hours.
    Long,
    /// More rows than an answer shows.
    Huge,
}

fn rows(random: &mut Random, pools: &Pools, start: i64, length: Length) -> (Vec<Row>, bool) {
    let mut time = start;
    let mut rows: Vec<Row> = Vec::new();
    let count = match length {
        Length::Row => 1,
        Length::Huge => 1300,
        _ => 1 + random.below(9),
    };
    for index in 0..count {
        let kind = match (index, random.below(10)) {
            (0, 0..7) => Kind::View,
            (0, _) => Kind::Event,
            (_, 0..5) => Kind::View,
            (_, 5..8) => Kind::Event,
            _ => Kind::Ping,
        };
        let row = row(random, pools, kind, time, rows.last());
        rows.push(row);
        time += match random.below(10) {
            _ if length == Length::Huge => between(random, 0, 9_000),
            0 => 0,
            1 => between(random, 0, 999),
            2 => 30 * MINUTE - 1,
            _ if length == Length::Long => between(random, 10 * MINUTE, 29 * MINUTE),
            _ => between(random, 0, 4 * MINUTE),
        };
    }
    let opened_by_event = rows[0].kind == Kind::Event && !rows[0].path.is_empty();
    if opened_by_event {
        let view = Row {
            kind: Kind::View,
            name: String::new(),
            meta: Pairs::new(),
            duration: None,
            ..rows[0].clone()
        };
        rows.insert(0, view);
    }
    (rows, opened_by_event)
}

fn row(random: &mut Random, pools: &Pools, kind: Kind, time: i64, before: Option<&Row>) -> Row {
    let has_path = kind == Kind::View || chance(random, 55);
    let reload = before.filter(|row| !row.path.is_empty() && chance(random, 30));
    let path = match (has_path, reload) {
        (false, _) => "",
        (true, Some(row)) => row.path.as_str(),
        (true, None) => pick(random, &pools.paths),
    };
    let is_event = kind == Kind::Event;
    Row {
        time,
        kind,
        path: path.to_owned(),
        title: if has_path { (*pick(random, &pools.titles)).to_owned() } else { String::new() },
        hostname: (*pick(random, &pools.hosts)).to_owned(),
        name: if is_event { (*pick(random, &pools.names)).to_owned() } else { String::new() },
        meta: if is_event { pools.pairs(random) } else { Pairs::new() },
        tags: if kind == Kind::Ping { Pairs::new() } else { pools.pairs(random) },
        duration: (is_event && chance(random, 50)).then(|| random.below(100) as u32),
        non_interactive: is_event && chance(random, 40),
    }
}

/// The places of the world: city, region, country.
const CITIES: &[(&str, &str, &str)] = &[
    ("", "", ""),
    ("", "", "de"),
    ("", "Bavaria", "de"),
    ("Berlin", "Berlin", "de"),
    ("Berlin", "", "us"),
    ("Zürich", "Zurich", "ch"),
    ("London", "England", "gb"),
    ("London", "Ontario", "ca"),
];

const REFERRERS: &[(&str, &str)] = &[
    ("", ""),
    ("https://a.example", "A"),
    ("https://a.example/x", "A"),
    ("https://b.example", "B"),
    ("", "B"),
    ("", "Plain Ünique"),
    ("https://nameless.example", ""),
];

const OTHERS: &[(&str, &[&str])] = &[
    ("channel", &["", "Direct", "Organic Search", "Referral"]),
    ("language", &["", "de", "en", "fr"]),
    ("os", &["", "Windows", "Linux", "Mac"]),
    ("os_version", &["", "10", "11", "8"]),
    ("browser", &["", "Firefox", "Chrome", "Chromium"]),
    ("browser_version", &["", "128.0", "9", "10"]),
    ("platform", &["", "desktop", "mobile", "unknown", "tv"]),
    ("screen_class", &["", "XS", "XL", "HD", "UHD 5K", "XXL"]),
    ("utm_source", &["", "Newsletter", "news"]),
    ("utm_medium", &["", "email", "cpc"]),
    ("utm_campaign", &["", "Spring & Söhne", "autumn=1"]),
    ("utm_content", &["", "a", "b"]),
    ("utm_term", &["", "x y", "z"]),
];

fn attributes(random: &mut Random) -> BTreeMap<&'static str, String> {
    let mut attributes = BTreeMap::new();
    let (city, region, country) = *pick(random, CITIES);
    let (referrer, referrer_name) = *pick(random, REFERRERS);
    attributes.extend([("city", city), ("region", region), ("country", country)]);
    attributes.extend([("referrer", referrer), ("referrer_name", referrer_name)]);
    attributes.extend(OTHERS.iter().map(|(name, values)| (*name, *pick(random, values))));
    attributes.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
}

/// Rows of a visit arrive in order; visits come one after another, by time or in any mixture.
fn arrival(random: &mut Random, visits: &[Visit]) -> Vec<usize> {
    let sent = |visit: &Visit| visit.rows.len() - usize::from(visit.opened_by_event);
    let mut left: Vec<(usize, usize)> = visits.iter().map(sent).enumerate().collect();
    match random.below(3) {
        0 => {
            let mut times: Vec<(i64, usize)> = Vec::new();
            for (at, visit) in visits.iter().enumerate() {
                let rows = visit.rows.iter().skip(usize::from(visit.opened_by_event));
                times.extend(rows.map(|row| (row.time, at)));
            }
            times.sort_unstable();
            times.into_iter().map(|(_, at)| at).collect()
        }
        mode => {
            let mut order = Vec::new();
            while !left.is_empty() {
                let chosen = random.below(left.len());
                let rows = if mode == 1 { left[chosen].1 } else { 1 };
                order.extend(std::iter::repeat_n(left[chosen].0, rows));
                left[chosen].1 -= rows;
                left.retain(|(_, rows)| *rows > 0);
            }
            order
        }
    }
}
