//! Which files an import is to take: those that were named, and those in the folders that were.

use std::path::{Path, PathBuf};

use crate::cli::Failure;
use crate::import::Format;

/// The name that stands for standard input.
pub(super) const STDIN: &str = "-";

/// A file to import.
pub(super) struct Source {
    pub(super) name: String,
    pub(super) format: Format,
}

/// The files in the order in which they are to be taken.
///
/// # Errors
/// It is not clear what a file holds, a folder has nothing to take, or standard input is named twice.
pub(super) fn find<'a>(
    names: impl Iterator<Item = &'a String>,
    format: Option<&str>,
) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    for name in names {
        let files = if Path::new(name).is_dir() { in_folder(name, format)? } else { vec![name.clone()] };
        for name in files {
            let format = Format::of(&name, format).map_err(Failure::Settings)?;
            sources.push(Source { name, format });
        }
    }
    if sources.iter().filter(|source| source.name == STDIN).count() > 1 {
        return Err(Failure::Settings("standard input (-) can be read once".into()));
    }
    Ok(sources)
}

/// The files at any depth of a folder whose names end as the format's do, in the order of their names.
fn in_folder(folder: &str, format: Option<&str>) -> Result<Vec<String>, Failure> {
    let Some(extensions) = Format::extensions(format) else {
        let name = format.unwrap_or_default();
        return Err(Failure::Settings(format!(
            "{folder} is a folder: name the files in it, as no extension tells which are {name} logs"
        )));
    };
    let mut files = Vec::new();
    let fault = |error: std::io::Error| Failure::Failed(format!("{folder}: cannot be read: {error}"));
    gather(Path::new(folder), extensions, &mut files).map_err(fault)?;
    if files.is_empty() {
        let extensions = extensions.join(", .");
        return Err(Failure::Failed(format!("{folder} is a folder without files that end in .{extensions}")));
    }
    let named = |file: PathBuf| {
        file.into_os_string()
            .into_string()
            .map_err(|file| Failure::Failed(format!("{}: its name is not UTF-8", Path::new(&file).display())))
    };
    files.into_iter().map(named).collect()
}

fn gather(folder: &Path, extensions: &[&str], files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // Links to folders are not followed: they may lead back.
        if entry.file_type()?.is_dir() {
            gather(&path, extensions, files)?;
            continue;
        }
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if path.is_file() && extensions.iter().any(|known| known.eq_ignore_ascii_case(extension)) {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_its_files_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap().to_owned();
        for name in
            ["b/2.parquet", "b/1.PARQUET", "a.ndjson", "b/c/x.parquet.tmp", "b/c/y.jsonl", "notes.txt"]
        {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink(&root, folder.path().join("b/loop")).unwrap();
        let found = |format: Option<&str>| {
            let sources = find([root.clone()].iter(), format).ok()?;
            let names = sources.iter().map(|source| source.name[root.len() + 1..].to_owned());
            Some(names.collect::<Vec<_>>().join(" "))
        };
        assert_eq!(found(None).unwrap(), "a.ndjson b/1.PARQUET b/2.parquet b/c/y.jsonl");
        assert_eq!(found(Some("hits")).unwrap(), "a.ndjson b/c/y.jsonl");
        assert_eq!(found(Some("enriched")).unwrap(), "a.ndjson b/1.PARQUET b/2.parquet b/c/y.jsonl");
        assert_eq!(found(Some("caddy")), None);
        let empty = folder.path().join("b/c/empty");
        std::fs::create_dir(&empty).unwrap();
        let refused = find([empty.to_str().unwrap().to_owned()].iter(), None);
        assert!(
            matches!(refused, Err(Failure::Failed(why)) if why.contains("without files that end in .parquet"))
        );
    }
}
