//! Places by files of both schemas, and files that change.

use hitstone_engine::vfs::OsFs;

use super::*;

#[path = "../../tests/support/mmdb.rs"]
mod mmdb;

use mmdb::{Writer, flat, nested};

fn write_over(path: &Path, bytes: &[u8]) {
    let temporary = path.with_extension("new");
    std::fs::write(&temporary, bytes).unwrap();
    std::fs::rename(&temporary, path).unwrap();
}

fn place(country: &str, region: &str, city: &str) -> Place {
    Place { country: country.into(), region: region.into(), city: city.into() }
}

fn locate(geo: &Geo, ip: &str) -> Place {
    geo.locate(ip.parse().unwrap())
}

#[test]
fn records_of_cities() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("city.mmdb");
    let file = Writer::new("GeoLite2-City")
        .with("81.2.69.0/24", &nested("GB", "England", "ENG", "London"))
        .with("216.160.83.56/29", &nested("US", "Washington", "WA", "Milton"))
        .with("2001:db8::/32", &nested("DE", "Berlin", "BE", "Berlin"))
        .with("5.0.0.0/8", &nested("FR", "", "", ""));
    write_over(&path, &file.bytes());
    let geo = Geo::open(Arc::new(OsFs), &path).unwrap();
    let table = [
        ("81.2.69.142", place("gb", "England", "London")),
        ("216.160.83.57", place("us", "Washington", "Milton (WA)")),
        ("2001:db8::7", place("de", "Berlin", "Berlin")),
        ("5.6.7.8", place("fr", "", "")),
        ("81.2.70.1", Place::default()),
        ("127.0.0.1", Place::default()),
        ("::1", Place::default()),
    ];
    for (ip, wanted) in table {
        assert_eq!(locate(&geo, ip), wanted, "{ip}");
    }
}

#[test]
fn flat_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flat.mmdb");
    let file = Writer::new("flat")
        .with("81.2.69.0/24", &flat("GB", "England", "London"))
        .with("9.0.0.0/8", &mmdb::Value::Map(vec![("country", mmdb::text("US"))]));
    write_over(&path, &file.bytes());
    let geo = Geo::open(Arc::new(OsFs), &path).unwrap();
    assert_eq!(locate(&geo, "81.2.69.142"), place("gb", "England", "London"));
    assert_eq!(locate(&geo, "9.9.9.9"), place("us", "", ""));
}

#[test]
fn a_changed_file_is_taken_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("country.mmdb");
    let country = |code| Writer::new("Country").with("81.2.69.0/24", &nested(code, "", "", "")).bytes();
    write_over(&path, &country("GB"));
    let geo = Geo::open(Arc::new(OsFs), &path).unwrap();
    assert!(geo.reload_if_changed().unwrap().is_none());
    write_over(&path, &country("IE"));
    assert!(geo.reload_if_changed().unwrap().is_some());
    assert_eq!(locate(&geo, "81.2.69.1").country, "ie");
    write_over(&path, b"no database at all");
    let error = geo.reload_if_changed().unwrap_err().to_string();
    assert!(error.contains("country.mmdb") && error.contains("MMDB"), "{error}");
    assert!(geo.reload_if_changed().unwrap().is_none(), "a broken file is reported once");
    assert_eq!(locate(&geo, "81.2.69.1").country, "ie");
    std::fs::remove_file(&path).unwrap();
    assert!(geo.reload_if_changed().unwrap().is_none());
    write_over(&path, &country("FR"));
    assert!(geo.reload_if_changed().unwrap().is_some());
    assert_eq!(locate(&geo, "81.2.69.1").country, "fr");
}

#[test]
fn a_missing_or_broken_file_is_an_error_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.mmdb");
    assert!(Geo::open(Arc::new(OsFs), &path).is_err());
    write_over(&path, &[0xff; 4096]);
    assert!(Geo::open(Arc::new(OsFs), &path).is_err());
}

#[test]
fn countries_are_built_in() {
    let geo = Geo::built_in();
    assert_eq!(locate(&geo, "8.8.8.8"), place("us", "", ""));
    assert_eq!(locate(&geo, "2a00:1450::1").city, "");
    assert_eq!(locate(&geo, "127.0.0.1"), Place::default());
    assert!(geo.reload_if_changed().unwrap().is_none());
}

/// No damage to a file may do more than give a wrong place.
#[test]
fn damaged_files_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let sound = Writer::new("City").with("81.2.69.0/24", &nested("GB", "England", "ENG", "London")).bytes();
    for at in 0..sound.len() {
        let mut damaged = sound.clone();
        damaged[at] ^= 0x55;
        let path = folder.path().join("damaged.mmdb");
        write_over(&path, &damaged);
        if let Ok(geo) = Geo::open(Arc::new(OsFs), &path) {
            locate(&geo, "81.2.69.142");
        }
    }
}
