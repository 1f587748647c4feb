//! What only the writer can see: the codes that it gives to texts.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::{Core, StoreOptions};
use crate::event::{Event, Kind, Texts};
use crate::schema::Column;
use crate::segment::Sought;
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
