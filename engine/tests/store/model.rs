//! The model: sessions as a list, the rule as loops. Written for clarity and on its own, from the definitions.

use std::collections::BTreeSet;

use hitstone_engine::event::{Event, Kind};
use hitstone_engine::schema::Column;

const WINDOW: i64 = 30 * 60_000;
const DAY: i64 = 86_400_000;
/// How long a page view may be behind the event that stood for it.
const LAG: i64 = 10_000;

/// What tells one visit from another.
const ORIGIN: [Column; 7] = [
    Column::Referrer,
    Column::ReferrerName,
    Column::UtmSource,
    Column::UtmMedium,
    Column::UtmCampaign,
    Column::UtmContent,
    Column::UtmTerm,
];

/// A row as the sender meant it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub time: i64,
    pub kind: u8,
    pub quiet: bool,
    pub duration: Option<u32>,
    pub status: Option<u16>,
    pub received: Option<i64>,
    /// Hostname, path, title, event name, metadata, tags, event id, source.
    pub texts: Vec<String>,
}

impl Row {
    /// A page view that the event behind it stands for.
    fn is_assumed(&self) -> bool {
        self.kind == 0 && self.quiet
    }

    fn path(&self) -> &str {
        &self.texts[1]
    }
}

/// A session with all it says about itself, and its rows in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub site: u32,
    pub visitor: u64,
    pub day: i64,
    pub n: u32,
    pub user_key: Option<u64>,
    pub attributes: Vec<String>,
    pub rows: Vec<Row>,
}

/// What follows from a session's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub start: i64,
    pub last: i64,
    pub views: u32,
    pub bounced: bool,
    pub entry: Option<String>,
    pub exit: Option<String>,
}

impl Session {
    fn start(&self) -> i64 {
        self.rows.iter().map(|row| row.time).min().unwrap()
    }

    fn last(&self) -> i64 {
        self.rows.iter().map(|row| row.time).max().unwrap()
    }

    /// Rows by time; those of equal time stay in the order in which they came.
    pub fn ordered(&self) -> Vec<Row> {
        let mut rows = self.rows.clone();
        rows.sort_by_key(|row| row.time);
        rows
    }

    pub fn state(&self) -> State {
        let rows = self.ordered();
        let views: Vec<&Row> = rows.iter().filter(|row| row.kind == 0).collect();
        let paths: BTreeSet<&str> = views.iter().map(|row| row.path()).collect();
        // An event that opened the session does not count, unless there is nothing but events.
        let opener = usize::from(!views.is_empty());
        let ends =
            |at: usize| rows[at].kind == 1 && !rows[at].quiet && !(at > 0 && rows[at - 1].is_assumed());
        let interactive = (opener..rows.len()).any(ends);
        let with_path = rows.iter().rfind(|row| !row.path().is_empty());
        State {
            start: self.start(),
            last: self.last(),
            views: views.len() as u32,
            bounced: paths.len() <= 1 && !interactive,
            entry: views.first().map(|row| row.path().to_owned()),
            exit: if views.is_empty() { None } else { with_path.map(|row| row.path().to_owned()) },
        }
    }

    fn is_other_visit(&self, event: &Event) -> bool {
        ORIGIN.into_iter().any(|column| {
            let named = event.texts.get(column);
            !named.is_empty() && named != self.attributes[column.index()]
        })
    }

    /// Whether it begins with an event that stood for this page view, a little while ago.
    fn awaits(&self, view: &Event) -> bool {
        let rows = self.ordered();
        let assumed = &rows[0];
        let wanted = row(view).texts;
        // Hostname, path, source.
        let is_same = [0, 1, 7].iter().all(|text| assumed.texts[*text] == wanted[*text]);
        let in_time = (0..=LAG).contains(&(view.time - assumed.time));
        assumed.is_assumed() && is_same && in_time && (self.names_none() || !self.is_other_visit(view))
    }

    fn names_none(&self) -> bool {
        ORIGIN.iter().all(|column| self.attributes[column.index()].is_empty())
    }
}

