//! Fuzzes `credentials`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_harness::fuzz_credentials(data));
