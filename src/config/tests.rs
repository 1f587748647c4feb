//! Layers, their order, and what is said of bad values.

use super::*;

fn given(flags: &[(&str, &str)], env: &[(&str, &str)], file: &str) -> Result<Given, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hitstone.toml");
    std::fs::write(&path, file).unwrap();
    let flags = flags.iter().map(|(name, value)| (name.to_string(), vec![value.to_string()])).collect();
    Given::gather(flags, Some(&path), &|name| {
        env.iter().find(|(variable, _)| *variable == name).map(|(_, value)| value.to_string())
    })
}

#[test]
fn layers_go_flag_variable_prisme_file_default() {
    let file = "listen = \"127.0.0.1:1\"\nthreads = 3\nsite = [\"a.example\", \"b.example\"]";
    let listen =
        |flags: &[_], env: &[_]| given(flags, env, file).unwrap().settings("x").unwrap().listen.port();
    let env = [("HITSTONE_LISTEN", "127.0.0.1:3"), ("PRISME_PORT", "2")];
    assert_eq!(listen(&[("listen", "127.0.0.1:4")], &env), 4);
    assert_eq!(listen(&[], &env), 3);
    assert_eq!(listen(&[], &env[1..]), 2);
    assert_eq!(listen(&[], &[]), 1);
    let settings = given(&[], &[], file).unwrap().settings("x").unwrap();
    assert_eq!((settings.threads, settings.sites.len()), (3, 2));
    let bare = given(&[], &[], "").unwrap().settings("x").unwrap();
    assert_eq!(bare.listen.port(), 8787);
    assert_eq!(bare.data, PathBuf::from("x"));
}

#[test]
fn prisme_is_told_our_name() {
    let given =
        given(&[], &[("PRISME_TRUST_PROXY", "true"), ("PRISME_ORIGINS", "a.example,*.a.example")], "");
    let given = given.unwrap();
    assert!(given.notes.iter().any(|note| note.contains("HITSTONE_TRUST_PROXY")));
    let settings = given.settings("x").unwrap();
    assert!(settings.trust_proxy);
    assert_eq!(settings.sites, ["a.example"]);
}

#[test]
fn what_is_not_read_of_prisme_is_told() {
    let origins = ("PRISME_ORIGINS", "a.example,*.nowhere.example");
    let notes = |flags: &[_], env: &[_], file: &str| given(flags, env, file).unwrap().notes;
    for (flags, env, wanted) in [
        (&[("site", "b.example")][..], &[origins][..], "PRISME_ORIGINS is not read: --site is given"),
        (
            &[],
            &[origins, ("HITSTONE_SITE", "b.example")],
            "PRISME_ORIGINS is not read: HITSTONE_SITE is given",
        ),
        (&[("listen", "127.0.0.1:4")], &[("PRISME_PORT", "2")], "PRISME_PORT is not read: --listen is given"),
        (&[], &[origins], "PRISME_ORIGINS is read as HITSTONE_SITE"),
    ] {
        let notes = notes(flags, env, "");
        assert!(notes.len() == 1 && notes[0].starts_with(wanted), "{notes:?}");
    }
    let over_the_file = notes(&[], &[origins], "site = [\"b.example\"]");
    assert!(over_the_file[0].contains("is read as"), "{over_the_file:?}");
    // It is a fault where it counts, and only there.
    assert!(given(&[], &[origins], "").unwrap().settings("x").is_err());
    assert!(given(&[("site", "b.example")], &[origins], "").unwrap().settings("x").is_ok());
}

#[test]
fn wildcards_of_prisme_belong_to_the_origin_they_end_with() {
    let settings = |flags: &[(&str, &str)], origins: &str| {
        given(flags, &[("PRISME_ORIGINS", origins)], "").unwrap().settings("x")
    };
    let found = settings(&[], "*.A.example, a.example,b.a.example,*.x.b.a.example").unwrap();
    assert_eq!(found.sites, ["a.example", "b.a.example"]);
    let pair = |site: &str, name: &str| (site.to_owned(), name.to_owned());
    let wanted = [pair("a.example", "*.a.example"), pair("b.a.example", "*.x.b.a.example")];
    assert_eq!(found.site_wildcards, wanted);
    let own = settings(&[("site", "c.example")], "a.example,*.b.example").unwrap();
    assert!(own.site_wildcards.is_empty(), "the flag stands for the whole list");
    for origins in
        ["*.a.example", "a.example,*.b.example", "a.example,*.ba.example", "a.example,a.*.example", "*"]
    {
        let error = settings(&[], origins).unwrap_err();
        assert!(error.starts_with("PRISME_ORIGINS: "), "{error}");
    }
}

#[test]
fn bad_values_name_the_setting() {
    let table = [
        ("listen", "nowhere"),
        ("events-per-minute", "-1"),
        ("threads", "0"),
        ("trust-proxy", "perhaps"),
        ("proxy-header", "a b"),
        ("trusted-proxies", "10.0.0.0/33"),
        ("session-window", "30"),
        ("session-window", "25h"),
        ("token-lifetime", "soon"),
        ("durability", "relaxed"),
        ("site", "https://example.com"),
        ("max-connections", "0"),
        ("event-ids-max", "0"),
    ];
    for (name, value) in table {
        let error = given(&[(name, value)], &[], "").unwrap().settings("x").unwrap_err();
        assert!(error.starts_with(&format!("--{name}: ")), "{error}");
    }
    let error = given(&[], &[("HITSTONE_THREADS", "many")], "").unwrap().settings("x").unwrap_err();
    assert!(error.starts_with("HITSTONE_THREADS: "), "{error}");
    assert!(given(&[], &[], "thread = 3").unwrap_err().contains("no such setting"));
    assert!(given(&[], &[], "threads = 1.5").is_err());
}
