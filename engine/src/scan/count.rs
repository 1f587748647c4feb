//! Exact counts for each group, distinct visitors and sessions included, in one pass.
//!
//! Sessions are offered in runs, within which those of one visitor are neighbours. Each group remembers the stamp
//! of the visitor and of the session that it saw last, and counts when the stamp changes. A visitor that may turn
//! up in another run is *recurring*: it is not counted by stamps but by its number, once everything was seen.
//!
//! Invariants: stamps start at 1, a session's stamp is unique in a count, a visitor's is that of its first
//! session in the run; a visitor is recurring in all runs or in none; `extras` is as long as `slots`, or empty when
//! nothing of it was asked for.

use super::batch::{Batch, whole_seconds};
use super::distinct::Distinct;
use crate::segment::table::{FLAG_FIRST, Narrow, Ranks, ShapedStates, States, Times, U64s, Visitors};

/// The counts of one group.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slot {
    last_visitor: u32,
    last_session: u32,
    /// Distinct visitors; complete once [`Counter::finish`] has added the recurring ones.
    pub visitors: u32,
    /// Distinct sessions.
    pub sessions: u32,
    /// Distinct sessions that bounced.
    pub bounces: u32,
    /// What was counted.
    pub views: u64,
}

/// The sums of one group that are seldom asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extra {
    /// Whole seconds of the sessions.
    pub duration_seconds: u64,
    /// Sessions of at least a second.
    pub duration_count: u64,
    /// Whole seconds spent on pages.
    pub page_seconds: u64,
    /// Views of at least a second.
    pub page_count: u64,
    /// Seconds that rows carry themselves.
    pub event_seconds: u64,
}

/// The sessions of visitors that may have sessions in other runs.
#[derive(Debug, Clone, Copy)]
pub struct Recurrence<'a> {
    /// Where each session has its visitor's number.
    pub places: Ranks<'a>,
    /// The numbers, which are the same in all runs.
    pub numbers: &'a [u32],
}

/// The session columns that counting needs, equally long.
#[derive(Clone, Copy)]
pub struct SessionColumns<'a> {
    /// Visitors, as far as they are at hand.
    pub visitors: Visitors<'a>,
    /// When rows happened.
    pub times: Times<'a>,
    /// Views and flags of each session.
    pub states: States<'a>,
    /// The flag of a bounce.
    pub bounce: u8,
    /// Sessions of visitors that may have sessions in other runs.
    pub recurring: Option<Recurrence<'a>>,
    /// The stamp of session 0.
    pub stamp_first: u32,
}

impl SessionColumns<'_> {
    /// The times of a session's first and last row.
    #[inline]
    fn extent(&self, session: usize) -> Option<(i64, i64)> {
        Some((self.times.start(session)?, self.times.last(session)?))
    }

    /// The number of the visitor of a session, when it is recurring.
    #[inline]
    fn recurring(&self, session: usize) -> u32 {
        let number =
            |recurring: Recurrence<'_>| recurring.numbers.get(recurring.places.place(session)?).copied();
        self.recurring.and_then(number).unwrap_or(NOT_RECURRING)
    }
}

/// What is measured beyond the counts.
#[derive(Debug, Clone, Copy)]
pub struct Extras<'a> {
    /// Session durations.
    pub durations: bool,
    /// Seconds that rows carry, plus one.
    pub event_seconds: Option<U64s<'a>>,
}

/// The counts of all groups.
#[derive(Debug, Default)]
pub struct Counts {
    /// What every group has.
    pub slots: Vec<Slot>,
    extras: Vec<Extra>,
    has_extras: bool,
}

/// The counts of one group that are added to those of another count, or taken off it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "named after what they are added to")]
pub struct Numbers {
    pub visitors: i64,
    pub sessions: i64,
    pub views: i64,
    pub bounces: i64,
    pub duration_seconds: i64,
    pub duration_count: i64,
    pub page_seconds: i64,
    pub page_count: i64,
    pub event_seconds: i64,
}

