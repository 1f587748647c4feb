//! From counts to a report: which groups are in the answer, in which order, under which names.
//!
//! Strings are looked up only for groups that can be in the answer: when the order is by a number and there is a
//! limit, groups below the limit's number are dropped first.

use super::groups::{Groups, KEY_COLUMNS_MAX, KeyTexts};
use super::metadata::KeySets;
use super::{Group, GroupRow, Metrics, Order, Query, Report};
use crate::scan::count::{Extra, Slot};
use crate::segment::table::Dictionary;

/// What names groups.
pub(super) struct Grouping<'g, 'a> {
    pub groups: &'g Groups<'a>,
    /// For each source, the dictionaries of the key's columns.
    pub dictionaries: &'g [Vec<Dictionary<'a>>],
    pub key_sets: &'g KeySets<'a>,
}

/// The counts of one group, as a counter gives them.
type Counts = (Slot, Extra);

/// Makes the report. `fixed` groups are all in it, in their own order; otherwise those that occur are.
pub(super) fn make(
    query: &Query,
    counts: &[Counts],
    fixed: Option<usize>,
    grouping: &Grouping<'_, '_>,
) -> Report {
    let limit = query.limit.unwrap_or(usize::MAX);
    let (chosen, texts) = match fixed {
        Some(count) => ((0..count as u32).take(limit).collect(), Vec::new()),
        None => choose(query.order, limit, counts, grouping),
    };
    let key_count = match &query.group {
        Group::All | Group::Buckets(_) | Group::Cycle { .. } => 0,
        Group::Columns(columns) => columns.len().min(KEY_COLUMNS_MAX),
        Group::Entry(with_title) | Group::Exit(with_title) => 1 + usize::from(*with_title),
        Group::MetaValue(_) => 1,
    };
    let mut meta_keys =
        if query.measures.meta_keys { grouping.key_sets.of_groups(&chosen) } else { Vec::new() }.into_iter();
    let row = |(at, &group): (usize, &u32)| GroupRow {
        keys: texts.get(at).map_or(Vec::new(), |texts: &KeyTexts<'_>| {
            texts.iter().take(key_count).map(|&text| text.to_owned()).collect()
        }),
        metrics: counts.get(group as usize).map(metrics).unwrap_or_default(),
        meta_keys: meta_keys.next().unwrap_or_default(),
    };
    Report { rows: chosen.iter().enumerate().map(row).collect() }
}

/// The groups in the answer, in order, with their texts.
fn choose<'a>(
    order: Order,
    limit: usize,
    counts: &[Counts],
    grouping: &Grouping<'_, 'a>,
) -> (Vec<u32>, Vec<KeyTexts<'a>>) {
    let occurring = counts.iter().zip(0u32..).filter(|((slot, _), _)| slot.sessions > 0);
    let mut groups: Vec<(u64, u32)> =
        occurring.map(|((slot, _), group)| (rank(order, slot), group)).collect();
    if limit == 0 {
        return (Vec::new(), Vec::new());
    }
    if order != Order::Keys && groups.len() > limit {
        let (_, (lowest, _), _) = groups.select_nth_unstable_by(limit - 1, |a, b| b.0.cmp(&a.0));
        let lowest = *lowest;
        groups.retain(|(rank, _)| *rank >= lowest);
    }
    let mut named: Vec<(u64, KeyTexts<'a>, u32)> = groups
        .into_iter()
        .map(|(rank, group)| (rank, grouping.groups.texts(group, grouping.dictionaries), group))
        .collect();
    let compare =
        |a: &(u64, KeyTexts<'a>, u32), b: &(u64, KeyTexts<'a>, u32)| b.0.cmp(&a.0).then(a.1.cmp(&b.1));
    if named.len() > limit {
        named.select_nth_unstable_by(limit - 1, compare);
        named.truncate(limit);
    }
    named.sort_unstable_by(compare);
    named.into_iter().map(|(_, texts, group)| (group, texts)).unzip()
}

fn rank(order: Order, slot: &Slot) -> u64 {
    match order {
        Order::Visitors => u64::from(slot.visitors),
        Order::Sessions => u64::from(slot.sessions),
        Order::Views => slot.views,
        Order::Keys => 0,
    }
}

fn metrics((slot, extra): &Counts) -> Metrics {
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
    }
}
