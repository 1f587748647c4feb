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

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// `CRATE MODULE: what it imports`. A module is a file or a folder of `src/`; in the folders of [`DEEP`] it is a
/// file or folder one level further down. `engine::x` is a module of the engine. Unit tests inside the sources are free.
const IMPORTS: &str = "\
";

/// Folders whose files have rules of their own.
const DEEP: &[&str] = &["api", "enrich", "query", "segment"];

/// Files of more than 600 lines: tables of data.
const LONG_TABLES: &[&str] = &[];
const LINES_MAX: usize = 600;

#[test]
fn modules_import_what_the_table_allows_and_no_more() {
    let actual = actual_imports();
    if std::env::var_os("HITSTONE_PRINT_IMPORTS").is_some() {
        for (module, imports) in &actual {
            println!("{module}: {}", imports.iter().cloned().collect::<Vec<_>>().join(" "));
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
const LOOPS: &[(&str, &str, &str)] = &[];

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
    for (path, text) in sources() {
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
        assert!(
            first.starts_with("//!"),
            "{} begins with {first:?}, not with what it is for",
            relative(&path)
        );
    }
}

/// The finder of imports must find them.
#[test]
fn imports_are_found() {
    let text = r#"
        //! use crate::comment;
        use crate::plain::Thing;
        use crate::{one, two::{Deep, deeper::Er}, three as four};
        pub(crate) use super::sibling::X;
        fn f() { crate::inline::call("crate::text", 'x', b'\''); let _ = "\" crate::escaped"; }
        /* crate::block /* crate::nested */ crate::still */
        use hitstone_engine::{event::Event, store};
        #[cfg(test)]
        mod tests { use crate::only_in_tests; fn g() { if true {} } }
        fn h() { crate::after::x() }
    "#;
    let found = imports_of(text, &["folder".into(), "file".into()]);
    let found: Vec<String> = found.into_iter().map(|path| path.join("::")).collect();
    let wanted = [
        "after::x",
        "engine::event::Event",
        "engine::store",
        "folder::sibling::X",
        "inline::call",
        "one",
        "plain::Thing",
        "three",
        "two::Deep",
        "two::deeper::Er",
    ];
    assert_eq!(found, wanted);
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
            let (module, imports) = line.split_once(':').unwrap_or_else(|| panic!("no colon in {line:?}"));
            (module.to_string(), imports.split_whitespace().map(str::to_string).collect())
        })
        .collect()
}

/// Each module of both crates with what it imports of its siblings and of the engine.
fn actual_imports() -> BTreeMap<String, BTreeSet<String>> {
    let mut modules: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (krate, folder) in [("server", "src"), ("engine", "engine/src")] {
        let folder = root().join(folder);
        let files = rust_files(&folder);
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

/// The paths below the crate's root (or `engine`) that a source mentions, outside its unit tests.
fn imports_of(text: &str, module: &[String]) -> BTreeSet<Vec<String>> {
    let code = without_tests(&strip(text));
    let tokens = tokens(&code);
    let mut found = BTreeSet::new();
    for (i, token) in tokens.iter().enumerate() {
        let starts_path = i == 0 || tokens[i - 1] != "::";
        let followed = tokens.get(i + 1).is_some_and(|next| next == "::");
        let base: Vec<String> = match token.as_str() {
            "crate" => Vec::new(),
            "hitstone_engine" => vec!["engine".to_string()],
            "super" => module[..module.len().saturating_sub(1)].to_vec(),
            _ => continue,
        };
        if starts_path && followed {
            collect_paths(&tokens, i + 2, &base, &mut found);
        }
    }
    found
}

/// Follows `a::b`, `{a, b::c}` and `super::` from `at`; returns where the path ends.
fn collect_paths(
    tokens: &[String],
    mut at: usize,
    base: &[String],
    found: &mut BTreeSet<Vec<String>>,
) -> usize {
    let mut path = base.to_vec();
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = collect_paths(tokens, at, &path, found);
                    while tokens.get(at).is_some_and(|token| token != "," && token != "}") {
                        at += 1;
                    }
                    at += usize::from(tokens.get(at).is_some_and(|token| token == ","));
                }
                return at + 1;
            }
            "super" => {
                path.pop();
            }
            "self" | "*" => {}
            word if word.chars().all(|c| c.is_alphanumeric() || c == '_') => path.push(word.to_string()),
            _ => break,
        }
        at += 1;
        if tokens.get(at).is_none_or(|token| token != "::") {
            break;
        }
        at += 1;
    }
    found.insert(path);
    at
}

fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        let mut token = c.to_string();
        if c.is_alphanumeric() || c == '_' {
            while let Some(next) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                token.push(next);
            }
        } else if c == ':' && chars.next_if_eq(&':').is_some() {
            token.push(':');
        } else if c.is_whitespace() {
            continue;
        }
        tokens.push(token);
    }
    tokens
}

/// Takes out `#[cfg(test)] mod ... { ... }`.
fn without_tests(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let body = after.find(['{', ';']).unwrap_or(after.len() - 1);
        rest = if after[body..].starts_with(';') {
            &after[body + 1..]
        } else {
            &after[body + block_length(&after[body..])..]
        };
    }
    out + rest
}

/// Length of the block that `code` begins with.
fn block_length(code: &str) -> usize {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// Takes out comments and what stands in quotes.
fn strip(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment_length(rest)
        } else if c == '"' {
            quoted_length(rest)
        } else if let Some(length) = raw_text_length(rest) {
            length
        } else if let Some(length) = character_length(rest) {
            length
        } else {
            // A whole word at once, so that the `r` of `for"` does not begin a raw text.
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = word.max(c.len_utf8());
            out.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        };
        out.push(' ');
        rest = &rest[length..];
    }
    out
}

fn block_comment_length(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn quoted_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `r"..."`, `br#"..."#` and the like.
fn raw_text_length(text: &str) -> Option<usize> {
    let start = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = start.len() - start.trim_start_matches('#').len();
    let body = start[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(text.len() - body.len() + length)
}

/// `'x'`, `'\n'`, `'\u{7f}'`; a lifetime is none.
fn character_length(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'')?;
    if let Some(escape) = body.strip_prefix('\\') {
        let skip = escape.chars().next().map_or(0, char::len_utf8);
        return Some(2 + skip + escape[skip..].find('\'')? + 1);
    }
    let c = body.chars().next()?;
    body[c.len_utf8()..].starts_with('\'').then(|| 2 + c.len_utf8())
}
