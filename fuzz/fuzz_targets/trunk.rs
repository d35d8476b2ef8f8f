#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| colugo_fuzz_targets::trunk(data));
