//! The configuration.

/// Any text gives a configuration or problems to show, and problems can be shown.
pub fn fuzz_config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(errors) = stockade::config::parse_for_fuzz(text) {
        assert!(!errors.to_string().is_empty(), "refused without a word");
    }
}
