use std::sync::Arc;

use super::*;
use hitstone_engine::vfs::OsFs;

fn run(file: &StateFile, now: TimestampMs, request: Request) -> Result<Response, AdminError> {
    let beside = tempfile::tempdir().unwrap();
    let lists = ListFile::open(Arc::new(OsFs), beside.path()).unwrap();
    let rejections = Rejections::open(Arc::new(OsFs), beside.path()).unwrap();
    execute(Files { state: file, lists: &lists, rejections: &rejections }, now, request)
}

fn create(file: &StateFile, host: &str) -> Result<Response, AdminError> {
    run(file, 5, Request::SiteCreate { host: host.into() })
}

fn new_client(site: &str, kind: NewClient) -> Request {
    Request::ClientCreate { site: site.into(), kind, description: String::new() }
}

fn new_goal(site: Option<&str>, name: &str) -> Request {
    let goal = GoalSpec { name: name.into(), path_pattern: Some("/a".into()), ..GoalSpec::default() };
    Request::GoalCreate { site: site.map(str::to_owned), goal }
}

fn open(folder: &std::path::Path) -> StateFile {
    StateFile::open(Arc::new(OsFs), folder).unwrap()
}

#[test]
fn sites_and_clients_live_and_die_and_are_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let open = || StateFile::open(Arc::new(OsFs), folder.path()).unwrap();
    let file = open();
    let Ok(Response::SiteCreated { id, client_id, client_secret, .. }) = create(&file, "Example.com") else {
        panic!("no site")
    };
    assert_eq!((id.len(), client_id.len(), client_secret.len()), (10, 32, 64));
    assert!(create(&file, "example.com").is_err());
    let request = new_client("example.com", NewClient::WriteOnly);
    let Ok(Response::AccessKeyCreated { access_key, .. }) = run(&file, 5, request) else { panic!("no key") };
    let request = new_client("example.com", NewClient::Basic);
    let Ok(Response::TrackTokenCreated { track_token, .. }) = run(&file, 5, request) else {
        panic!("no token")
    };
    let view = open().view();
    assert!(view.client(&client_id).is_some());
    assert_eq!(view.site_of_access_key(&access_key).map(|site| site.number), Some(1));
    assert_eq!(view.site_of_track_token(&track_token).map(|site| site.number), Some(1));
    assert!(
        view.site_of_track_token(&access_key).is_none() && view.site_of_access_key(&track_token).is_none()
    );
    let code = view.state.sites[0].identification_code.clone();
    assert!(view.site_of_code(&code).is_some() && view.site_of_code(&id).is_none());
    assert!(view.site_of_public_id(&code).is_some() && view.site_of_public_id(&id).is_some());
    run(&file, 6, Request::SiteDelete { host: id }).unwrap();
    assert!(open().view().site_of_access_key(&access_key).is_none());
    create(&file, "example.com").unwrap();
    assert_eq!(open().view().state.sites[0].number, 2, "numbers are never reused");
    let text = String::from_utf8_lossy(&std::fs::read(folder.path().join("state")).unwrap()).into_owned();
    assert!(!text.contains(&client_secret) && !text.contains(&access_key));
    assert!(!text.contains(&track_token));
}

#[test]
fn settings_are_checked_before_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = StateFile::open(Arc::new(OsFs), folder.path()).unwrap();
    create(&file, "example.com").unwrap();
    let set = |changes| run(&file, 9, Request::SiteSet { host: "example.com".into(), changes });
    let zone = |zone: &str| SiteChanges { timezone: Some(zone.into()), ..SiteChanges::default() };
    assert!(set(zone("Mars/Base")).is_err());
    assert!(set(SiteChanges { active_visitors_seconds: Some(0), ..SiteChanges::default() }).is_err());
    let Ok(Response::Site(site)) = set(zone("Europe/Berlin")) else { panic!("no site") };
    assert_eq!((site.timezone.as_str(), site.active_visitors_seconds), ("Europe/Berlin", 600));
}

