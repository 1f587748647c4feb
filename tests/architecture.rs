//! Rules about the sources themselves: who may import whom, how long a file is, where `unsafe` may stand.
//!
//! `HITSTONE_PRINT_IMPORTS=1 cargo test --test architecture -- --nocapture` prints the table as the sources are
//! today, in the form of [`IMPORTS`].

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests, helpers included"
)]

#[path = "architecture/paths.rs"]
mod paths;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use paths::{imports_of, strip};

/// `CRATE MODULE: what it imports`. A module is a file or a folder of `src/`; in the folders of [`DEEP`] it is a
/// file or folder one level further down. `engine::x` is a module of the engine. Unit tests inside the sources are free.
const IMPORTS: &str = "\
engine aggregate: checksum codec error index limits query query::tally scan schema segment::cold segment::table units version vfs
engine checksum:
engine codec:
engine compaction: dictionary error index lake manifest parquet query schema segment segment::build segment::sink segment::table snapshot units vfs
engine dictionary: error schema segment segment::build segment::finder segment::layout segment::sink segment::table segment::verdicts units vfs
engine error: units
engine event: limits schema units
engine ids: checksum codec error limits units version vfs
engine import: error event manifest store units writer
engine index: error scan schema segment segment::build segment::cold segment::layout segment::ranks segment::sink segment::table segment::verdicts session units vfs
engine lake: checksum dictionary error index limits manifest parquet schema segment::cold segment::filter segment::ranks segment::table segment::verdicts session units vfs
engine limits:
engine log: checksum codec error limits version vfs
engine manifest: checksum codec error event units version vfs
engine open: error limits record schema segment segment::build segment::layout segment::sink segment::table units vfs
engine parquet: error event query schema segment::table units vfs
engine positions: event limits
engine query: segment::table
engine query::check: error query
engine query::events: error event query query::filter query::guard query::verdicts scan schema segment::table
engine query::execute: error event query query::check query::filter query::groups query::guard query::keys query::known query::metadata query::numbers query::portions query::report query::verdicts query::walk scan schema segment::table
engine query::filter: error event query query::events query::guard query::keys query::masks query::postings query::verdicts scan schema segment::table
engine query::groups: segment::table
engine query::guard: error query
engine query::keys: event query query::groups scan segment::table
engine query::known: error query query::groups query::guard scan segment::table
engine query::masks: error query query::guard query::verdicts scan segment::table segment::verdicts
engine query::metadata: event query::groups scan segment::cold segment::key_sets segment::table
engine query::model: query schema units
engine query::needs: index query schema segment::cold
engine query::numbers: event query scan segment::table
engine query::portions: limits query query::filter query::known segment::table
engine query::postings: scan schema segment::table
engine query::recurring: error query query::roster scan segment::table units
engine query::report: error event query query::groups query::guard query::metadata query::numbers scan segment::table
engine query::roster: scan
engine query::sessions: error event query query::check query::filter query::guard query::verdicts scan schema segment::table units
engine query::tally: error query query::check query::execute query::filter query::groups query::guard query::known query::masks query::portions query::verdicts scan segment::table
engine query::text_test: event
engine query::turns:
engine query::verdicts:
engine query::walk: error query::filter query::guard query::keys query::metadata query::numbers scan
engine rebuild: dictionary error index lake parquet scan schema segment segment::build segment::sink segment::table snapshot units vfs
engine record: codec event schema units
engine root:
engine scan: segment::table
engine schema:
engine segment:
engine segment::blocks: checksum error segment::codes segment::layout
engine segment::build: event schema segment::finder segment::layout segment::sink segment::table units
engine segment::codes: schema segment::cold segment::ranks segment::verdicts
engine segment::cold: error schema segment::key_sets segment::ranks segment::verdicts
engine segment::filter:
engine segment::finder:
engine segment::key_sets: event
engine segment::layout: checksum codec error schema segment::sink units version vfs
engine segment::ranks:
engine segment::reader: error manifest schema segment::blocks segment::filter segment::finder segment::layout segment::table session units vfs
engine segment::sessions: event segment::codes segment::cold units
engine segment::sink: error vfs
engine segment::table: error schema segment::codes segment::cold segment::ranks segment::sessions units
engine segment::verdicts: schema units
engine session: limits schema units
engine snapshot: aggregate dictionary error event index lake manifest open parquet positions query segment segment::table session units
engine store: aggregate compaction error event lake limits rebuild snapshot units vfs writer
engine units:
engine version: error vfs
engine vfs: error
engine writer: aggregate codec dictionary error event ids index lake limits log manifest open parquet positions query record scan schema segment segment::layout segment::sink segment::table session snapshot units vfs
server admin: auth clock engine::error engine::units enrich::protection filters goals lists rejections sites state
server api:
server api::browser: app hit
server api::click: hit
server api::cors: http
server api::health: api::pirsch app engine::store http
server api::json:
server api::limit: app http rate
server api::pairs: api::json
server api::pirsch: admin api::browser api::cors api::json api::limit api::pairs api::taken app auth clock engine::error engine::event engine::query engine::schema engine::store engine::units enrich::client_ip event_ids goals hit http pattern sites statistics
server api::prisme: api::browser api::click api::cors api::json api::limit api::pairs api::refused api::taken app auth enrich enrich::plain enrich::url event_ids hit hosts http rejections sites
server api::refused: api::limit api::taken app http
server api::rejected: admin api::pirsch app http
server api::script: api::browser api::click api::cors api::json api::limit api::pairs api::refused api::taken app enrich enrich::url event_ids hit http sites
server api::segmentstream: api::browser api::cors api::json api::pairs api::refused api::taken app engine::units enrich::client_ip enrich::url event_ids hit http sites
server api::taken: app http
server app: admin clock compaction config damage engine::error engine::event engine::store engine::units engine::vfs enrich enrich::client_ip event_ids hit lists rate receipts rejections salts sites state tokens turns versions
server auth:
server cli: admin app clock compaction config control demo engine::error engine::parquet engine::store engine::vfs enrich::lists enrich::protection export filters goals import lists milestones rejections server sites state versions
server clock: engine::units
server compaction: clock engine::error engine::store engine::vfs state statistics
server config: enrich::client_ip sites
server control: admin app auth compaction engine::error engine::parquet engine::store export http import
server damage: engine::error
server demo: admin app clock engine::units event_ids goals hit sites
server descriptors:
server enrich: engine::error engine::event engine::units engine::vfs hit salts
server enrich::agent_cache:
server enrich::assemble: engine::event engine::schema engine::units enrich enrich::channel enrich::client enrich::geo enrich::language enrich::referrer enrich::screen enrich::url enrich::visitor hit
server enrich::attacks:
server enrich::bot_tables: enrich::program
server enrich::bots: enrich::bot_tables enrich::client_ip enrich::program
server enrich::channel: enrich::referrer_table
server enrich::client: enrich::agent_cache enrich::client_hints enrich::consistency enrich::program enrich::user_agent hit
server enrich::client_hints: enrich::user_agent enrich::user_agent_tables hit
server enrich::client_ip:
server enrich::consistency: enrich::client_hints hit
server enrich::geo: engine::error engine::vfs enrich::watched
server enrich::language:
server enrich::lists: enrich::agent_cache enrich::client_ip enrich::networks enrich::program enrich::spam enrich::url pattern
server enrich::networks: enrich::client_ip
server enrich::plain:
server enrich::program:
server enrich::protection: enrich::traffic
server enrich::referrer: enrich::client_ip enrich::plain enrich::referrer_table enrich::url
server enrich::referrer_table: enrich::url
server enrich::screen:
server enrich::spam: enrich::url
server enrich::traffic: enrich::client_ip enrich::networks enrich::url
server enrich::url: enrich::plain
server enrich::user_agent: enrich::agent_cache enrich::bots enrich::program enrich::user_agent_tables
server enrich::user_agent_tables:
server enrich::visitor: engine::error engine::units hit salts
server enrich::watched:
server envelope: engine::checksum engine::error engine::version engine::vfs
server event_ids: engine::event engine::units enrich
server export: admin engine::error engine::parquet engine::store engine::units state statistics
server filters: engine::units enrich::client_ip enrich::traffic enrich::url goals pattern
server goals: engine::units pattern
server hit: engine::units
server hosts: enrich::url sites
server http:
server import: admin api::json api::pairs api::pirsch app engine::error engine::event engine::import engine::parquet engine::schema engine::store engine::units engine::vfs enrich enrich::client_ip enrich::url event_ids hit sites
server install: http scripts
server lists: engine::error engine::units engine::version engine::vfs enrich::lists envelope
server main: cli
server milestones: admin app engine::error engine::query engine::store engine::units goals sites statistics
server pattern:
server rate: engine::units
server receipts: engine::error engine::store
server rejections: engine::error engine::units engine::version engine::vfs enrich envelope
server root:
server router: api::browser api::health api::pirsch api::prisme api::rejected api::script api::segmentstream app http install scripts
server salts: engine::checksum engine::error engine::units engine::vfs
server scripts: auth http
server server: app descriptors http router
server sites: auth engine::units enrich enrich::protection filters goals
server state: auth engine::error engine::units engine::version engine::vfs envelope hosts sites
server statistics: engine::aggregate engine::error engine::event engine::query engine::schema engine::store engine::units goals pattern
server tokens: auth engine::error engine::units engine::version engine::vfs envelope
server turns: engine::units
server versions: engine::error engine::manifest engine::vfs lists rejections salts state tokens
";

