//! The interfaces that others speak to Hitstone, each spelled as its documentation spells it, and what several of them
//! share: JSON and the flat pairs made of it, what browsers' headers say, clicks, other origins, the limit by address,
//! the headers about what was taken, and refusals in a few words.

pub mod browser;
pub mod click;
pub mod cors;
pub mod health;
pub mod json;
pub mod limit;
pub mod pairs;
pub mod pirsch;
pub mod prisme;
pub mod refused;
pub mod rejected;
pub mod script;
pub mod segmentstream;
pub mod taken;