#[test]
fn answers_survive_the_socket() {
    let created = Response::ClientCreated { client_id: "a".into(), client_secret: "b".into() };
    let text = serde_json::to_string(&created).unwrap();
    assert_eq!(text, r#"{"client_id":"a","client_secret":"b"}"#);
    assert!(matches!(serde_json::from_str(&text), Ok(Response::ClientCreated { .. })));
    let key = r#"{"access_key":"pa_x","client_id":"a"}"#;
    assert!(matches!(serde_json::from_str(key), Ok(Response::AccessKeyCreated { .. })));
    let token = r#"{"track_token":"x","client_id":"a"}"#;
    assert!(matches!(serde_json::from_str(token), Ok(Response::TrackTokenCreated { .. })));
}

#[test]
fn goals_live_and_die_and_are_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let file = open(folder.path());
    assert!(matches!(run(&file, 5, new_goal(None, "g")), Err(AdminError::NotFound(_))));
    create(&file, "one.test").unwrap();
    let Ok(Response::Goal(goal)) = run(&file, 5, new_goal(None, "g")) else { panic!("no goal") };
    assert_eq!(
        (goal.id.len(), goal.site.as_str(), goal.pattern.as_deref()),
        (10, "one.test", Some("(?i)^/a$"))
    );
    create(&file, "two.test").unwrap();
    let unclear = run(&file, 5, new_goal(None, "g")).unwrap_err();
    assert!(matches!(unclear, AdminError::Invalid { field: "site", .. }), "{unclear}");
    assert!(unclear.to_string().contains("one.test, two.test"), "{unclear}");
    run(&file, 5, new_goal(Some("TWO.test"), "h")).unwrap();
    let names = |site: Option<&str>| {
        let list = Request::GoalList { site: site.map(str::to_owned) };
        let Ok(Response::Goals(goals)) = run(&open(folder.path()), 5, list) else { panic!("no list") };
        goals.into_iter().map(|goal| goal.spec.name).collect::<Vec<_>>()
    };
    assert_eq!((names(None), names(Some("two.test"))), (vec!["g".into(), "h".into()], vec!["h".into()]));
    let delete = |site: &str| Request::GoalDelete { site: Some(site.into()), id: goal.id.clone() };
    assert!(matches!(run(&file, 5, delete("two.test")), Err(AdminError::NotFound(_))));
    run(&file, 5, delete("one.test")).unwrap();
    assert_eq!(names(None), ["h"]);
    for n in 1..crate::goals::GOALS_MAX {
        run(&file, 5, new_goal(Some("two.test"), &n.to_string())).unwrap();
    }
    assert!(matches!(run(&file, 5, new_goal(Some("two.test"), "z")), Err(AdminError::Refused(_))));
}

#[test]
fn a_goal_is_reached_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = open(folder.path());
    create(&file, "one.test").unwrap();
    let make = |delete_reached| {
        let Request::GoalCreate { site, goal } = new_goal(None, "g") else { panic!("no goal") };
        let request = Request::GoalCreate { site, goal: GoalSpec { delete_reached, ..goal } };
        let Ok(Response::Goal(goal)) = run(&file, 5, request) else { panic!("no goal") };
        file.view().state.sites[0].goal(&goal.id).unwrap().clone()
    };
    let (kept, gone, changed) = (make(false), make(true), make(true));
    for goal in [&kept, &gone] {
        assert!(!goal_reached(&file, 9, 2, goal).unwrap(), "another site's");
        assert!(goal_reached(&file, 9, 1, goal).unwrap());
        assert!(!goal_reached(&file, 10, 1, goal).unwrap(), "it is no news");
    }
    let Request::GoalCreate { goal, .. } = new_goal(None, "g") else { panic!("no goal") };
    let goal = GoalSpec { visitor_goal: Some(1_000), ..goal };
    run(&file, 9, Request::GoalReplace { site: "one.test".into(), id: changed.id.clone(), goal }).unwrap();
    assert!(!goal_reached(&file, 10, 1, &changed).unwrap(), "the numbers are those of another goal");
    let view = open(folder.path()).view();
    let goals: Vec<_> = view.state.sites[0].goals.iter().map(|goal| (&goal.id, goal.reached)).collect();
    assert_eq!(goals, [(&kept.id, Some(9)), (&changed.id, None)]);
}