/// Numbers of many groups, column by column. One that is empty has zeros; the others are equally long.
#[derive(Debug, Clone, Copy, Default)]
#[allow(missing_docs, reason = "named after what they are added to")]
pub struct NumberColumns<'n> {
    pub visitors: &'n [u32],
    pub sessions: &'n [u32],
    pub views: &'n [u64],
    pub bounces: &'n [u32],
    pub duration_seconds: &'n [u64],
    pub duration_count: &'n [u64],
    pub page_seconds: &'n [u64],
    pub page_count: &'n [u64],
    pub event_seconds: &'n [u64],
}

impl Counts {
    /// The counts of one group as numbers that can be added to another's.
    pub fn numbers(&self, group: usize) -> Numbers {
        let (slot, extra) = self.get(group).unwrap_or_default();
        Numbers {
            visitors: slot.visitors.into(),
            sessions: slot.sessions.into(),
            views: slot.views as i64,
            bounces: slot.bounces.into(),
            duration_seconds: extra.duration_seconds as i64,
            duration_count: extra.duration_count as i64,
            page_seconds: extra.page_seconds as i64,
            page_count: extra.page_count as i64,
            event_seconds: extra.event_seconds as i64,
        }
    }

    /// Adds numbers to a group, for which room is made. What was not asked for is left out. Sums wrap around, so that
    /// only those at the end, once everything is added and taken off, must fit.
    pub fn add(&mut self, group: usize, numbers: &Numbers) {
        if group >= self.slots.len() {
            self.slots.resize(group + 1, Slot::default());
        }
        let slot = &mut self.slots[group];
        slot.visitors = slot.visitors.wrapping_add(numbers.visitors as u32);
        slot.sessions = slot.sessions.wrapping_add(numbers.sessions as u32);
        slot.views = slot.views.wrapping_add(numbers.views as u64);
        slot.bounces = slot.bounces.wrapping_add(numbers.bounces as u32);
        if !self.has_extras {
            return;
        }
        if group >= self.extras.len() {
            self.extras.resize(group + 1, Extra::default());
        }
        let extra = &mut self.extras[group];
        extra.duration_seconds = extra.duration_seconds.wrapping_add(numbers.duration_seconds as u64);
        extra.duration_count = extra.duration_count.wrapping_add(numbers.duration_count as u64);
        extra.page_seconds = extra.page_seconds.wrapping_add(numbers.page_seconds as u64);
        extra.page_count = extra.page_count.wrapping_add(numbers.page_count as u64);
        extra.event_seconds = extra.event_seconds.wrapping_add(numbers.event_seconds as u64);
    }

    /// Makes room for this many groups.
    pub fn reserve(&mut self, group_count: usize) {
        let count = self.slots.len().max(group_count);
        self.slots.resize(count, Slot::default());
        if self.has_extras {
            self.extras.resize(count, Extra::default());
        }
    }

    /// Adds numbers to the groups at these places, one for each; those of groups without room are left out. What was not
    /// asked for is, too. Sums wrap around.
    #[inline(never)]
    pub fn add_columns(&mut self, groups: &[u32], numbers: &NumberColumns<'_>) {
        let NumberColumns { visitors, sessions, views, bounces, .. } = numbers;
        let counts = visitors.iter().zip(*sessions).zip(views.iter().zip(*bounces));
        for (&group, ((&visitors, &sessions), (&views, &bounces))) in groups.iter().zip(counts) {
            let Some(slot) = self.slots.get_mut(group as usize) else { continue };
            slot.visitors = slot.visitors.wrapping_add(visitors);
            slot.sessions = slot.sessions.wrapping_add(sessions);
            slot.views = slot.views.wrapping_add(views);
            slot.bounces = slot.bounces.wrapping_add(bounces);
        }
        let extras = &mut self.extras;
        let mut add = |column: &[u64], sum: fn(&mut Extra) -> &mut u64| {
            for (&group, &number) in groups.iter().zip(column) {
                if let Some(extra) = extras.get_mut(group as usize) {
                    let sum = sum(extra);
                    *sum = sum.wrapping_add(number);
                }
            }
        };
        add(numbers.duration_seconds, |extra| &mut extra.duration_seconds);
        add(numbers.duration_count, |extra| &mut extra.duration_count);
        add(numbers.page_seconds, |extra| &mut extra.page_seconds);
        add(numbers.page_count, |extra| &mut extra.page_count);
        add(numbers.event_seconds, |extra| &mut extra.event_seconds);
    }

