//! Writes small MMDB files for tests: https://maxmind.github.io/MaxMind-DB/ with records of 32 bits.
#![allow(dead_code, reason = "each test uses what it needs")]

use std::net::IpAddr;

/// A value of the data section.
#[derive(Debug, Clone)]
pub enum Value {
    Text(String),
    Map(Vec<(&'static str, Value)>),
    List(Vec<Value>),
    U16(u16),
    U32(u32),
    U64(u64),
}

/// A text value.
pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A record as MaxMind and DB-IP write it. Empty texts are left out.
pub fn nested(country: &str, region: &str, region_code: &str, city: &str) -> Value {
    let named = |name: &str| Value::Map(vec![("en", text(name)), ("de", text("anders"))]);
    let mut record =
        vec![("country", Value::Map(vec![("iso_code", text(country)), ("names", named("Somewhere"))]))];
    if !region.is_empty() {
        let subdivision = Value::Map(vec![("iso_code", text(region_code)), ("names", named(region))]);
        record.push(("subdivisions", Value::List(vec![subdivision])));
    }
    if !city.is_empty() {
        record.push(("city", Value::Map(vec![("names", named(city))])));
    }
    Value::Map(record)
}

/// A record of a flat file.
pub fn flat(country: &str, region: &str, city: &str) -> Value {
    Value::Map(vec![("country_code", text(country)), ("state1", text(region)), ("city", text(city))])
}

/// Collects networks and writes the file. Later networks win over earlier ones that hold them.
pub struct Writer {
    database_type: &'static str,
    nodes: Vec<[Slot; 2]>,
    data: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Slot {
    Empty,
    Node(u32),
    Data(u32),
}

impl Writer {
    pub fn new(database_type: &'static str) -> Self {
        Self { database_type, nodes: vec![[Slot::Empty; 2]], data: Vec::new() }
    }

    /// Adds a network such as `81.2.69.0/24` or `2001:db8::/32`.
    #[must_use]
    pub fn with(mut self, network: &str, record: &Value) -> Self {
        let (address, length) = network.split_once('/').unwrap();
        let length: u32 = length.parse().unwrap();
        let (bits, length) = match address.parse::<IpAddr>().unwrap() {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), length + 96),
            IpAddr::V6(v6) => (v6.to_bits(), length),
        };
        let offset = self.data.len() as u32;
        encode(record, &mut self.data);
        self.insert(bits, length, Slot::Data(offset));
        self
    }

    fn insert(&mut self, bits: u128, length: u32, slot: Slot) {
        let mut at = 0;
        for depth in 0..length {
            let side = (bits >> (127 - depth) & 1) as usize;
            if depth + 1 == length {
                self.nodes[at][side] = slot;
                return;
            }
            at = match self.nodes[at][side] {
                Slot::Node(next) => next as usize,
                wider => {
                    self.nodes.push([wider; 2]);
                    let next = self.nodes.len() - 1;
                    self.nodes[at][side] = Slot::Node(next as u32);
                    next
                }
            };
        }
    }

    /// The file's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let count = self.nodes.len() as u32;
        let mut out = Vec::new();
        for slot in self.nodes.iter().flatten() {
            let number = match slot {
                Slot::Empty => count,
                Slot::Node(node) => *node,
                Slot::Data(offset) => count + 16 + offset,
            };
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&[0; 16]);
        out.extend_from_slice(&self.data);
        out.extend_from_slice(b"\xAB\xCD\xEFMaxMind.com");
        encode(&self.metadata(count), &mut out);
        out
    }

    fn metadata(&self, node_count: u32) -> Value {
        Value::Map(vec![
            ("binary_format_major_version", Value::U16(2)),
            ("binary_format_minor_version", Value::U16(0)),
            ("build_epoch", Value::U64(1_780_000_000)),
            ("database_type", text(self.database_type)),
            ("description", Value::Map(vec![("en", text("for tests"))])),
            ("ip_version", Value::U16(6)),
            ("languages", Value::List(vec![text("en")])),
            ("node_count", Value::U32(node_count)),
            ("record_size", Value::U16(32)),
        ])
    }
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => {
            control(2, text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Map(pairs) => {
            control(7, pairs.len(), out);
            for (key, value) in pairs {
                encode(&text(key), out);
                encode(value, out);
            }
        }
        Value::List(values) => {
            control(11, values.len(), out);
            values.iter().for_each(|value| encode(value, out));
        }
        Value::U16(number) => {
            control(5, 2, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::U32(number) => {
            control(6, 4, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::U64(number) => {
            control(9, 8, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

/// Type and size; types above 7 take a second byte, sizes above 28 another.
fn control(kind: u8, size: usize, out: &mut Vec<u8>) {
    assert!(size < 29 + 256, "{size}");
    let short_size = size.min(29) as u8;
    out.push(if kind > 7 { short_size } else { kind << 5 | short_size });
    if kind > 7 {
        out.push(kind - 7);
    }
    if size >= 29 {
        out.push((size - 29) as u8);
    }
}
