//! The `hitstone` program.

fn main() {}
