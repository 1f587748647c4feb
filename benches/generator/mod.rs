//! Made-up traffic of a year that is as uneven as real traffic: few pages, places and referrers have most of it, most
//! visitors come once, some every day; weekdays and waking hours are busier, and the site grows.
//!
//! Everything follows from the settings, so two runs on one system write the same bytes. All that is kept meanwhile are
//! the rows of a day and those of sessions that go on after it.

#![allow(clippy::expect_used, clippy::panic, reason = "used by benchmarks and tests alone")]

mod random;
mod world;
mod write;

use std::path::Path;

use random::{Choice, Random, hash, unit};
use world::{NONE, World};
use write::Writer;

/// 2025-01-01T00:00:00Z, a Wednesday.
pub const FIRST_DAY_MS: i64 = 1_735_689_600_000;
const DAY_MS: i64 = 86_400_000;
/// A pause that is longer ends a session.
const PAUSE_SECONDS_MAX: f64 = 1_700.0;
const ROWS_OF_SESSION_MAX: usize = 250;

/// What is made.
pub struct Settings {
    pub events: u64,
    pub days: usize,
    pub sites: usize,
    pub seed: u64,
    /// A visitor keeps an id; else it has another each day, as when nothing is stored in browsers.
    pub has_stable_ids: bool,
}

/// An event, as codes of the [`World`]'s values.
#[derive(Clone, Copy)]
struct Row {
    time: i64,
    session: Session,
    page: u32,
    /// `None` for a page view.
    event: Option<Event>,
}

#[derive(Clone, Copy)]
struct Event {
    name: u32,
    duration: Option<i32>,
    /// It does not end a bounce.
    is_quiet: bool,
    /// A code of each of the event's first keys.
    values: [u32; 4],
}

#[derive(Clone, Copy)]
struct Session {
    id: u64,
    visitor: u64,
    referrer: u32,
    channel: &'static str,
    country: u32,
    place: world::City,
    language: u32,
    device: world::Device,
    screen: &'static str,
    /// Source, medium, campaign, content, term.
    campaign: [u32; 5],
}

/// Writes the events of each site into a folder of its own below `out`, named as the site. Returns the hosts.
pub fn generate(settings: &Settings, out: &Path) -> Vec<String> {
    let world = World::new();
    let shares: Vec<f64> = (1..=settings.sites).map(|rank| 1.0 / rank as f64).collect();
    let whole: f64 = shares.iter().sum();
    let (mut made, mut upto) = (0, 0.0);
    let sites = shares.iter().enumerate().map(|(number, share)| {
        upto += share / whole;
        let events = (settings.events as f64 * upto).round() as u64 - made;
        made += events;
        let host = if number == 0 { "example.com".to_owned() } else { format!("site{number}.example.org") };
        let mut writer = Writer::new(&world, &host, &out.join(&host));
        Site::new(&world, settings, number as u64, events).write(&mut writer);
        writer.finish();
        host
    });
    sites.collect()
}

struct Site<'a> {
    world: &'a World,
    settings: &'a Settings,
    number: u64,
    events: u64,
    session_count: u64,
    hours: Choice,
}

impl<'a> Site<'a> {
    fn new(world: &'a World, settings: &'a Settings, number: u64, events: u64) -> Self {
        let bump = |hour: f64, middle: f64, width: f64| (-((hour - middle) / width).powi(2)).exp();
        let hour = |hour: f64| {
            0.12 + bump(hour, 11.0, 3.6) + 0.8 * bump(hour, 20.0, 2.8) + 0.3 * bump(hour, 15.5, 3.0)
        };
        let hours = Choice::new((0..24).map(f64::from).map(hour));
        Self { world, settings, number, events, session_count: 0, hours }
    }

    fn write(&mut self, writer: &mut Writer<'_>) {
        let mut rows: Vec<Row> = Vec::new();
        let mut made = 0;
        for (day, upto) in self.ends_of_days().into_iter().enumerate() {
            while made < upto {
                made += self.session(day, (upto - made) as usize, &mut rows);
            }
            // Stable: a session's rows of one millisecond stay in their order.
            rows.sort_by_key(|row| row.time);
            let is_last = day + 1 == self.settings.days;
            let end = FIRST_DAY_MS + (day as i64 + 1) * DAY_MS;
            let count = if is_last { rows.len() } else { rows.partition_point(|row| row.time < end) };
            rows.drain(..count).for_each(|row| writer.add(&row));
        }
    }

    /// How many events there are up to the end of each day.
    fn ends_of_days(&self) -> Vec<u64> {
        let mut random = Random::new(hash(self.settings.seed, 1) ^ self.number);
        let weights = (0..self.settings.days).map(|day| {
            let is_weekend = matches!((day + 2) % 7, 5 | 6);
            let growth = 1.0 + 0.5 * day as f64 / self.settings.days as f64;
            let is_talked_about = random.chance(0.01);
            let of_day = if is_weekend { 0.62 } else { 1.0 } * if is_talked_about { 3.0 } else { 1.0 };
            of_day * growth * random.log_normal(0.0, 0.08)
        });
        let mut sum = 0.0;
        let sums: Vec<f64> = weights
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        sums.iter().map(|upto| (upto / sum * self.events as f64).round() as u64).collect()
    }

