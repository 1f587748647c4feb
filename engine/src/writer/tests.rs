//! What only the writer can see: the codes that it gives to texts.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::filters::Key;
use super::sealed::{Sealed, SealedSegments};
use super::{Core, StoreOptions};
use crate::event::{Event, Kind, Texts};
use crate::schema::Column;
use crate::segment::{Segment, Sought};
use crate::units::{SiteId, VisitorId};
use crate::vfs::sim::SimFs;

const SITE: SiteId = SiteId(1);

fn view(number: u64, path: &str) -> Event {
    let mut texts = Texts::new();
    texts.set(Column::Path, path);
    Event {
        site: SITE,
        time: 1_780_000_000_000 + number as i64,
        received: None,
        kind: Kind::PageView,
        visitor: VisitorId(number + 1),
        previous_visitor: None,
        user_key: None,
        event_duration: None,
        non_interactive: false,
        may_be_assumed: false,
        status: None,
        texts,
    }
}

/// Columns of so many texts that these are found by their hashes, and of fewer; each file after the first has some that an
/// older one has, too.
#[test]
fn a_text_has_one_code_in_all_segments() {
    for step in [20, 400] {
        let fs = SimFs::new(1);
        let mut core = Core::open(Arc::new(fs), Path::new("/data"), StoreOptions::default()).unwrap();
        let path = |number: u64| format!("/page/{number}");
        for round in 0..4 {
            let events: Vec<Event> = (round * step..(round + 2) * step)
                .map(|number| view(round << 32 | number, &path(number)))
                .collect();
            core.append_events(&events).unwrap();
            core.commit().unwrap();
            core.request_seal();
            let file = core.begin_seal().unwrap().run().unwrap();
            core.finish_seal(file).unwrap();
        }
        assert_eq!(core.sealed.iter().count(), 4);
        let mut given = BTreeSet::new();
        for number in 0..5 * step {
            let text = path(number);
            let in_segment = |round: u64| {
                let segment = &core.sealed.get(round as usize).unwrap().segment;
                let code = segment.site_code(SITE, Column::Path, Sought::from(text.as_str()));
                assert_eq!(code.is_some(), (round * step..(round + 2) * step).contains(&number), "{text}");
                code
            };
            let codes: BTreeSet<u32> = (0..4).filter_map(in_segment).collect();
            assert_eq!(codes.len(), 1, "{text}");
            given.extend(codes);
        }
        assert_eq!(given, (1..=5 * step as u32).collect());
        assert_eq!(core.site_code(SITE, Column::Path, "/another"), 5 * step as u32 + 1);
    }
}

/// Segments come and go, those of a seal with a filter, those of a start and an import without one; whatever was filled by
/// then, all that have a text or a visitor are among those that are asked.
#[test]
fn segments_that_have_something_are_asked_for_it() {
    let mut core = Core::open(Arc::new(SimFs::new(2)), Path::new("/data"), StoreOptions::default()).unwrap();
    let (count, each) = (40u64, 5);
    for round in 0..count {
        let of_round = (0..each).map(|n| view(round << 32 | n, &format!("/{round}/{n}")));
        core.append_events(&of_round.collect::<Vec<_>>()).unwrap();
        core.commit().unwrap();
        core.request_seal();
        let file = core.begin_seal().unwrap().run().unwrap();
        core.finish_seal(file).unwrap();
    }
    let segments: Vec<Arc<Segment>> = core.sealed.iter().map(|sealed| sealed.segment.clone()).collect();
    let sealed =
        |round: u64| Sealed { segment: segments[round as usize].clone(), superseded: Arc::default() };
    let check = |all: &SealedSegments, live: &[u64]| {
        let ids: Vec<_> = all.iter().map(|sealed| sealed.segment.id()).collect();
        assert_eq!(ids, live.iter().map(|&round| segments[round as usize].id()).collect::<Vec<_>>());
        let mut asked = 0;
        for (at, &round) in live.iter().enumerate() {
            for n in 0..each {
                let path = format!("/{round}/{n}");
                let text = Key::of_text(SITE, Column::Path, Sought::from(path.as_str()));
                let visitor = Key::of_visitor(SITE, VisitorId((round << 32 | n) + 1));
                assert!(all.that_may_hold(text).any(|found| found == at), "{path}");
                assert!(all.that_may_hold(visitor).any(|found| found == at), "{path}");
                asked += all.that_may_hold(text).count();
            }
        }
        asked
    };
    let mut live: Vec<u64> = (0..20).collect();
    let mut all = SealedSegments::new(live.iter().map(|&round| sealed(round)).collect(), 0);
    check(&all, &live);
    let mut flying = Vec::new();
    let mut random = 12_345u64;
    for step in 0..400 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (choice, number) = (random >> 33, (random >> 40) % count);
        match choice % 6 {
            0 | 1 if !live.contains(&number) && !flying.iter().any(|(round, _)| *round == number) => {
                flying.push((number, all.take_lane()));
            }
            2 => {
                if let Some((round, lane)) = flying.pop() {
                    lane.fill(&segments[round as usize]);
                    all.push_filled(sealed(round), lane);
                    live.push(round);
                }
            }
            3 if !live.contains(&number) && !flying.iter().any(|(round, _)| *round == number) => {
                all.push(sealed(number));
                live.push(number);
            }
            4 => {
                let goes = |round: u64| (round + step).is_multiple_of(3);
                let gone = all.take_out(|sealed| {
                    goes(segments.iter().position(|own| own.id() == sealed.segment.id()).unwrap() as u64)
                });
                assert_eq!(gone.len(), live.iter().filter(|&&round| goes(round)).count());
                live.retain(|&round| !goes(round));
            }
            5 if step % 20 == 0 => {
                if let Some((_, lane)) = flying.pop() {
                    all.give_back(lane);
                }
            }
            _ => all.fill_next(),
        }
        check(&all, &live);
    }
    (0..count).for_each(|_| all.fill_next());
    assert!(!live.is_empty());
    let asked = check(&all, &live);
    assert!(asked < 2 * live.len() * each as usize, "{asked} are asked when all are filled");
}
