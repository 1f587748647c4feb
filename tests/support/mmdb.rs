//! Writes a small MMDB file, since no registry has a test database.
//!
//! The format in short: a binary tree over address bits, two 24-bit records a node; a record below the number of
//! nodes is a node, that number is "nothing", above it an offset into the data behind 16 zero bytes; then the
//! marker and a map of metadata. IPv4 addresses lie under 96 zero bits.

use std::net::IpAddr;

const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// What the database says of a network. Empty texts are left out.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub network: &'static str,
    pub country: &'static str,
    pub region: &'static str,
    pub city: &'static str,
}

/// The networks that the worked cases use.
pub const PLACES: &[Place] = &[
    Place { network: "81.2.69.0/24", country: "GB", region: "England", city: "London" },
    Place { network: "91.0.0.0/16", country: "DE", region: "Berlin", city: "Berlin" },
    Place { network: "91.1.0.0/16", country: "DE", region: "", city: "" },
    Place { network: "133.0.0.0/16", country: "JP", region: "Tokyo", city: "Tokyo" },
    Place { network: "2a02:c7f::/32", country: "GB", region: "", city: "" },
];

/// A city database in the nested schema (`country.iso_code`, `subdivisions[0].names.en`, `city.names.en`).
pub fn city_database(places: &[Place]) -> Vec<u8> {
    let mut tree = Tree { nodes: vec![[Record::Nothing; 2]] };
    let mut data = Vec::new();
    for place in places {
        let (bits, length) = parse_network(place.network);
        tree.insert(bits, length, data.len() as u32);
        write_place(&mut data, place);
    }
    let mut file = tree.to_bytes();
    file.extend([0; 16]);
    file.extend(data);
    file.extend(MARKER);
    write_metadata(&mut file, tree.nodes.len() as u32);
    file
}

#[derive(Clone, Copy)]
enum Record {
    Nothing,
    Node(u32),
    Data(u32),
}

struct Tree {
    nodes: Vec<[Record; 2]>,
}

impl Tree {
    fn insert(&mut self, bits: u128, length: u32, data_offset: u32) {
        let mut node = 0;
        for depth in 0..length {
            let side = (bits >> (127 - depth) & 1) as usize;
            if depth + 1 == length {
                self.nodes[node][side] = Record::Data(data_offset);
            } else if let Record::Node(next) = self.nodes[node][side] {
                node = next as usize;
            } else {
                let next = self.nodes.len();
                self.nodes.push([Record::Nothing; 2]);
                self.nodes[node][side] = Record::Node(next as u32);
                node = next;
            }
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let count = self.nodes.len() as u32;
        let number = |record: &Record| match *record {
            Record::Nothing => count,
            Record::Node(node) => node,
            Record::Data(offset) => count + 16 + offset,
        };
        let records = self.nodes.iter().flatten();
        records.flat_map(|record| number(record).to_be_bytes().into_iter().skip(1)).collect()
    }
}

fn parse_network(text: &str) -> (u128, u32) {
    let (address, length) = text.split_once('/').expect("ADDRESS/LENGTH");
    let length: u32 = length.parse().expect("a length in bits");
    match address.parse().expect("an address") {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 96 + length),
        IpAddr::V6(address) => (u128::from(address), length),
    }
}

fn write_place(out: &mut Vec<u8>, place: &Place) {
    let members = [place.country, place.region, place.city].iter().filter(|text| !text.is_empty()).count();
    write_control(out, 7, members);
    write_text(out, "country");
    write_control(out, 7, 1);
    write_text(out, "iso_code");
    write_text(out, place.country);
    if !place.region.is_empty() {
        write_text(out, "subdivisions");
        write_control(out, 11, 1);
        write_names(out, place.region);
    }
    if !place.city.is_empty() {
        write_text(out, "city");
        write_names(out, place.city);
    }
}

fn write_names(out: &mut Vec<u8>, english: &str) {
    write_control(out, 7, 1);
    write_text(out, "names");
    write_control(out, 7, 1);
    write_text(out, "en");
    write_text(out, english);
}

fn write_metadata(out: &mut Vec<u8>, node_count: u32) {
    write_control(out, 7, 9);
    for (key, value) in [("binary_format_major_version", 2u16), ("binary_format_minor_version", 0)] {
        write_text(out, key);
        write_number(out, 5, u64::from(value));
    }
    write_text(out, "build_epoch");
    write_number(out, 9, 1_700_000_000);
    write_text(out, "database_type");
    write_text(out, "Hitstone-Test-City");
    write_text(out, "description");
    write_control(out, 7, 1);
    write_text(out, "en");
    write_text(out, "made by a test");
    write_text(out, "ip_version");
    write_number(out, 5, 6);
    write_text(out, "languages");
    write_control(out, 11, 1);
    write_text(out, "en");
    write_text(out, "node_count");
    write_number(out, 6, u64::from(node_count));
    write_text(out, "record_size");
    write_number(out, 5, 24);
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    write_control(out, 2, text.len());
    out.extend(text.as_bytes());
}

fn write_number(out: &mut Vec<u8>, kind: u8, number: u64) {
    let bytes: Vec<u8> = number.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    write_control(out, kind, bytes.len());
    out.extend(bytes);
}

/// Kinds up to 7 stand in the first byte, later ones in a second; sizes from 29 take a byte more.
fn write_control(out: &mut Vec<u8>, kind: u8, size: usize) {
    assert!(size < 29 + 256, "the writer knows small values only");
    let short = size.min(29) as u8;
    if kind <= 7 {
        out.push(kind << 5 | short);
    } else {
        out.extend([short, kind - 7]);
    }
    if size >= 29 {
        out.push((size - 29) as u8);
    }
}
