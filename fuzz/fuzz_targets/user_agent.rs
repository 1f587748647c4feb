#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hitstone_fuzz::user_agent::run(data));
