//! The interfaces that others speak to Hitstone.

pub mod pirsch;