/// Folders whose files have rules of their own.
const DEEP: &[&str] = &["api", "enrich", "query", "segment"];

/// Files of more than 600 lines: tables of data.
const LONG_TABLES: &[&str] = &["src/enrich/referrer_table.rs"];
const LINES_MAX: usize = 600;

#[test]
fn modules_import_what_the_table_allows_and_no_more() {
    let actual = actual_imports();
    if std::env::var_os("HITSTONE_PRINT_IMPORTS").is_some() {
        for (module, imports) in &actual {
            let imports: String = imports.iter().map(|import| format!(" {import}")).collect();
            println!("{module}:{imports}");
        }
        return;
    }
    let allowed = parse_table(IMPORTS);
    let none = BTreeSet::new();
    let mut problems = Vec::new();
    for (module, imports) in &actual {
        for import in imports.difference(allowed.get(module).unwrap_or(&none)) {
            problems.push(format!("{module} must not import {import}"));
        }
    }
    for (module, imports) in &allowed {
        for import in imports.difference(actual.get(module).unwrap_or(&none)) {
            problems.push(format!("{module} may import {import} and does not: take it out of the table"));
        }
        if !actual.contains_key(module) {
            problems.push(format!("there is no module {module}: take it out of the table"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Imports that are left out when looking for circles, with the reason. Each must be needed.
const LOOPS: &[(&str, &str, &str)] =
    &[("engine query::events", "query::filter", "tests of events narrow sessions as other filters do")];

/// No two modules import each other, directly or over others.
#[test]
fn imports_have_no_cycle() {
    let imports = actual_imports();
    let kept = |module: &str, import: &str| !LOOPS.iter().any(|entry| (entry.0, entry.1) == (module, import));
    let circles = in_circles(&imports, &kept);
    assert!(circles.is_empty(), "these imports go round in circles:\n{}", circles.join("\n"));
    for (module, import, _) in LOOPS {
        let without = |m: &str, i: &str| kept(m, i) || (m, i) == (*module, *import);
        let needed = !in_circles(&imports, &without).is_empty();
        assert!(needed, "{module} -> {import} is in no circle: take it out of LOOPS");
    }
}

/// The imports `MODULE -> IMPORT` from which a way leads back to the module.
fn in_circles(
    imports: &BTreeMap<String, BTreeSet<String>>,
    kept: &dyn Fn(&str, &str) -> bool,
) -> Vec<String> {
    let edges: BTreeMap<&str, Vec<String>> = imports
        .iter()
        .map(|(module, imports)| {
            let targets = imports.iter().filter(|import| kept(module, import));
            (module.as_str(), targets.map(|import| module_named(module, import)).collect())
        })
        .collect();
    let mut circles = Vec::new();
    for (module, targets) in &edges {
        for target in targets {
            let mut reached = BTreeSet::from([target.as_str()]);
            let mut left = vec![target.as_str()];
            while let Some(at) = left.pop() {
                let next = edges.get(at).into_iter().flatten().map(String::as_str);
                left.extend(next.filter(|next| reached.insert(next)));
            }
            if reached.contains(module) {
                circles.push(format!("{module} -> {target}"));
            }
        }
    }
    circles
}

/// The module's name in the table that an import of `module` means.
fn module_named(module: &str, import: &str) -> String {
    let krate = module.split(' ').next().unwrap_or_default();
    match import.strip_prefix("engine::") {
        Some(rest) if krate == "server" => format!("engine {rest}"),
        _ => format!("{krate} {import}"),
    }
}

#[test]
fn unsafe_stands_in_one_file() {
    for (path, text) in sources() {
        let code = strip(&text);
        let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
        let count = words.filter(|word| *word == "unsafe").count();
        let allowed = path.ends_with("engine/src/vfs/map.rs");
        assert!(count == 0 || allowed, "{}: `unsafe` belongs in engine/src/vfs/map.rs", path.display());
        if allowed && count > 0 {
            let reasons = text.matches("SAFETY:").count();
            assert!(reasons > 0, "{}: unsafe code without a SAFETY comment", path.display());
        }
    }
}

/// The boundary between the crates is kept by the compiler as long as the manifest is.
#[test]
fn the_engine_knows_no_web() {
    let manifest = read(&root().join("engine/Cargo.toml"));
    for name in [
        "tokio",
        "hyper",
        "http",
        "serde_json",
        "woothee",
        "isbot",
        "iptocc",
        "maxminddb",
        "jiff",
        "chrono",
        "regex",
    ] {
        let named = manifest.lines().any(|line| {
            let key = line.split(['=', '.', ' ']).next().unwrap_or("");
            key == name || key.starts_with(&format!("{name}-"))
        });
        assert!(!named, "engine/Cargo.toml names {name}");
    }
}

#[test]
fn files_are_short() {
    for (path, text) in sources().into_iter().chain(rust_files(&root().join("tests"))) {
        let name = relative(&path);
        let lines = text.lines().count();
        let long = LONG_TABLES.contains(&name.as_str());
        assert!(long || lines <= LINES_MAX, "{name} has {lines} lines, more than {LINES_MAX}");
        assert!(!long || lines > LINES_MAX, "{name} is short enough now: take it out of LONG_TABLES");
    }
}

#[test]
fn nothing_is_left_undone() {
    let marks = [["TO", "DO"], ["FIX", "ME"], ["XX", "X:"]].map(|parts| parts.concat());
    let macros = [["todo", "!"], ["unimplemented", "!"], ["dbg", "!"]].map(|parts| parts.concat());
    for (path, text) in sources().into_iter().chain(rust_files(&root().join("tests"))) {
        for (number, line) in text.lines().enumerate() {
            let found = marks.iter().chain(&macros).find(|mark| line.contains(mark.as_str()));
            assert_eq!(found, None, "{}:{}: {line}", relative(&path), number + 1);
        }
    }
}

/// Documents and sources speak of the project, not of the machine it was written on.
#[test]
fn no_local_paths() {
    let local = [["/wo", "rk/"], ["/ho", "me/"], ["/ro", "ot/"], ["/Us", "ers/"]].map(|parts| parts.concat());
    let mut files = documents(&root());
    files.extend(sources());
    files.extend(rust_files(&root().join("tests")));
    for (path, text) in files {
        for (number, line) in text.lines().enumerate() {
            let found = local.iter().find(|part| line.contains(part.as_str()));
            assert_eq!(found, None, "{}:{}: {line}", relative(&path), number + 1);
        }
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for (path, text) in without_test_files(sources()) {
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
        assert!(
            first.starts_with("//!"),
            "{} begins with {first:?}, not with what it is for",
            relative(&path)
        );
    }
}

// --- Reading the sources ---

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut all = rust_files(&root().join("src"));
    all.extend(rust_files(&root().join("engine/src")));
    all
}

fn rust_files(folder: &Path) -> Vec<(PathBuf, String)> {
    files(folder, "rs", usize::MAX)
}

/// Leaves out the files of modules that exist for unit tests only: `#[cfg(test)] mod NAME;`, with or without a path.
fn without_test_files(files: Vec<(PathBuf, String)>) -> Vec<(PathBuf, String)> {
    let mut tests: Vec<PathBuf> = Vec::new();
    for (path, text) in &files {
        let is_root =
            path.file_stem().is_some_and(|stem| ["mod", "lib", "main"].map(Some).contains(&stem.to_str()));
        let folder = if is_root { path.with_file_name("") } else { path.with_extension("") };
        for declaration in text.split("#[cfg(test)]").skip(1) {
            let declaration = declaration.split(['{', ';']).next().unwrap_or_default();
            if let Some((_, file)) = declaration.split_once("#[path = \"") {
                tests.push(path.with_file_name(file.split('"').next().unwrap_or_default()));
            } else if let Some((_, name)) = declaration.split_once("mod ") {
                tests.push(folder.join(name.trim()));
            }
        }
    }
    let is_test =
        |path: &Path| tests.iter().any(|test| path == test.with_extension("rs") || path.starts_with(test));
    files.into_iter().filter(|(path, _)| !is_test(path)).collect()
}

/// The project's documents: those at the top and below `docs`.
fn documents(root: &Path) -> Vec<(PathBuf, String)> {
    let mut all = files(root, "md", 1);
    all.extend(files(&root.join("docs"), "md", usize::MAX));
    all.extend(files(&root.join("engine"), "md", 1));
    all
}

fn files(folder: &Path, extension: &str, depth: usize) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && depth > 1 {
            found.extend(files(&path, extension, depth - 1));
        } else if path.extension().is_some_and(|end| end == extension) {
            let text = read(&path);
            found.push((path, text));
        }
    }
    found.sort();
    found
}

// --- Imports ---

fn parse_table(table: &str) -> BTreeMap<String, BTreeSet<String>> {
    table
        .lines()
        .map(|line| {
            let parts = line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, "")));
            let (module, imports) = parts.unwrap_or_else(|| panic!("no colon in {line:?}"));
            (module.to_string(), imports.split_whitespace().map(str::to_string).collect())
        })
        .collect()
}

