//! The `hitstone` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    hitstone::cli::main()
}
