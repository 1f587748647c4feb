//! The sealed segments that are live, and which of them to ask for a text or a visitor.

use std::sync::Arc;

use super::filters::{Bank, Key, LANES};
use crate::manifest::Superseded;
use crate::segment::Segment;

/// Rows of a segment for each word of its filter: with a text and a visitor for each of them, about one in thirty others
/// passes.
const ROWS_PER_WORD: usize = 4;
const FILTER_WORDS_MIN: usize = 1 << 6;
const FILTER_WORDS_MAX: usize = 1 << 17;

/// A sealed segment with what has left it.
pub(super) struct Sealed {
    pub(super) segment: Arc<Segment>,
    pub(super) superseded: Arc<Superseded>,
}

/// Those that are live, the oldest first.
pub(super) struct SealedSegments {
    all: Vec<Sealed>,
    /// The lane of each.
    lanes: Vec<LaneNumber>,
    banks: Vec<Lanes>,
    filter_words: usize,
}

#[derive(Clone, Copy)]
struct LaneNumber {
    bank: usize,
    lane: usize,
}

/// The filters of eight segments, a bit of each mask for each.
struct Lanes {
    bank: Arc<Bank>,
    /// Given to a segment, perhaps to one that is being written.
    taken: u8,
    /// Those that are live and filled.
    filled: u8,
    /// Those that are live and not filled yet: they are asked for everything.
    waiting: u8,
    /// Where the segments are.
    segments: [usize; LANES],
}

/// A place for the filter of a segment that is going to be live.
#[derive(Clone)]
pub(super) struct Lane {
    bank: Arc<Bank>,
    number: LaneNumber,
}

impl Lane {
    /// Fills it, on any thread. Damage is told by those who ask the segment.
    pub(super) fn fill(&self, segment: &Segment) {
        let _ = self.bank.fill(self.number.lane, segment);
    }
}

impl SealedSegments {
    /// Those of a manifest, where a segment is sealed at so many rows.
    pub(super) fn new(segments: Vec<Sealed>, seal_rows: usize) -> Self {
        let filter_words = (seal_rows / ROWS_PER_WORD).clamp(FILTER_WORDS_MIN, FILTER_WORDS_MAX);
        let mut sealed = Self { all: Vec::new(), lanes: Vec::new(), banks: Vec::new(), filter_words };
        segments.into_iter().for_each(|segment| sealed.push(segment));
        sealed
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Sealed> {
        self.all.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Sealed> {
        self.all.iter_mut()
    }

    pub(super) fn get(&self, at: usize) -> Option<&Sealed> {
        self.all.get(at)
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Sealed> {
        self.all.get_mut(at)
    }

    /// Where those are that may have the key.
    pub(super) fn that_may_hold(&self, key: Key) -> impl Iterator<Item = usize> + '_ {
        self.banks.iter().flat_map(move |lanes| {
            let mut asked = lanes.bank.may_hold(key) & lanes.filled | lanes.waiting;
            std::iter::from_fn(move || {
                let lane = (asked != 0).then(|| asked.trailing_zeros() as usize)?;
                asked &= asked - 1;
                lanes.segments.get(lane).copied()
            })
        })
    }

    /// A place for the filter of a segment that is being written.
    pub(super) fn take_lane(&mut self) -> Lane {
        let free = self.banks.iter().position(|lanes| lanes.taken != u8::MAX);
        let at = free.unwrap_or_else(|| {
            let bank = Bank::new(self.filter_words);
            self.banks.push(Lanes { bank, taken: 0, filled: 0, waiting: 0, segments: [0; LANES] });
            self.banks.len() - 1
        });
        let lanes = &mut self.banks[at];
        let lane = lanes.taken.trailing_ones() as usize;
        lanes.taken |= 1 << lane;
        Lane { bank: Arc::clone(&lanes.bank), number: LaneNumber { bank: at, lane } }
    }

    /// Adds a segment whose filter is going to be made; see [`Self::fill_next`].
    pub(super) fn push(&mut self, sealed: Sealed) {
        let lane = self.take_lane();
        let lanes = self.place(sealed, lane.number);
        lanes.waiting |= 1 << lane.number.lane;
    }

    /// Adds a segment with its filter.
    pub(super) fn push_filled(&mut self, sealed: Sealed, lane: Lane) {
        let lanes = self.place(sealed, lane.number);
        lanes.filled |= 1 << lane.number.lane;
    }

    fn place(&mut self, sealed: Sealed, number: LaneNumber) -> &mut Lanes {
        let at = self.all.len();
        self.all.push(sealed);
        self.lanes.push(number);
        let lanes = &mut self.banks[number.bank];
        lanes.segments[number.lane] = at;
        lanes
    }

    /// Makes one of the filters that are not made yet.
    pub(super) fn fill_next(&mut self) {
        let Some(lanes) = self.banks.iter_mut().find(|lanes| lanes.waiting != 0) else { return };
        let lane = lanes.waiting.trailing_zeros() as usize;
        if let Some(sealed) = lanes.segments.get(lane).and_then(|&at| self.all.get(at)) {
            let _ = lanes.bank.fill(lane, &sealed.segment);
        }
        lanes.waiting &= !(1 << lane);
        lanes.filled |= 1 << lane;
    }

    /// Gives a place back that no segment came for.
    pub(super) fn give_back(&mut self, lane: Lane) {
        self.free(lane.number);
    }

    /// Takes some of them out.
    pub(super) fn take_out(&mut self, goes: impl Fn(&Sealed) -> bool) -> Vec<Sealed> {
        let mut gone = Vec::new();
        let all = std::mem::take(&mut self.all).into_iter().zip(std::mem::take(&mut self.lanes));
        for (sealed, number) in all {
            if goes(&sealed) {
                self.free(number);
                gone.push(sealed);
            } else {
                self.banks[number.bank].segments[number.lane] = self.all.len();
                self.all.push(sealed);
                self.lanes.push(number);
            }
        }
        gone
    }

    fn free(&mut self, number: LaneNumber) {
        let lanes = &mut self.banks[number.bank];
        for mask in [&mut lanes.taken, &mut lanes.filled, &mut lanes.waiting] {
            *mask &= !(1 << number.lane);
        }
        while self.banks.last().is_some_and(|lanes| lanes.taken == 0) {
            self.banks.pop();
        }
    }
}
