//! One comparison of the server with the model, and what is printed when they differ.

use serde_json::Value;

use crate::answer::expected;
use crate::compare::difference;
use crate::request::{Request, Style};
use crate::storing::Stored;
use crate::world::{Row, World};

/// How the server's answer differs from the model's.
pub fn mismatch(world: &World, stored: &Stored, request: &Request) -> Option<String> {
    differs(world, expected(world, request).as_ref(), stored, request)
}

/// How the server's answer differs from `expected`; `None` there stands for a refusal.
pub fn differs(
    world: &World,
    expected: Option<&Value>,
    stored: &Stored,
    request: &Request,
) -> Option<String> {
    let answers = stored.ask(world, request);
    answers.iter().zip(WAYS).find_map(|(got, way)| {
        let differs = match expected {
            None => (got.status != 400).then(|| format!("expected status 400, got {}", got.status)),
            Some(_) if got.status != 200 => Some(format!("expected status 200, got {}", got.status)),
            Some(expected) => {
                let body: Value = serde_json::from_slice(&got.body).unwrap();
                difference(expected, &body)
            }
        };
        differs.map(|differs| format!("{way}: {differs}"))
    })
}

/// How [`Stored`] has the worlds, in its order.
const WAYS: [&str; 2] = ["as it came", "from the lake"];

/// The same world with as few visits as still show a difference: half of them is left out, then less and less.
pub fn shrunk(world: &World, request: &Request) -> World {
    let mut small = world.clone();
    let mut size = world.visits.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < small.visits.len() {
            let smaller = small.without(at..(at + size).min(small.visits.len()));
            if mismatch(&smaller, &Stored::new(std::slice::from_ref(&smaller)), request).is_some() {
                small = smaller;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    small
}

/// Takes something out of a request.
type Step = Box<dyn Fn(&mut Request)>;

/// The same request with as little in it as still shows a difference.
fn simplified(world: &World, request: &Request) -> Request {
    let stored = Stored::new(std::slice::from_ref(world));
    let mut simple = request.clone();
    let mut steps: Vec<Step> = vec![
        Box::new(|request| request.style = Style::default()),
        Box::new(|request| request.ignored = None),
        Box::new(|request| request.limit = None),
        Box::new(|request| request.offset = None),
        Box::new(|request| request.sort = None),
        Box::new(|request| request.descending = None),
        Box::new(|request| request.search = None),
        Box::new(|request| request.include_title = None),
        Box::new(|request| request.include_time = None),
        Box::new(|request| request.metric = None),
        Box::new(|request| request.scale = None),
        Box::new(|request| request.times = None),
        Box::new(|request| request.zone = None),
        Box::new(|request| request.filter.pattern.clear()),
        Box::new(|request| request.filter.tag.clear()),
        Box::new(|request| request.filter.tag_values.clear()),
        Box::new(|request| request.filter.meta.clear()),
        Box::new(|request| request.filter.event_meta_key.clear()),
        Box::new(|request| request.filter.session = None),
    ];
    for name in request.filter.texts.keys().copied() {
        steps.push(Box::new(move |request| drop(request.filter.texts.remove(name))));
    }
    for step in steps {
        let mut simpler = simple.clone();
        step(&mut simpler);
        if mismatch(world, &stored, &simpler).is_some() {
            simple = simpler;
        }
    }
    simple
}

/// Everything that is needed to understand a difference.
pub fn report(seed: u64, world: &World, request: &Request) -> String {
    let request = &simplified(world, request);
    let small = shrunk(world, request);
    let stored = Stored::new(std::slice::from_ref(&small));
    let answers = stored.ask(&small, request).into_iter().zip(WAYS);
    let got: Vec<String> = answers
        .map(|(got, way)| format!("  server, {way}: {} {}", got.status, String::from_utf8_lossy(&got.body)))
        .collect();
    let expected = expected(&small, request).map_or("400".into(), |value| value.to_string());
    let parameters: Vec<String> =
        request.parameters().iter().map(|(name, value)| format!("    {name} = {value}")).collect();
    format!(
        "the server and the model differ: {}\n  HITSTONE_SEED={seed} finds it again\n  GET {}?{}\n{}\n{}\n  model: {expected}\n{}\n",
        mismatch(&small, &stored, request).unwrap_or("only beside other sites in the same store".into()),
        request.endpoint,
        request.query(),
        parameters.join("\n"),
        described(&small),
        got.join("\n"),
    )
}

fn described(world: &World) -> String {
    let at = |time: i64| jiff::Timestamp::from_millisecond(time).unwrap();
    let mut lines = vec![format!(
        "  site: zone {}, {:?}, by title {}, active {} s, now {}, {} rows a segment, order of arrival {:?}, goals {:?}",
        world.zone,
        world.week,
        world.group_by_title,
        world.active_seconds,
        at(world.now),
        world.seal_rows,
        world.arrival,
        world.goals,
    )];
    for visit in &world.visits {
        let attributes: Vec<String> = visit
            .attributes
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, text)| format!("{name}={text:?}"))
            .collect();
        let own = if visit.opened_by_event { ", opened by its event" } else { "" };
        lines.push(format!("  visit {} {}{own}: {}", visit.visitor, visit.id, attributes.join(" ")));
        lines.extend(visit.rows.iter().map(|row: &Row| {
            format!(
                "    {} {:?} {:?} {:?} host {:?} event {:?} {:?} tags {:?} duration {:?} quiet {}",
                at(row.time),
                row.kind,
                row.path,
                row.title,
                row.hostname,
                row.name,
                row.meta,
                row.tags,
                row.duration,
                row.non_interactive
            )
        }));
    }
    lines.join("\n")
}
