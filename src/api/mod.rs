//! The interfaces, each spelled as its documentation spells it.

pub mod health;
pub mod pirsch;