    /// Makes a session that begins on a day, with at most `most` rows. Returns how many it has.
    fn session(&mut self, day: usize, most: usize, rows: &mut Vec<Row>) -> u64 {
        self.session_count += 1;
        let number = self.session_count;
        let random = &mut Random::new(hash(hash(self.settings.seed, 2) ^ self.number, number));
        let session = self.visit(day, number, random);
        let offset = self.world.places.countries[session.country as usize].utc_offset_hours;
        let hour = (self.hours.draw(random) as f64 + random.unit() - offset).rem_euclid(24.0);
        let first_row = rows.len();
        let mut time = FIRST_DAY_MS + day as i64 * DAY_MS + (hour * 3_600_000.0) as i64;
        let views = if random.chance(0.3) { 1 } else { random.geometric(3.3) };
        'views: for _ in 0..views {
            let page = self.world.pages.choice.draw(random) as u32;
            let events = if random.chance(0.09) { random.geometric(1.6) } else { 0 };
            for nth in 0..=events {
                let made = rows.len() - first_row;
                if made == most.min(ROWS_OF_SESSION_MAX) {
                    break 'views;
                }
                let event = (nth > 0).then(|| self.event(random));
                if made > 0 {
                    // Events follow their page view sooner than the next page does.
                    let middle = if event.is_some() { 1.7 } else { 3.3 };
                    time += (random.log_normal(middle, 1.1).min(PAUSE_SECONDS_MAX) * 1_000.0) as i64;
                }
                rows.push(Row { time, session, page, event });
            }
        }
        if day + 1 == self.settings.days {
            let beyond = time - (FIRST_DAY_MS + (day as i64 + 1) * DAY_MS - 1);
            rows[first_row..].iter_mut().for_each(|row| row.time -= beyond.max(0));
        }
        (rows.len() - first_row) as u64
    }

    fn visit(&self, day: usize, number: u64, random: &mut Random) -> Session {
        // Somewhat more than half of the sessions are by people who come once, the others by a circle of which few
        // come often.
        let circle = (self.events as f64 * 0.035).max(1_000.0);
        let person =
            if random.chance(0.52) { number | 1 << 40 } else { (circle * random.unit().powf(2.2)) as u64 };
        let person = person | self.number << 48;
        let of_day = if self.settings.has_stable_ids { 0 } else { hash(day as u64, 3) << 1 };
        let World { places, referrers, devices, campaigns, .. } = self.world;
        let country = places.choice.at(unit(person, 1));
        let device = devices.list[self.world.device_choice.at(unit(person, 2))];
        let referrer = referrers.choice.draw(random);
        let is_tagged = random.chance(0.16);
        let mut some = |values: &[String], share: f64| {
            let exponent = 1.0 + random.unit();
            let at = (values.len() as f64 + 1.0).powf(random.unit().powf(exponent)) as usize - 1;
            if is_tagged && random.chance(share) { at.min(values.len() - 1) as u32 } else { NONE }
        };
        let campaign = [
            some(&campaigns.sources, 1.0),
            some(&campaigns.mediums, 1.0),
            some(&campaigns.campaigns, 0.92),
            some(&campaigns.contents, 0.45),
            some(&campaigns.terms, 0.35),
        ];
        let channel = match campaign[1] {
            NONE => referrers.channel_of[referrer],
            medium => [
                "Paid Search",
                "Email",
                "Organic Social",
                "Referral",
                "Display",
                "Affiliates",
                "Organic Video",
                "Organic Search",
            ][medium as usize],
        };
        Session {
            id: number,
            visitor: hash(person ^ of_day, self.settings.seed),
            referrer: referrer as u32,
            channel,
            country: country as u32,
            place: places.countries[country].city(unit(person, 3)),
            language: places.countries[country].language(unit(person, 4)),
            device,
            screen: device.screen(unit(person, 5)),
            campaign,
        }
    }

    fn event(&self, random: &mut Random) -> Event {
        let events = &self.world.events;
        let name = events.choice.draw(random);
        let mut values = [NONE; 4];
        let keys = &events.keys_of[name];
        let count = 1 + random.below(keys.len());
        for (value, &key) in values.iter_mut().zip(&keys[..count]) {
            *value = events.value_choices[key].draw(random) as u32;
        }
        let has_duration = name % 3 != 1 && random.chance(0.55);
        let duration = has_duration.then(|| random.log_normal(2.6, 1.0).clamp(1.0, 3_600.0) as i32);
        Event { name: name as u32, duration, is_quiet: name % 4 == 3, values }
    }
}
