//! Where an address is: its country by the registries' data inside the program, or country, region and city by an
//! operator's MMDB file.
//!
//! The file is mapped, so it must be replaced by a rename, never overwritten in place. A new file is taken while the
//! program runs; a broken one is reported and the old one goes on.
//!
//! It knows nothing of hits, and asks nobody on the network.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use hitstone_engine::error::StorageError;
use hitstone_engine::vfs::{Bytes, SharedFs};
use maxminddb::{LookupResult, PathElement, Reader};

use super::watched::Watched;

use PathElement::{Index, Key};

/// A place. Texts are empty when unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// ISO 3166-1 alpha-2, lower case.
    pub country: String,
    /// The first subdivision's English name.
    pub region: String,
    /// The city's English name; in the United States with the state's code: `Springfield (IL)`.
    pub city: String,
}

/// An operator's file.
struct GeoFile {
    fs: SharedFs,
    watched: Watched,
    reader: ArcSwap<Reader<Bytes>>,
}

/// Finds places.
pub struct Geo {
    file: Option<GeoFile>,
}

impl Geo {
    /// Countries by the data inside the program.
    pub fn built_in() -> Self {
        Self { file: None }
    }

    /// Places by an MMDB file with records of countries or cities.
    pub fn open(fs: SharedFs, path: &Path) -> Result<Self, StorageError> {
        let watched = Watched::new(path);
        let reader = ArcSwap::from_pointee(read_file(&fs, path)?);
        Ok(Self { file: Some(GeoFile { fs, watched, reader }) })
    }

    /// Takes the file anew when it is another one than before, and returns its path then. After an error, which is
    /// returned once for each broken file, the old one stays. To be called every few seconds.
    pub fn reload_if_changed(&self) -> Result<Option<PathBuf>, StorageError> {
        let Some(file) = &self.file else { return Ok(None) };
        if !file.watched.has_changed() {
            return Ok(None);
        }
        file.reader.store(Arc::new(read_file(&file.fs, file.watched.path())?));
        Ok(Some(file.watched.path().to_path_buf()))
    }

    /// Where the address is.
    pub fn locate(&self, ip: IpAddr) -> Place {
        let Some(file) = &self.file else {
            let country = iptocc::country_code(ip).unwrap_or_default().to_ascii_lowercase();
            return Place { country, ..Place::default() };
        };
        file.reader.load().lookup(ip).map(|found| place_of(&found)).unwrap_or_default()
    }
}

fn read_file(fs: &SharedFs, path: &Path) -> Result<Reader<Bytes>, StorageError> {
    Reader::from_source(fs.map(path)?).map_err(|error| StorageError::Corrupt {
        path: path.to_path_buf(),
        offset: 0,
        what: format!("it is no MMDB file ({error})"),
    })
}

/// Reads a record: nested, as MaxMind and DB-IP write it, or flat.
fn place_of(record: &LookupResult<'_, Bytes>) -> Place {
    let nested_country = text_at(record, &[Key("country"), Key("iso_code")]);
    let is_nested = !nested_country.is_empty();
    let either = |nested: &[PathElement<'_>], flat: &[&str]| {
        if is_nested { text_at(record, nested) } else { first_text(record, flat) }
    };
    let country = if is_nested { nested_country } else { first_text(record, &["country_code", "country"]) };
    let region = either(&[Key("subdivisions"), Index(0), Key("names"), Key("en")], &["state1", "region"]);
    let mut city = either(&[Key("city"), Key("names"), Key("en")], &["city"]);
    if country.eq_ignore_ascii_case("us") && !city.is_empty() {
        let state = text_at(record, &[Key("subdivisions"), Index(0), Key("iso_code")]);
        if !state.is_empty() {
            city = format!("{city} ({state})");
        }
    }
    Place { country: country.to_ascii_lowercase(), region, city }
}

fn first_text(record: &LookupResult<'_, Bytes>, keys: &[&str]) -> String {
    keys.iter().map(|key| text_at(record, &[Key(key)])).find(|text| !text.is_empty()).unwrap_or_default()
}

/// The text at a path; empty when there is none, or something else.
fn text_at(record: &LookupResult<'_, Bytes>, path: &[PathElement<'_>]) -> String {
    record.decode_path::<&str>(path).ok().flatten().unwrap_or_default().to_owned()
}

#[cfg(test)]
#[path = "geo_tests.rs"]
mod tests;
