//! A site's dictionary: every string of a site with its code, in one immutable file that is mapped.
//!
//! Indices have codes alone; their strings are here. A dictionary is made from the one before and what is new
//! ([`DictionaryBuilder`]), so a newer one has all of an older one, under the same codes. [`SiteDictionary`] reads the
//! mapped bytes in place: nothing is copied to the heap.
//!
//! Invariants: in a column a code stands for one string and a string has one code; 0 is the empty string, which is in
//! no file. It knows nothing of segments, sessions or which dictionary is in force.

mod build;
mod reader;
#[cfg(test)]
mod tests;

pub use build::DictionaryBuilder;
pub use reader::{SiteDictionary, Strings};