/// Each module of both crates with what it imports of its siblings and of the engine.
fn actual_imports() -> BTreeMap<String, BTreeSet<String>> {
    let mut modules: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (krate, folder) in [("server", "src"), ("engine", "engine/src")] {
        let folder = root().join(folder);
        let files = without_test_files(rust_files(&folder));
        let paths: BTreeSet<Vec<String>> = files.iter().map(|(path, _)| module_path(path, &folder)).collect();
        for (path, text) in &files {
            let module = module_path(path, &folder);
            let name = unit(&module, &paths);
            let imports = modules.entry(format!("{krate} {name}")).or_default();
            for import in imports_of(text, &module) {
                let import = match import.split_first() {
                    Some((first, rest)) if first == "engine" && krate == "server" => {
                        format!("engine::{}", rest.first().map_or("", String::as_str))
                    }
                    _ => unit(&import, &paths),
                };
                // What is no module is an item at the crate's root; parts of one unit are its own affair.
                if import != name && import != "root" {
                    imports.insert(import);
                }
            }
        }
    }
    modules
}

/// `src/api/pirsch/hit.rs` -> api, pirsch, hit. `lib.rs` is the root, `main.rs` is `main`.
fn module_path(file: &Path, folder: &Path) -> Vec<String> {
    let relative = file.strip_prefix(folder).unwrap_or(file).with_extension("");
    let mut path: Vec<String> = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if path.last().is_some_and(|last| last == "mod" || last == "lib") {
        path.pop();
    }
    path
}

/// The unit of the table that a path belongs to.
fn unit(path: &[String], modules: &BTreeSet<Vec<String>>) -> String {
    let Some(first) = path.first() else { return "root".to_string() };
    let is_module = |path: &[String]| modules.iter().any(|module| module.starts_with(path));
    if !is_module(&path[..1]) {
        return "root".to_string();
    }
    match path.get(..2) {
        Some(two) if DEEP.contains(&first.as_str()) && is_module(two) => two.join("::"),
        _ => first.clone(),
    }
}
