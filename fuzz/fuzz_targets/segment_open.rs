#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hitstone_fuzz::segment_open::run(data));
