//! Input at the bounds: large texts, large sessions, many sessions. The store goes on and stays exact.

use std::path::Path;

use hitstone_engine::event::{Event, Kind};
use hitstone_engine::index::Needs;
use hitstone_engine::limits;
use hitstone_engine::schema::Column;
use hitstone_engine::units::SiteId;
use hitstone_engine::vfs::Fs;
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::writer::Core;

use crate::dump::{assert_same, of_model, of_snapshot};
use crate::model::Model;
use crate::setup::{FOLDER, open, seal, store, view};

const SITE: u32 = 1;
const MINUTE: i64 = 60_000;
const NOON: i64 = 20_000 * 86_400_000 + 43_200_000;

fn titled(visitor: u64, time: i64, title: &str) -> Event {
    let mut event = view(visitor, time, "/");
    event.texts.set(Column::Title, title);
    event
}

/// A text of its own for each number.
fn long_text(number: u64, bytes: usize) -> String {
    let digits = number.to_string();
    digits.clone() + &"x".repeat(bytes - digits.len())
}

fn check(core: &mut Core, model: &Model, context: &str) {
    assert_same(&of_snapshot(&core.snapshot(), &[SITE]), &of_model(model), context);
}

/// Live sessions with long texts had all been carried over, whatever their texts: the new open segment was as full as
/// the old one, and was sealed again, without end.
#[test]
fn carried_sessions_do_not_fill_the_next_open_segment() {
    let fs = SimFs::new(1);
    let mut core = open(&fs, limits::SEAL_ROWS).unwrap();
    let mut model = Model::default();
    let mut visitor = 0;
    while !core.wants_seal() {
        let batch: Vec<Event> =
            (0..4).map(|n| titled(visitor + n, NOON, &long_text(visitor + n, 1 << 20))).collect();
        store(&mut core, &batch, &mut model);
        visitor += 4;
    }
    seal(&mut core);
    assert!(!core.wants_seal(), "the carried sessions fill the new open segment");
    check(&mut core, &model, "after the seal");
}

/// The same with many short texts of their own: attributes count too.
#[test]
fn carried_sessions_leave_room_for_strings() {
    let fs = SimFs::new(1);
    let mut core = open(&fs, limits::SEAL_ROWS).unwrap();
    let mut visitor = 0u64;
    while !core.wants_seal() {
        let batch: Vec<Event> = (0..1000)
            .map(|n| {
                let mut event = view(visitor + n, NOON, "/");
                for &column in Column::ALL.iter() {
                    event.texts.set(column, &(visitor + n).to_string());
                }
                event
            })
            .collect();
        core.append_events(&batch).unwrap();
        core.commit().unwrap();
        visitor += 1000;
    }
    seal(&mut core);
    assert!(!core.wants_seal(), "the carried sessions fill the new open segment");
}

/// A batch that moved many large sessions made a frame larger than the log takes, which closed the store to writing.
#[test]
fn a_batch_may_move_more_than_a_frame_holds() {
    let fs = SimFs::new(1);
    let mut core = open(&fs, 50).unwrap();
    let mut model = Model::default();
    let title = long_text(7, 1 << 20);
    for visitor in 0..30 {
        let batch: Vec<Event> = (0..3).map(|n| titled(visitor, NOON + n * MINUTE, &title)).collect();
        store(&mut core, &batch, &mut model);
    }
    seal(&mut core);
    let batch: Vec<Event> = (0..30).map(|visitor| view(visitor, NOON + 5 * MINUTE, "/later")).collect();
    store(&mut core, &batch, &mut model);
    check(&mut core, &model, "after the moves");
    let mut core = open(&fs.kill(), 50).unwrap();
    check(&mut core, &model, "after the restart");
}

/// Long sessions had been thought too large to be moved, so an event that came after a seal opened another session.
#[test]
fn a_session_of_many_rows_goes_on_after_a_seal() {
    let fs = SimFs::new(1);
    let mut core = open(&fs, limits::SEAL_ROWS).unwrap();
    let count = 60_000;
    for from in (0..count).step_by(10_000) {
        let title = "long enough that there are more bytes of texts than strings fit";
        let batch: Vec<Event> = (0..10_000).map(|n| titled(5, NOON + from + n, title)).collect();
        core.append_events(&batch).unwrap();
        core.commit().unwrap();
    }
    seal(&mut core);
    core.append_events(&[view(5, NOON + MINUTE, "/last")]).unwrap();
    core.commit().unwrap();
    let content = of_snapshot(&core.snapshot(), &[SITE]);
    let rows: Vec<usize> = content.values().map(|(session, _)| session.rows.len()).collect();
    assert_eq!(rows, [count as usize + 1]);
}

