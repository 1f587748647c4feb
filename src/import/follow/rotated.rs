//! The files beside a log that it was before it was rotated, as far as their names tell, the oldest first.

use std::cmp::Reverse;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Endings of compressed files.
const COMPRESSED: [&str; 6] = [".gz", ".bz2", ".xz", ".zst", ".lz4", ".Z"];
/// Greater numbers at the end of a name are dates.
const NUMBER_MAX: u32 = 9_999;

/// A file that the log seems to have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rotated {
    pub path: PathBuf,
    pub modified: SystemTime,
    /// It is compressed, so that nobody can go on reading where it was left.
    pub compressed: bool,
    /// What it is called after: of `access.log.2` it is 2. The higher, the older.
    number: Option<u32>,
}

/// `access.log.2`, `access.log.1`, `access.log-20261121.gz` beside `access.log`; also `access-2026-11-21T10-00-00.log`.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn files_beside(log: &Path) -> io::Result<Vec<Rotated>> {
    let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = log.file_name().and_then(|name| name.to_str()) else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some((rotation, compressed)) =
            path.file_name().and_then(|other| other.to_str()).and_then(|other| rotation_of(name, other))
        else {
            continue;
        };
        let number = rotation.parse().ok().filter(|number| *number <= NUMBER_MAX);
        // One that goes away meanwhile is told of by its next name, if it has one.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if metadata.is_file() {
            files.push(Rotated { modified: metadata.modified()?, compressed, number, path });
        }
    }
    Ok(in_order(files))
}

/// By when they were written to last; those that are numbered, among themselves, by their numbers.
fn in_order(mut files: Vec<Rotated>) -> Vec<Rotated> {
    files.sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
    let mut numbered: Vec<Rotated> = files.iter().filter(|file| file.number.is_some()).cloned().collect();
    numbered.sort_by_key(|file| Reverse(file.number));
    let places = files.iter_mut().filter(|file| file.number.is_some());
    places.zip(numbered).for_each(|(place, file)| *place = file);
    files
}

/// What the log's name was given when it was rotated, and whether the file is compressed.
fn rotation_of<'a>(log: &str, other: &'a str) -> Option<(&'a str, bool)> {
    let plain = COMPRESSED.iter().find_map(|ending| other.strip_suffix(ending));
    let name = plain.unwrap_or(other);
    let between = || {
        let (stem, ending) = log.rsplit_once('.')?;
        name.strip_prefix(stem)?.strip_suffix(ending)?.strip_suffix('.')
    };
    let given = name.strip_prefix(log).or_else(between)?;
    let rotation = given.strip_prefix(['.', '-', '_'])?;
    let is_of_dates = |letter: char| letter.is_ascii_digit() || "-_.:+TZ".contains(letter);
    let is_rotation =
        rotation.starts_with(|letter: char| letter.is_ascii_digit()) && rotation.chars().all(is_of_dates);
    is_rotation.then_some((rotation, plain.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn names_of_rotated_logs() {
        let rotation = |other| rotation_of("access.log", other);
        assert_eq!(rotation("access.log.1"), Some(("1", false)));
        assert_eq!(rotation("access.log.12.gz"), Some(("12", true)));
        assert_eq!(rotation("access.log-20261121"), Some(("20261121", false)));
        assert_eq!(rotation("access.log.2026-11-21_10:00.zst"), Some(("2026-11-21_10:00", true)));
        assert_eq!(
            rotation("access-2026-11-21T10-00-00.000.log.gz"),
            Some(("2026-11-21T10-00-00.000", true))
        );
        for other in
            ["access.log", "access.login", "access.log.d", "access.log.bak", "access-shop.log", "error.log.1"]
        {
            assert_eq!(rotation(other), None, "{other}");
        }
        assert_eq!(rotation_of("access", "access.1"), Some(("1", false)));
    }

    #[test]
    fn numbers_tell_the_order_where_there_are_any_and_times_elsewhere() {
        let file = |name: &str, second: u64, number| Rotated {
            path: name.into(),
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(second),
            compressed: false,
            number,
        };
        let files =
            vec![file("1", 3, Some(1)), file("2", 3, Some(2)), file("dated", 2, None), file("3", 9, Some(3))];
        let order: Vec<PathBuf> = in_order(files).into_iter().map(|file| file.path).collect();
        assert_eq!(order, ["dated", "3", "2", "1"].map(PathBuf::from));
    }
}