/// An id names its site even where another site has it for a host name.
#[test]
fn ids_win_over_host_names() {
    let folder = tempfile::tempdir().unwrap();
    let file = open(folder.path());
    create(&file, "one.test").unwrap();
    let fixed: Result<(), AdminError> = file.change(|state| {
        state.sites[0].id = "abcdefghij".into();
        Ok(())
    });
    fixed.unwrap();
    create(&file, "abcdefghij").unwrap();
    run(&file, 9, Request::SiteToggle { host: "abcdefghij".into(), switch: SiteSwitch::Public }).unwrap();
    let public: Vec<bool> = file.view().state.sites.iter().map(|site| site.public).collect();
    assert_eq!(public, [true, false]);
}

#[test]
fn a_client_is_found_with_its_own_site_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = open(folder.path());
    for host in ["one.test", "two.test"] {
        create(&file, host).unwrap();
    }
    let client_id = file.view().state.clients[0].id.clone();
    let describe = |site: &str, description: &str| {
        let (site, description) = (site.to_owned(), description.to_owned());
        run(&file, 9, Request::ClientDescribe { site, client_id: client_id.clone(), description })
    };
    let revoke = |site: &str| {
        run(&file, 9, Request::ClientRevoke { site: Some(site.into()), client_id: client_id.clone() })
    };
    assert!(matches!(describe("two.test", "x"), Err(AdminError::NotFound(_))));
    assert!(matches!(revoke("two.test"), Err(AdminError::NotFound(_))));
    assert!(matches!(describe("one.test", &"x".repeat(201)), Err(AdminError::Invalid { .. })));
    let Ok(Response::Client(client)) = describe("one.test", " the shop ") else { panic!("no client") };
    assert_eq!((client.description.as_str(), client.site.as_str()), ("the shop", "one.test"));
    revoke("one.test").unwrap();
    assert!(file.view().client(&client_id).is_none());
}

#[test]
fn alternative_hosts_have_ids_that_stay() {
    let folder = tempfile::tempdir().unwrap();
    let file = open(folder.path());
    create(&file, "one.test").unwrap();
    let site = || "one.test".to_owned();
    let add =
        |hostname: &str| run(&file, 9, Request::AlternativeAdd { site: site(), hostname: hostname.into() });
    let id = |hostname: &str| file.view().state.sites[0].alternative_id(hostname);
    let replace = |old: &str, hostname: &str| {
        let (id, hostname) = (id(old), hostname.to_owned());
        run(&file, 9, Request::AlternativeReplace { site: site(), id, hostname })
    };
    add("A.test").unwrap();
    add("*.b.test").unwrap();
    for bad in ["one.test", "a.test", "https://c.test", ""] {
        assert!(matches!(add(bad), Err(AdminError::Invalid { field: "hostname", .. })), "{bad}");
    }
    assert!(matches!(replace("a.test", "*.b.test"), Err(AdminError::Invalid { .. })));
    assert!(matches!(replace("none.test", "c.test"), Err(AdminError::NotFound(_))));
    replace("a.test", "a.test").unwrap();
    replace("a.test", "c.test").unwrap();
    assert_eq!(file.view().state.sites[0].alternative_hosts, ["c.test", "*.b.test"]);
    run(&file, 9, Request::AlternativeRemove { site: site(), id: id("*.b.test") }).unwrap();
    assert_eq!(file.view().state.sites[0].alternative_hosts, ["c.test"]);
}

#[test]
fn every_answer_survives_the_socket() {
    let folder = tempfile::tempdir().unwrap();
    let file = open(folder.path());
    create(&file, "one.test").unwrap();
    let client_id = file.view().state.clients[0].id.clone();
    let site = || "one.test".to_owned();
    for request in [
        Request::SiteSet { host: site(), changes: SiteChanges::default() },
        Request::SiteList,
        Request::ClientDescribe { site: site(), client_id: client_id.clone(), description: "d".into() },
        Request::ClientList { site: None },
        new_client("one.test", NewClient::Oauth),
        new_client("one.test", NewClient::WriteOnly),
        new_goal(None, "g"),
        Request::GoalList { site: None },
        Request::ClientRevoke { site: None, client_id },
        Request::SiteDelete { host: site() },
    ] {
        let asked: Request = serde_json::from_str(&serde_json::to_string(&request).unwrap()).unwrap();
        let answer = run(&file, 9, asked).unwrap();
        let text = serde_json::to_string(&answer).unwrap();
        let read: Response = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text, "{request:?}");
        assert_eq!(std::mem::discriminant(&read), std::mem::discriminant(&answer), "{text}");
    }
}
