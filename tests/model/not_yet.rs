//! What the server does not answer yet, by the name of the endpoint, parameter or form. Neither drawn nor expected.

const NOT_YET: &[&str] = &[
    // What the rules say and the server does not.
    "exit without page view",
];

/// Whether the server has it.
pub fn exists(name: &str) -> bool {
    !NOT_YET.contains(&name)
}