/// A ping whose session was too large to be moved had opened a session; a page view had opened one though another
/// session of the visitor could take it. Both are as they are while the session is in the open segment.
#[test]
fn a_session_full_of_texts_is_full_also_when_sealed() {
    let fill = |core: &mut Core| {
        let title = long_text(1, 1 << 20);
        // The far session is small, the near one is full of texts.
        core.append_events(&[view(1, NOON, "/far")]).unwrap();
        let mut near = titled(1, NOON + 20 * MINUTE, &title);
        near.texts.set(Column::Referrer, "https://a.example");
        core.append_events(&[near]).unwrap();
        for n in 0..3 {
            core.append_events(&[titled(1, NOON + (20 + n) * MINUTE, &title)]).unwrap();
        }
        // Later, so that neither is carried over.
        core.append_events(&[view(2, NOON + 200 * MINUTE, "/")]).unwrap();
        core.commit().unwrap();
    };
    let mut contents = Vec::new();
    for sealed in [false, true] {
        let mut core = open(&SimFs::new(1), 60).unwrap();
        fill(&mut core);
        if sealed {
            seal(&mut core);
        }
        let ping = Event { kind: Kind::Ping, ..view(1, NOON + 51 * MINUTE, "") };
        let receipt = core.append_events(&[ping, view(1, NOON + 24 * MINUTE, "/joins the far one")]).unwrap();
        assert_eq!(receipt.pings_without_session, 1, "sealed: {sealed}");
        core.commit().unwrap();
        contents.push(of_snapshot(&core.snapshot(), &[SITE]));
    }
    assert_same(&contents[1], &contents[0], "sealed and open");
}

/// A smaller setting had made the open segment too small for the log that was there, and the store could not open.
#[test]
fn a_log_written_under_a_larger_setting_is_replayed() {
    let fs = SimFs::new(1);
    let mut core = open(&fs, 200_000).unwrap();
    for from in 0..12u64 {
        let batch: Vec<Event> = (0..10_000).map(|n| view(from * 10_000 + n, NOON, "/")).collect();
        core.append_events(&batch).unwrap();
        core.commit().unwrap();
    }
    drop(core);
    let mut core = open(&fs.kill(), 10).unwrap();
    let sources = core.snapshot().sources(SiteId(SITE), &Needs::everything()).unwrap();
    let rows: u64 = sources.segments.iter().map(|source| source.segment.row_count()).sum();
    assert_eq!(rows, 120_000);
}

/// The same long text again and again takes no room in the open segment, but all of it is in the log, which grew to
/// hundreds of gigabytes before a seal.
#[test]
fn a_long_log_is_sealed_too() {
    let fs = SimFs::new(1);
    let mut core = open(&fs, limits::SEAL_ROWS).unwrap();
    let title = long_text(7, 2 << 20);
    let mut written = 0;
    while !core.wants_seal() {
        core.append_events(&[titled(written as u64, NOON, &title)]).unwrap();
        core.commit().unwrap();
        written += title.len();
        assert!(written < 600 << 20, "the log has {written} bytes");
    }
    seal(&mut core);
    assert!(!core.wants_seal());
}

/// With its log gone the store had opened as if nothing had been in it.
#[test]
fn a_missing_log_stops_the_start() {
    let fs = SimFs::new(1);
    let mut core = open(&fs, 10).unwrap();
    for n in 0..40 {
        core.append_events(&[view(n, NOON, "/")]).unwrap();
        core.commit().unwrap();
        if core.wants_seal() {
            seal(&mut core);
        }
    }
    drop(core);
    let fs = fs.kill();
    let logs: Vec<String> = fs.list(Path::new(FOLDER)).unwrap();
    let log = logs.iter().find(|name| name.starts_with("log-")).unwrap();
    fs.remove(&Path::new(FOLDER).join(log)).unwrap();
    let error = open(&fs, 10).err().expect("a missing log stops the start").to_string();
    assert!(error.contains(log), "{error}");
}

