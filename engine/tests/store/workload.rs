//! Seeded events: few visitors, times that jump, go back and cross midnight, campaigns, pings, unicode.

use hitstone_engine::event::{Event, Kind, Texts, encode_pairs};
use hitstone_engine::schema::Column;
use hitstone_engine::units::{SiteId, VisitorId};

pub const SITES: [u32; 2] = [1, 7];
const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;

/// A small generator of numbers (xorshift), so that a failure is named by its seed alone.
#[derive(Clone)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        let mut rng = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        rng.next();
        rng
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len() as u64) as usize]
    }
}

/// Makes events around a clock that moves on.
#[derive(Clone)]
pub struct Workload {
    rng: Rng,
    now: i64,
    visitors: u64,
    /// An event whose page view is still on its way.
    overtook: Option<Event>,
    overtakes: bool,
}

impl Workload {
    pub fn new(seed: u64, visitors: u64) -> Self {
        // Half an hour before a midnight.
        let now = 20_000 * DAY - 30 * MINUTE;
        Self { rng: Rng::new(seed), now, visitors, overtook: None, overtakes: false }
    }

    /// Page views whose events overtook them are among the events.
    pub fn with_overtaken(self) -> Self {
        Self { overtakes: true, ..self }
    }

    pub fn batch(&mut self) -> Vec<Event> {
        let count = 1 + self.rng.below(6);
        (0..count).map(|_| self.event()).collect()
    }

    pub fn event(&mut self) -> Event {
        if let Some(event) = self.overtook.take()
            && !self.rng.one_in(3)
        {
            return self.overtaken(event);
        }
        let event = self.any_event();
        if self.overtakes && event.kind == Kind::Event && !event.texts.get(Column::Path).is_empty() {
            self.overtook = Some(event.clone());
        }
        event
    }

    /// The view of the event's page, mostly in time. Sometimes it comes again, is another's, or tells where it came from.
    fn overtaken(&mut self, event: Event) -> Event {
        let rng = &mut self.rng;
        let time = event.time + rng.below(12_000) as i64;
        self.now = self.now.max(time);
        let mut view = Event {
            time,
            kind: Kind::PageView,
            event_duration: None,
            non_interactive: false,
            may_be_assumed: !rng.one_in(8),
            status: rng.one_in(2).then_some(200),
            ..event.clone()
        };
        for column in [Column::EventName, Column::EventMeta, Column::EventId] {
            view.texts.set(column, "");
        }
        view.texts.set(Column::Title, rng.pick(&["", "Home", "Late"]));
        match rng.below(8) {
            0 => view.texts.set(Column::Path, "/elsewhere"),
            1 => view.texts.set(Column::Referrer, "https://a.example"),
            2 => view.texts.set(Column::Hostname, "example.com"),
            _ => {}
        }
        if rng.one_in(3) {
            self.overtook = Some(event);
        }
        view
    }

    fn any_event(&mut self) -> Event {
        let rng = &mut self.rng;
        self.now += match rng.below(10) {
            0..6 => rng.below(2 * MINUTE as u64) as i64,
            6..9 => rng.below(20 * MINUTE as u64) as i64,
            _ => rng.below(DAY as u64) as i64,
        };
        let late = rng.one_in(5);
        let time = if late { self.now - rng.below(2 * DAY as u64) as i64 } else { self.now };
        let person = rng.below(self.visitors);
        let given = person == 0;
        let day = time.div_euclid(DAY) as u64;
        let kind = match rng.below(8) {
            0..5 => Kind::PageView,
            5..7 => Kind::Event,
            _ => Kind::Ping,
        };
        Event {
            site: SiteId(SITES[rng.below(5) as usize / 4]),
            time,
            received: late.then_some(self.now),
            kind,
            visitor: VisitorId(if given { 99 } else { person * 100_000 + day }),
            previous_visitor: (!given).then(|| VisitorId(person * 100_000 + day - 1)),
            user_key: given.then_some(99),
            event_duration: (kind == Kind::Event && rng.one_in(3)).then(|| rng.below(100) as u32),
            non_interactive: kind == Kind::Event && rng.one_in(3),
            may_be_assumed: false,
            status: rng.one_in(9).then_some(404),
            texts: texts(rng, kind),
        }
    }
}

fn texts(rng: &mut Rng, kind: Kind) -> Texts {
    let mut texts = Texts::new();
    texts.set(Column::Hostname, rng.pick(&["example.com", "www.example.com"]));
    if kind == Kind::PageView || !rng.one_in(4) {
        let path = format!("/{}", rng.pick(&["", "a", "b", "prices/ü", "über/uns", "很长的路径", "x/y/z"]));
        texts.set(Column::Path, &path);
        texts.set(Column::Title, rng.pick(&["", "Home", "Títle"]));
    }
    if rng.one_in(6) {
        texts.set(Column::Referrer, rng.pick(&["https://a.example", "https://b.example/x"]));
        texts.set(Column::ReferrerName, rng.pick(&["A", "B"]));
    }
    if rng.one_in(9) {
        texts.set(Column::UtmCampaign, rng.pick(&["spring", "autumn"]));
    }
    texts.set(Column::Country, rng.pick(&["", "de", "jp", "gb"]));
    texts.set(Column::Browser, rng.pick(&["Firefox", "Chrome", ""]));
    texts.set(Column::Platform, rng.pick(&["desktop", "mobile"]));
    texts.set(Column::Source, "pirsch");
    if kind == Kind::Event {
        texts.set(Column::EventName, rng.pick(&["sale", "sign up", "клик"]));
        if rng.one_in(2) {
            let amount = rng.below(50).to_string();
            texts.set(Column::EventMeta, &encode_pairs(&[("amount", amount.as_str()), ("currency", "€")]));
        }
        if rng.one_in(5) {
            texts.set(Column::EventId, &format!("id-{}", rng.next()));
        }
    }
    if kind == Kind::PageView && rng.one_in(4) {
        texts.set(Column::Tags, &encode_pairs(&[("author", rng.pick(&["John", "Jane"]))]));
    }
    texts
}
