//! Exact counts for each group, distinct visitors and sessions included, in one pass.
//!
//! Sessions are offered in an order in which those of one visitor on one day are neighbours. Each group remembers
//! the stamp of the visitor and of the session that it saw last, and counts when the stamp changes. A visitor
//! that may turn up again in a later day's sessions is *recurring*: it is not counted by stamps but collected as
//! (group, visitor) pairs, which are sorted and counted once at the end.
//!
//! Invariants: stamps start at 1, a session's stamp is unique in a count, a visitor's is that of its first
//! session on the day; `slots` and `extras` have the same length.

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

/// The session that is being counted.
#[derive(Debug, Clone, Copy)]
pub struct Current {
    /// The session's stamp.
    pub stamp: u32,
    /// Whether it bounced.
    pub bounced: bool,
    /// Whether its visitor may have sessions on other days.
    pub recurring: bool,
}

/// Pairs that are collected before duplicates are dropped for the first time.
const PAIR_COUNT_FIRST: usize = 1 << 20;

/// The counts of all groups. Groups appear when they are first counted.
#[derive(Debug, Default)]
pub struct Counter {
    slots: Vec<Slot>,
    extras: Vec<Extra>,
    pairs: Vec<(u32, u64)>,
    pair_count_max: usize,
    visitor: u64,
    visitor_stamp: u32,
}

impl Counter {
    /// A counter that has this many groups from the start.
    pub fn new(group_count: usize) -> Self {
        Self {
            slots: vec![Slot::default(); group_count],
            extras: vec![Extra::default(); group_count],
            pair_count_max: PAIR_COUNT_FIRST,
            ..Self::default()
        }
    }

    /// Starts a day: the sessions that follow are in visitor order among themselves.
    pub fn begin_day(&mut self) {
        self.visitor_stamp = 0;
    }

    /// Names the visitor of the sessions that follow.
    #[inline]
    pub fn enter(&mut self, visitor: u64, session_stamp: u32) {
        if self.visitor != visitor || self.visitor_stamp == 0 {
            self.visitor = visitor;
            self.visitor_stamp = session_stamp;
        }
    }

    /// Counts `views` of the session in the group. Returns whether the group meets the session for the first time.
    #[inline]
    pub fn add(&mut self, group: u32, session: Current, views: u64) -> bool {
        let Some(slot) = self.slots.get_mut(group as usize) else {
            self.grow(group);
            return self.add(group, session, views);
        };
        slot.views = slot.views.wrapping_add(views);
        if slot.last_visitor != self.visitor_stamp {
            slot.last_visitor = self.visitor_stamp;
            if session.recurring {
                self.pairs.push((group, self.visitor));
            } else {
                slot.visitors += 1;
            }
        }
        let is_new = slot.last_session != session.stamp;
        if is_new {
            slot.last_session = session.stamp;
            slot.sessions += 1;
            slot.bounces += u32::from(session.bounced);
        }
        is_new
    }

    /// The group's sums; the group must have been counted.
    #[inline]
    pub fn extra(&mut self, group: u32) -> Option<&mut Extra> {
        self.extras.get_mut(group as usize)
    }

    /// Keeps the pairs within about twice the number of distinct ones. To be called now and then.
    pub fn trim(&mut self) {
        if self.pairs.len() >= self.pair_count_max {
            self.sort_pairs();
            self.pair_count_max = PAIR_COUNT_FIRST.max(2 * self.pairs.len());
        }
    }

    /// Adds the recurring visitors and gives the groups.
    pub fn finish(mut self) -> Vec<(Slot, Extra)> {
        self.sort_pairs();
        for &(group, _) in &self.pairs {
            if let Some(slot) = self.slots.get_mut(group as usize) {
                slot.visitors += 1;
            }
        }
        self.slots.into_iter().zip(self.extras).collect()
    }

    fn sort_pairs(&mut self) {
        self.pairs.sort_unstable();
        self.pairs.dedup();
    }

    #[cold]
    fn grow(&mut self, group: u32) {
        let length = (group as usize + 1).max(self.slots.len() * 2);
        self.slots.resize(length, Slot::default());
        self.extras.resize(length, Extra::default());
    }
}
