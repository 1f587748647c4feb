#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hitstone_fuzz::parquet_read::run(data));
