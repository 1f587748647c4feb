//! From counts to a report: which groups are in the answer, in which order, under which names.
//!
//! Strings are looked up only for groups that can be in the answer: when the order is by a number and there is a
//! limit, groups below the limit's number are dropped first.

use std::cmp::Ordering;

use hashbrown::HashMap;

use super::groups::{Groups, KEY_COLUMNS_MAX, KeyTexts};
use super::guard::Guard;
use super::metadata::KeySets;
use super::numbers::Sum;
use super::{Group, GroupRow, GroupTest, Metrics, Order, Query, Rank, Report};
use crate::error::QueryError;
use crate::event::Pairs;
use crate::scan::count::{Counts, Extra, Slot};
use crate::segment::table::Dictionary;

/// Groups whose texts are looked at together, unless more are asked for.
const NAMED_AT_ONCE: usize = 1 << 14;

/// What names groups.
pub(super) struct Grouping<'g, 'a> {
    pub groups: &'g Groups<'a>,
    /// For each source, the dictionaries of the key's columns.
    pub dictionaries: &'g [Vec<Dictionary<'a>>],
    pub key_sets: &'g KeySets<'a>,
    /// Which of the key's columns hold pairs.
    pub pairs: Vec<bool>,
    /// The sums of the groups that have any.
    pub sums: &'g [Sum],
}

/// Makes the report. `fixed` groups are all in it, in their own order; otherwise those that occur are.
pub(super) fn make(
    query: &Query,
    counts: &Counts,
    fixed: Option<usize>,
    grouping: &Grouping<'_, '_>,
    guard: &mut Guard<'_>,
) -> Result<Report, QueryError> {
    let limit = query.limit.unwrap_or(usize::MAX);
    let key_count = match &query.group {
        Group::All | Group::Buckets(_) | Group::Clock(_) => 0,
        Group::Columns(columns) => columns.len().min(KEY_COLUMNS_MAX),
        Group::Entry(with_title) | Group::Exit(with_title) => 1 + usize::from(*with_title),
        Group::Pairs(..) => 1,
    };
    let metrics = |group: u32| {
        let counts = counts.get(group as usize).map(metrics).unwrap_or_default();
        let (number_sum, number_count) = grouping.sums.get(group as usize).copied().unwrap_or_default();
        Metrics { number_sum, number_count, ..counts }
    };
    let (chosen, texts) = match fixed {
        Some(count) => ((0..count as u32).take(limit).collect(), Vec::new()),
        None => {
            let occurring = counts.slots.iter().zip(0u32..).filter(|(slot, _)| slot.sessions > 0);
            let mut groups: Vec<u32> = occurring.map(|(_, group)| group).collect();
            if let Some(keep) = &query.keep {
                groups = grouping.kept(groups, key_count, keep, guard)?;
            }
            if query.firsts_only {
                groups = grouping.firsts(groups, guard)?;
            }
            guard.spend(groups.len())?;
            choose(groups, query.order, limit, &metrics, grouping)
        }
    };
    let mut meta_keys =
        if query.measures.meta_keys { grouping.key_sets.of_groups(&chosen) } else { Vec::new() }.into_iter();
    let row = |(at, &group): (usize, &u32)| GroupRow {
        keys: texts.get(at).map_or(Vec::new(), |texts: &KeyTexts<'_>| {
            texts.iter().take(key_count).map(|&text| text.to_owned()).collect()
        }),
        metrics: metrics(group),
        meta_keys: meta_keys.next().unwrap_or_default(),
    };
    Ok(Report { rows: chosen.iter().enumerate().map(row).collect() })
}