    /// Forgets everything but sums.
    pub fn keep_sums(&mut self) {
        self.slots.fill(Slot::default());
    }

    /// The counts of one group.
    pub fn get(&self, group: usize) -> Option<(Slot, Extra)> {
        let slot = *self.slots.get(group)?;
        Some((slot, self.extras.get(group).copied().unwrap_or_default()))
    }
}

/// The session of a pick.
#[derive(Debug, Clone, Copy)]
struct Who {
    visitor_stamp: u32,
    /// The visitor's number, or [`NOT_RECURRING`].
    recurring: u32,
    bounced: bool,
}

const NOT_RECURRING: u32 = u32::MAX;

/// The counts of all groups for which room was made.
#[derive(Debug, Default)]
pub struct Counter {
    slots: Vec<Slot>,
    extras: Vec<Extra>,
    recurring: Distinct,
    visitor: u64,
    visitor_stamp: u32,
    who: Vec<Who>,
    has_extras: bool,
}

impl Counter {
    /// A counter that has this many groups from the start, with or without room for what is seldom asked for, and that
    /// counts recurring visitors by `recurring`.
    pub fn new(group_count: usize, has_extras: bool, recurring: Distinct) -> Self {
        Self {
            slots: vec![Slot::default(); group_count],
            extras: if has_extras { vec![Extra::default(); group_count] } else { Vec::new() },
            has_extras,
            recurring,
            ..Self::default()
        }
    }

    /// Starts a run: the sessions that follow are in visitor order among themselves.
    pub fn begin_run(&mut self) {
        self.visitor_stamp = 0;
    }

    /// Takes note of the sessions of picks, which follow in visitor order and may repeat; the picks can then be added.
    #[inline(never)]
    pub fn meet(&mut self, columns: &SessionColumns<'_>, sessions: &[u32]) {
        self.who.clear();
        self.who.reserve(sessions.len());
        match (columns.visitors, columns.states) {
            (Visitors::All(visitors), States::Columns(states)) => {
                self.meet_by_ids(columns, sessions, visitors, states.flags);
            }
            (_, States::Shapes(ShapedStates { codes: Narrow::U8(codes), shapes, .. })) => {
                let flags = |code: &u8| shapes.get(usize::from(*code)).map_or(0, |shape| shape.flags);
                self.meet_by_flags(columns, sessions, |session| codes.get(session).map_or(0, flags));
            }
            (_, States::Shapes(ShapedStates { codes: Narrow::U16(codes), shapes, .. })) => {
                let flags = |code: &u16| shapes.get(usize::from(*code)).map_or(0, |shape| shape.flags);
                self.meet_by_flags(columns, sessions, |session| codes.get(session).map_or(0, flags));
            }
            (_, states) => self.meet_by_flags(columns, sessions, |session| states.flags(session)),
        }
    }

    #[inline]
    fn meet_by_ids(
        &mut self,
        columns: &SessionColumns<'_>,
        sessions: &[u32],
        visitors: &[u64],
        flags: &[u8],
    ) {
        let (mut current, mut stamp) = (self.visitor, self.visitor_stamp);
        self.who.extend(sessions.iter().map(|&session| {
            let at = session as usize;
            let visitor = visitors.get(at).copied().unwrap_or(0);
            let is_new = visitor != current || stamp == 0;
            stamp = if is_new { columns.stamp_first + session } else { stamp };
            current = visitor;
            let bounced = flags.get(at).is_some_and(|flags| flags & columns.bounce != 0);
            Who { visitor_stamp: stamp, recurring: columns.recurring(at), bounced }
        }));
        (self.visitor, self.visitor_stamp) = (current, stamp);
    }

