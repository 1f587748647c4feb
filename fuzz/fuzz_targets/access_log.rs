#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hitstone_fuzz::access_log::run(data));