/// Half the views of pages whose events came first were counted twice.
#[test]
fn a_page_view_that_its_event_overtook_is_there_once() {
    const SECOND: i64 = 1_000;
    let said = |event: &Event, column, text: &str| {
        let mut event = event.clone();
        event.texts.set(column, text);
        event
    };
    let event = said(&Event { kind: Kind::Event, ..view(1, NOON, "/a") }, Column::EventName, "Shown");
    let page_view = |after: i64, path: &str| Event { may_be_assumed: true, ..view(1, NOON + after, path) };
    // What comes after the event, and how many page views and sessions there are then.
    for (index, (later, views, sessions)) in [
        (vec![page_view(3 * SECOND, "/a")], 1, 1),
        (vec![page_view(10 * SECOND, "/a")], 1, 1),
        (vec![page_view(10 * SECOND + 1, "/a")], 2, 1),
        (vec![page_view(SECOND, "/b")], 2, 1),
        (vec![said(&page_view(SECOND, "/a"), Column::Hostname, "other.example")], 2, 1),
        (vec![said(&page_view(SECOND, "/a"), Column::Source, "script")], 2, 1),
        (vec![view(1, NOON + SECOND, "/a")], 2, 1),
        // Only once: what comes then is a page that was seen again.
        (vec![page_view(0, "/a"), page_view(0, "/a")], 2, 1),
        (vec![page_view(SECOND, "/a"), page_view(2 * SECOND, "/a")], 2, 1),
        (vec![page_view(SECOND, "/b"), page_view(2 * SECOND, "/a")], 2, 1),
        // Only the page view tells where the visit came from.
        (vec![said(&page_view(SECOND, "/a"), Column::Referrer, "https://news.example")], 1, 1),
    ]
    .into_iter()
    .enumerate()
    {
        for sealed in [false, true] {
            let context = format!("case {index}, sealed: {sealed}");
            let fs = SimFs::new(1);
            let mut core = open(&fs, limits::SEAL_ROWS).unwrap();
            let mut model = Model::default();
            store(&mut core, std::slice::from_ref(&event), &mut model);
            for event in &later {
                if sealed {
                    seal(&mut core);
                }
                store(&mut core, std::slice::from_ref(event), &mut model);
            }
            check(&mut core, &model, &context);
            let found: u32 = model.sessions.iter().map(|session| session.state().views).sum();
            assert_eq!((found, model.sessions.len()), (views, sessions), "{context}");
            core.snapshot().verify().unwrap();
            drop(core);
            check(&mut open(&fs, limits::SEAL_ROWS).unwrap(), &model, &context);
        }
    }
}

/// Whether a visit bounced depended on which of two requests of one page came first.
#[test]
fn what_comes_first_of_an_event_and_its_page_view_changes_nothing() {
    for (non_interactive, pinged) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut view = Event { may_be_assumed: true, ..view(1, NOON, "/a") };
        let mut event = Event { kind: Kind::Event, non_interactive, may_be_assumed: false, ..view.clone() };
        event.texts.set(Column::EventName, "Shown");
        // The event tells less of the visit than its page view.
        view.texts.set(Column::Country, "de");
        view.texts.set(Column::Title, "A");
        let ping = Event { kind: Kind::Ping, time: NOON + 4_000, may_be_assumed: false, ..view.clone() };
        for sealed in [false, true] {
            let found = [[&view, &event], [&event, &view]].map(|order| {
                let context = format!("non-interactive: {non_interactive}, sealed: {sealed}");
                let fs = SimFs::new(1);
                let mut core = open(&fs, limits::SEAL_ROWS).unwrap();
                let mut model = Model::default();
                for (event, after) in
                    order.into_iter().zip([0, 1_000]).chain(pinged.then_some((&ping, 4_000)))
                {
                    let event = Event { time: NOON + after, ..event.clone() };
                    store(&mut core, std::slice::from_ref(&event), &mut model);
                    if sealed {
                        seal(&mut core);
                    }
                }
                check(&mut core, &model, &context);
                drop(core);
                check(&mut open(&fs, limits::SEAL_ROWS).unwrap(), &model, &context);
                let [session] = model.sessions.as_slice() else { panic!("{context}") };
                let state = session.state();
                assert_eq!(state.bounced, non_interactive, "{context}");
                let titles: Vec<_> =
                    session.ordered().iter().map(|row| (row.kind, row.texts[2].clone())).collect();
                (session.attributes.clone(), titles, state.views, state.entry, state.exit)
            });
            assert_eq!(found[0], found[1]);
        }
    }
}