    /// Where visitors are not at hand, flags say which sessions are the first of theirs.
    #[inline]
    fn meet_by_flags(&mut self, columns: &SessionColumns<'_>, sessions: &[u32], flags: impl Fn(usize) -> u8) {
        let (mut before, mut visitor_stamp) = (u32::MAX, 0);
        let (mut bounced, mut recurring) = (false, NOT_RECURRING);
        for &session in sessions {
            if session != before {
                let own = flags(session as usize);
                // Some sessions may have been left out, so the first one of the visitor is looked for.
                let (mut first, mut of_first) = (session, own);
                while of_first & FLAG_FIRST == 0 && first > 0 && first != before {
                    first -= 1;
                    of_first = flags(first as usize);
                }
                visitor_stamp = if first == before { visitor_stamp } else { columns.stamp_first + first };
                bounced = own & columns.bounce != 0;
                recurring = columns.recurring(session as usize);
                before = session;
            }
            self.who.push(Who { visitor_stamp, recurring, bounced });
        }
    }

    /// Counts a batch of sessions, which were met last.
    #[inline(never)]
    pub fn add_sessions(&mut self, columns: &SessionColumns<'_>, batch: &Batch, extras: Extras<'_>) {
        // The representation is chosen outside the loop.
        match (columns.states, columns.times) {
            (States::Columns(states), Times::Millis(times)) => {
                let views = |session: usize| states.views.get(session).copied().unwrap_or(0);
                let extent = |session, _| {
                    Some((times.start.get(session).copied()?, times.last.get(session).copied()?))
                };
                self.add_each_session(batch, extras, views, extent);
            }
            (states, times) if batch.times.len() == batch.sessions.len() => {
                // They are placed at their last rows' times.
                let extent =
                    |session, at: usize| Some((times.start(session)?, batch.times.get(at).copied()?));
                self.add_each_session(batch, extras, |session| states.views(session), extent);
            }
            (states, times) => {
                let extent = |session, _| Some((times.start(session)?, times.last(session)?));
                self.add_each_session(batch, extras, |session| states.views(session), extent);
            }
        }
    }

    /// Adds the durations of a batch of sessions alone; they need not have been met.
    #[inline(never)]
    pub fn add_durations(&mut self, columns: &SessionColumns<'_>, batch: &Batch, extras: Extras<'_>) {
        if !extras.durations {
            return;
        }
        let picks = batch.sessions.iter().map(|&session| session as usize).zip(&batch.groups);
        if let Times::Seconds(times) = columns.times {
            for (session, &group) in picks {
                if let Some(extra) = self.extras.get_mut(group as usize) {
                    extra.add_seconds(times.length(session).into());
                }
            }
            return;
        }
        for (session, &group) in picks {
            if let Some(extra) = self.extras.get_mut(group as usize) {
                extra.add_duration(columns.extent(session));
            }
        }
    }

    /// `extent` is asked for a session and the number of its pick.
    #[inline]
    fn add_each_session(
        &mut self,
        batch: &Batch,
        extras: Extras<'_>,
        views: impl Fn(usize) -> u32,
        extent: impl Fn(usize, usize) -> Option<(i64, i64)>,
    ) {
        let picks = batch.sessions.iter().zip(&batch.groups).zip(&self.who);
        for (at, ((&session, &group), &who)) in picks.enumerate() {
            let session = session as usize;
            let Some(slot) = self.slots.get_mut(group as usize) else { continue };
            add_visitor(slot, group, who, &mut self.recurring);
            slot.views = slot.views.wrapping_add(u64::from(views(session)));
            slot.sessions += 1;
            slot.bounces += u32::from(who.bounced);
            if extras.durations
                && let Some(extra) = self.extras.get_mut(group as usize)
            {
                extra.add_duration(extent(session, at));
            }
        }
    }

    /// Counts a batch of rows, whose sessions were met last, repeats folded or not.
    #[inline(never)]
    pub fn add_rows(&mut self, columns: &SessionColumns<'_>, batch: &Batch, extras: Extras<'_>) {
        let picks = batch.sessions.iter().zip(&batch.groups);
        if batch.weights.is_empty() {
            self.add_weighted(columns, picks.zip(std::iter::repeat(&1)), extras);
        } else {
            self.add_weighted(columns, picks.zip(&batch.weights), extras);
        }
    }

