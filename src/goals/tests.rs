use super::*;

fn named(name: &str) -> GoalSpec {
    GoalSpec { name: name.into(), ..GoalSpec::default() }
}

fn on_path(path: &str) -> GoalSpec {
    GoalSpec { path_pattern: Some(path.into()), ..named("goal") }
}

fn fault_of(spec: GoalSpec) -> &'static str {
    Goal::new("id".into(), spec, 0).expect_err("the goal was taken").field
}

#[test]
fn wildcards_become_patterns() {
    for (path, want) in [
        ("/", "(?i)^/$"),
        ("/blog/*", "(?i)^/blog/[^/]*$"),
        ("/blog/**", "(?i)^/blog/.*$"),
        ("/*/edit", "(?i)^/[^/]*/edit$"),
        ("**/thanks", "(?i)^.*/thanks$"),
        ("/a.b+c?(d)|[e]{f}^$", "(?i)^/a\\.b\\+c\\?\\(d\\)\\|\\[e\\]\\{f\\}\\^\\$$"),
        ("/back\\slash", "(?i)^/back\\\\slash$"),
        ("/my-page_1~#&", "(?i)^/my-page_1~#&$"),
        ("/für/*", "(?i)^/für/[^/]*$"),
        ("/***", "(?i)^/.*[^/]*$"),
        ("", "(?i)^$"),
    ] {
        assert_eq!(wildcards_to_pattern(path), want, "{path}");
        assert!(pattern::compile(want).is_ok(), "{want}");
    }
}

#[test]
fn wildcards_match_what_they_say() {
    for (path, matches, others) in [
        ("/blog/*", &["/blog/", "/blog/a", "/Blog/A-b"][..], &["/blog", "/blog/a/b", "/x/blog/a"][..]),
        ("/blog/**", &["/blog/", "/blog/a", "/blog/a/b/"], &["/blog", "/blogs/a"]),
        ("/a.html", &["/a.html", "/A.HTML"], &["/aXhtml", "/a.html/"]),
        ("/*/x", &["/a/x", "//x"], &["/a/b/x", "/x"]),
    ] {
        let pattern = pattern::compile(&wildcards_to_pattern(path)).unwrap();
        assert!(matches.iter().all(|path| pattern.is_match(path)), "{path}: {matches:?}");
        assert!(!others.iter().any(|path| pattern.is_match(path)), "{path}: {others:?}");
    }
}

#[test]
fn empty_texts_and_zeros_are_nothing() {
    let spec = GoalSpec {
        name: " Read ".into(),
        path_pattern: Some(" /a/* ".into()),
        tags: vec![" author ".into(), String::new(), "author".into(), "a=b=c".into()],
        event_name: Some("  ".into()),
        event_meta_key: Some(String::new()),
        custom_metric_kind: Some(MetricKind::Integer),
        visitor_goal: Some(0),
        cr_goal: Some(0.0),
        custom_metric_avg_goal: Some(0.0),
        ..GoalSpec::default()
    };
    let goal = Goal::new("id".into(), spec, 7).unwrap();
    assert_eq!((goal.name.as_str(), goal.path_pattern.as_deref()), ("Read", Some("/a/*")));
    assert_eq!(goal.pattern.as_deref(), Some("(?i)^/a/[^/]*$"));
    assert_eq!(goal.tags, ["author", "a=b=c"]);
    let GoalSpec { event_name, event_meta_key, custom_metric_kind, .. } = goal.spec.clone();
    assert_eq!((event_name, event_meta_key, custom_metric_kind), (None, None, None));
    assert_eq!((goal.visitor_goal, goal.cr_goal, goal.custom_metric_avg_goal), (None, None, None));
    assert_eq!((goal.created, goal.modified, goal.reached), (7, 7, None));
}

#[test]
fn goals_that_make_no_sense_are_refused() {
    let event = |name: &str| GoalSpec { event_name: Some(name.into()), ..named("goal") };
    let with_tag = |tag: &str| GoalSpec { tags: vec![tag.into()], ..named("goal") };
    for (spec, field) in [
        (named(""), "name"),
        (GoalSpec { name: "n".repeat(201), ..on_path("/") }, "name"),
        (named("goal"), "path_pattern"),
        (on_path("blog"), "path_pattern"),
        (on_path(&format!("/{}", "a".repeat(2_000))), "path_pattern"),
        (on_path(&format!("/{}", ".".repeat(1_500))), "path_pattern"),
        (event(&"e".repeat(201)), "event_name"),
        (GoalSpec { event_meta_value: Some("v".into()), ..event("e") }, "event_meta_key"),
        (GoalSpec { custom_metric_key: Some("k".into()), ..on_path("/") }, "event_name"),
        (GoalSpec { custom_metric_total_goal: Some(1.0), ..event("e") }, "custom_metric_key"),
        (GoalSpec { cr_goal: Some(100.5), ..on_path("/") }, "cr_goal"),
        (GoalSpec { cr_goal: Some(-1.0), ..on_path("/") }, "cr_goal"),
        (GoalSpec { cr_goal: Some(f64::NAN), ..on_path("/") }, "cr_goal"),
        (with_tag("=value"), "tags"),
        (with_tag(&"t".repeat(102)), "tags"),
        (GoalSpec { tags: (0..21).map(|n| n.to_string()).collect(), ..named("goal") }, "tags"),
    ] {
        assert_eq!(fault_of(spec.clone()), field, "{spec:?}");
    }
    for spec in [on_path("/"), on_path("**"), event("e"), with_tag("author")] {
        assert!(Goal::new("id".into(), spec.clone(), 0).is_ok(), "{spec:?}");
    }
    let meta_only = GoalSpec { event_meta_key: Some("k".into()), ..named("goal") };
    assert!(Goal::new("id".into(), meta_only, 0).is_ok());
}

#[test]
fn a_metric_is_any_number_unless_it_is_said_to_be_whole() {
    let spec = |kind| GoalSpec {
        event_name: Some("bought".into()),
        custom_metric_key: Some("amount".into()),
        custom_metric_kind: kind,
        ..named("goal")
    };
    for (kind, want) in [(None, MetricKind::Float), (Some(MetricKind::Integer), MetricKind::Integer)] {
        assert_eq!(Goal::new("id".into(), spec(kind), 0).unwrap().custom_metric_kind, Some(want));
    }
    assert_eq!(MetricKind::named("integer"), Some(MetricKind::Integer));
    assert_eq!(MetricKind::named("Float"), None);
}

#[test]
fn a_reached_goal_stays_reached_until_it_asks_for_something_else() {
    let mut goal = Goal::new("id".into(), on_path("/a"), 1).unwrap();
    goal.reached = Some(5);
    goal.replace(GoalSpec { name: "other".into(), email_reached: true, ..on_path("/a") }, 9).unwrap();
    assert_eq!((goal.name.as_str(), goal.reached, goal.created, goal.modified), ("other", Some(5), 1, 9));
    let before = goal.clone();
    assert!(goal.replace(named(""), 10).is_err());
    assert_eq!(goal, before);
    goal.replace(GoalSpec { visitor_goal: Some(10), ..on_path("/a") }, 8).unwrap();
    assert_eq!((goal.reached, goal.modified), (None, 9));
}