#[derive(Debug, Clone, Default)]
pub struct Model {
    pub sessions: Vec<Session>,
}

impl Model {
    pub fn append(&mut self, event: &Event) {
        let visitor = self.visitor_of(event);
        let time = event.time;
        if event.may_be_assumed && self.confirm(event, visitor) {
            return;
        }
        let mut best: Option<(i64, i64, i64, u32, usize)> = None;
        for (index, session) in self.sessions.iter().enumerate() {
            if session.site != event.site.0 || session.visitor != visitor {
                continue;
            }
            let (start, last) = (session.start(), session.last());
            let alive = start - WINDOW < time && time < last + WINDOW;
            let short = last.max(time) - start.min(time) < DAY;
            if !alive || !short || session.is_other_visit(event) {
                continue;
            }
            let distance = if time < start { start - time } else { (time - last).max(0) };
            // Nearest, then later started, then later opened.
            let rank = (distance, -start, -session.day, u32::MAX - session.n, index);
            if best.is_none_or(|known| rank < known) {
                best = Some(rank);
            }
        }
        match best {
            Some((.., index)) => self.sessions[index].rows.push(row(event)),
            None if event.kind == Kind::Ping => {}
            None => self.open(event, visitor),
        }
    }

    /// The page view takes the place of one that an event stood for.
    fn confirm(&mut self, view: &Event, visitor: u64) -> bool {
        let waits = |session: &&mut Session| {
            session.site == view.site.0 && session.visitor == visitor && session.awaits(view)
        };
        let best = self.sessions.iter_mut().filter(waits).min_by_key(|session| {
            ((view.time - session.last()).max(0), -session.start(), -session.day, u32::MAX - session.n)
        });
        let Some(session) = best else { return false };
        let names_none = session.names_none();
        for (known, told) in session.attributes.iter_mut().zip(attributes(view)) {
            if !told.is_empty() && (known.is_empty() || names_none) {
                *known = told;
            }
        }
        session.rows = session.ordered();
        let assumed = &mut session.rows[0];
        *assumed = Row { time: assumed.time, received: assumed.received, ..row(view) };
        true
    }

    fn visitor_of(&self, event: &Event) -> u64 {
        if let Some(older) = event.previous_visitor {
            let goes_on = self.sessions.iter().any(|session| {
                session.site == event.site.0
                    && session.visitor == older.0
                    && session.start() - WINDOW < event.time
                    && event.time < session.last() + WINDOW
                    && event.time - session.start() < DAY
            });
            if goes_on {
                return older.0;
            }
        }
        event.visitor.0
    }

    fn open(&mut self, event: &Event, visitor: u64) {
        let day = event.time.div_euclid(DAY);
        let same_day = |session: &&Session| {
            session.site == event.site.0 && session.visitor == visitor && session.day == day
        };
        let n = self.sessions.iter().filter(same_day).map(|session| session.n + 1).max().unwrap_or(0);
        let on_page = event.kind == Kind::Event && !event.texts.get(Column::Path).is_empty();
        let mut rows = Vec::new();
        if on_page {
            let mut view = row(event);
            view.kind = 0;
            view.quiet = true;
            view.duration = None;
            for text in [3, 4, 6] {
                view.texts[text].clear();
            }
            rows.push(view);
        }
        rows.push(row(event));
        self.sessions.push(Session {
            site: event.site.0,
            visitor,
            day,
            n,
            user_key: event.user_key,
            attributes: attributes(event),
            rows,
        });
    }
}

fn attributes(event: &Event) -> Vec<String> {
    Column::attributes().iter().map(|column| event.texts.get(*column).to_owned()).collect()
}

pub fn row(event: &Event) -> Row {
    Row {
        time: event.time,
        kind: event.kind as u8,
        quiet: event.non_interactive,
        duration: event.event_duration,
        status: event.status,
        received: event.received,
        texts: Column::row_texts().iter().map(|&column| event.texts.get(column).to_owned()).collect(),
    }
}