    #[inline]
    fn add_weighted<'b>(
        &mut self,
        columns: &SessionColumns<'_>,
        picks: impl Iterator<Item = ((&'b u32, &'b u32), &'b u32)>,
        extras: Extras<'_>,
    ) {
        for (((&session, &group), &weight), &who) in picks.zip(&self.who) {
            let stamp = columns.stamp_first + session;
            let session = session as usize;
            let Some(slot) = self.slots.get_mut(group as usize) else { continue };
            add_visitor(slot, group, who, &mut self.recurring);
            slot.views = slot.views.wrapping_add(u64::from(weight));
            let is_new = slot.last_session != stamp;
            slot.last_session = stamp;
            slot.sessions += u32::from(is_new);
            slot.bounces += u32::from(is_new & who.bounced);
            if extras.durations
                && is_new
                && let Some(extra) = self.extras.get_mut(group as usize)
            {
                extra.add_duration(columns.extent(session));
            }
        }
    }

    /// Adds what the rows of a batch carry themselves; before repeats are folded.
    #[inline(never)]
    pub fn add_row_extras(&mut self, batch: &Batch, extras: Extras<'_>) {
        for (&seconds, &group) in batch.page_seconds.iter().zip(&batch.groups) {
            if let Some(extra) = self.extras.get_mut(group as usize) {
                extra.page_seconds = extra.page_seconds.wrapping_add(u64::from(seconds));
                extra.page_count += u64::from(seconds > 0);
            }
        }
        let Some(event_seconds) = extras.event_seconds else { return };
        for (&row, &group) in batch.rows.iter().zip(&batch.groups) {
            if let Some(extra) = self.extras.get_mut(group as usize) {
                let seconds = event_seconds.get(row as usize).saturating_sub(1);
                extra.event_seconds = extra.event_seconds.wrapping_add(seconds);
            }
        }
    }

    /// Keeps what is remembered of recurring visitors small. To be called now and then.
    pub fn trim(&mut self) {
        self.recurring.trim();
    }

    /// Adds what another one has counted of other runs; `places` says which of its groups are which here.
    pub fn absorb(&mut self, other: Self, places: &[u32]) {
        self.reserve(places.iter().max().map_or(0, |&greatest| greatest as usize + 1));
        let Self { slots, extras, has_extras, recurring, .. } = other;
        let theirs = Counts { slots, extras, has_extras };
        let (slots, extras) = (std::mem::take(&mut self.slots), std::mem::take(&mut self.extras));
        let mut own = Counts { slots, extras, has_extras: self.has_extras };
        for (group, &place) in places.iter().enumerate() {
            own.add(place as usize, &theirs.numbers(group));
        }
        (self.slots, self.extras) = (own.slots, own.extras);
        self.recurring.absorb(recurring, places);
    }

    /// Adds the recurring visitors and gives the groups.
    pub fn finish(self) -> Counts {
        let Self { mut slots, extras, has_extras, recurring, .. } = self;
        recurring.finish(|group, count| {
            if let Some(slot) = slots.get_mut(group as usize) {
                slot.visitors += count;
            }
        });
        Counts { slots, extras, has_extras }
    }

    /// Makes room for this many groups. Groups past the room are not counted.
    pub fn reserve(&mut self, group_count: usize) {
        if group_count > self.slots.len() {
            let length = group_count.max(self.slots.len() * 2);
            self.slots.resize(length, Slot::default());
            if self.has_extras {
                self.extras.resize(length, Extra::default());
            }
        }
    }
}

#[inline]
fn add_visitor(slot: &mut Slot, group: u32, who: Who, recurring: &mut Distinct) {
    let is_new = slot.last_visitor != who.visitor_stamp;
    slot.last_visitor = who.visitor_stamp;
    slot.visitors += u32::from(is_new & (who.recurring == NOT_RECURRING));
    if is_new & (who.recurring != NOT_RECURRING) {
        recurring.insert(group, who.recurring);
    }
}

impl Extra {
    #[inline]
    fn add_duration(&mut self, extent: Option<(i64, i64)>) {
        let Some((start, last)) = extent else { return };
        self.add_seconds(whole_seconds(start, last).max(0) as u64);
    }

    #[inline]
    fn add_seconds(&mut self, seconds: u64) {
        self.duration_seconds = self.duration_seconds.wrapping_add(seconds);
        self.duration_count += u64::from(seconds > 0);
    }
}
