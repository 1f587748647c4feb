//! Regular expressions that come from outside: bounded in length, size and depth before they are run.

use regex::{Regex, RegexBuilder};

/// Bytes of a pattern.
pub const BYTES_MAX: usize = 2_000;
/// Bytes of a compiled pattern, and of what it caches.
const PROGRAM_BYTES_MAX: usize = 1 << 20;
const DEPTH_MAX: u32 = 50;

/// Compiles a pattern.
///
/// # Errors
/// What is wrong with it, as the rest of a sentence that begins with its name.
pub fn compile(text: &str) -> Result<Regex, String> {
    if text.len() > BYTES_MAX {
        return Err(format!("is longer than {BYTES_MAX} bytes"));
    }
    RegexBuilder::new(text)
        .size_limit(PROGRAM_BYTES_MAX)
        .dfa_size_limit(PROGRAM_BYTES_MAX)
        .nest_limit(DEPTH_MAX)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "is too large a regular expression".to_owned(),
            _ => "is not a regular expression".to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bounded_patterns_are_compiled() {
        assert!(compile("(?i)^/blog/[^/]*$").is_ok_and(|pattern| pattern.is_match("/Blog/a")));
        let (long, deep) = ("a".repeat(BYTES_MAX + 1), "(".repeat(60) + &")".repeat(60));
        for bad in ["(", "[z-a]", "(?=x)", &long, &deep, "(a{1000}){1000}"] {
            assert!(compile(bad).is_err(), "{bad}");
        }
    }
}
