//! The interfaces that others speak to Hitstone, each spelled as its documentation spells it.

pub mod health;
pub mod pirsch;
