#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hitstone_fuzz::id_file::run(data));