/// The groups in the answer, in order, with their texts.
fn choose<'a>(
    groups: Vec<u32>,
    order: Order,
    limit: usize,
    metrics: &dyn Fn(u32) -> Metrics,
    grouping: &Grouping<'_, 'a>,
) -> (Vec<u32>, Vec<KeyTexts<'a>>) {
    if limit == 0 {
        return (Vec::new(), Vec::new());
    }
    let rank = |group: u32| match order.rank {
        Rank::Number(number) if order.ascending => sortable(number(&metrics(group))),
        Rank::Number(number) => !sortable(number(&metrics(group))),
        Rank::Key(_) => 0,
    };
    let mut ranked: Vec<(i64, u32)> = groups.into_iter().map(|group| (rank(group), group)).collect();
    if matches!(order.rank, Rank::Number(_)) && ranked.len() > limit {
        let (_, (last, _), _) = ranked.select_nth_unstable_by_key(limit - 1, |ranked| ranked.0);
        let last = *last;
        ranked.retain(|(rank, _)| *rank <= last);
    }
    let compare = |a: &(i64, KeyTexts<'a>, u32), b: &(i64, KeyTexts<'a>, u32)| {
        let by_key = match order.rank {
            Rank::Key(key) => grouping.compare(key, &a.1, &b.1),
            Rank::Number(_) => a.0.cmp(&b.0),
        };
        let reversed = matches!(order.rank, Rank::Key(_)) && !order.ascending;
        let keys = (0..KEY_COLUMNS_MAX).map(|key| grouping.compare(key, &a.1, &b.1));
        (if reversed { by_key.reverse() } else { by_key }).then(keys.fold(Ordering::Equal, Ordering::then))
    };
    // Any number of groups may have the same rank; of their texts no more are held than are needed to tell.
    let mut named: Vec<(i64, KeyTexts<'a>, u32)> = Vec::new();
    for some in ranked.chunks(limit.max(NAMED_AT_ONCE)) {
        named.extend(some.iter().map(|&(rank, group)| (rank, grouping.texts(group), group)));
        if named.len() > limit {
            named.select_nth_unstable_by(limit - 1, compare);
            named.truncate(limit);
        }
    }
    named.sort_unstable_by(compare);
    named.into_iter().map(|(_, texts, group)| (group, texts)).unzip()
}

/// A whole number that is ordered like the number itself.
fn sortable(number: f64) -> i64 {
    // As `f64::total_cmp` does it, with both zeros alike.
    let bits = (number + 0.0).to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

impl<'a> Grouping<'_, 'a> {
    /// The order of two groups by one of their texts; pairs are in the order of what they hold, not of how it is
    /// written.
    fn compare(&self, key: usize, a: &KeyTexts<'_>, b: &KeyTexts<'_>) -> Ordering {
        let (Some(a), Some(b)) = (a.get(key), b.get(key)) else { return Ordering::Equal };
        if self.pairs.get(key) == Some(&true) { Pairs(a).iter().cmp(Pairs(b).iter()) } else { a.cmp(b) }
    }

    /// The groups whose texts beyond the first are the least among those with the same first text.
    fn firsts(&self, groups: Vec<u32>, guard: &mut Guard<'_>) -> Result<Vec<u32>, QueryError> {
        let mut firsts: HashMap<&str, (u32, KeyTexts<'a>)> = HashMap::new();
        for group in groups {
            let texts = self.texts(group);
            guard.spend_on(&texts)?;
            let first = firsts.entry(texts[0]).or_insert((group, texts));
            let further = (1..KEY_COLUMNS_MAX).map(|key| self.compare(key, &texts, &first.1));
            if further.fold(Ordering::Equal, Ordering::then) == Ordering::Less {
                *first = (group, texts);
            }
        }
        Ok(firsts.into_values().map(|(group, _)| group).collect())
    }

    fn texts(&self, group: u32) -> KeyTexts<'a> {
        self.groups.texts(group, self.dictionaries)
    }

    /// The groups whose first texts pass the test.
    fn kept(
        &self,
        groups: Vec<u32>,
        key_count: usize,
        keep: &GroupTest,
        guard: &mut Guard<'_>,
    ) -> Result<Vec<u32>, QueryError> {
        let mut kept = Vec::new();
        for group in groups {
            let texts = self.texts(group);
            let texts = texts.get(..key_count).unwrap_or_default();
            guard.spend_on(texts)?;
            if keep(texts) {
                kept.push(group);
            }
        }
        Ok(kept)
    }
}

fn metrics((slot, extra): (Slot, Extra)) -> Metrics {
    Metrics {
        visitors: u64::from(slot.visitors),
        sessions: u64::from(slot.sessions),
        views: slot.views,
        bounces: u64::from(slot.bounces),
        duration_seconds: extra.duration_seconds,
        duration_count: extra.duration_count,
        page_seconds: extra.page_seconds,
        page_count: extra.page_count,
        event_seconds: extra.event_seconds,
        ..Metrics::default()
    }
}
