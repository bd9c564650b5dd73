//! PROXY protocol headers: one that is taken is whole, bounded, and the same whatever follows it.

use stockade_gateway::proxy_header_for_fuzz;

/// Bytes of the longest header of either version.
const LONGEST: usize = 16 + 512;

/// The input is what a connection begins with.
pub fn fuzz_proxy(data: &[u8]) {
    let Some((address, length)) = proxy_header_for_fuzz(data) else { return };
    assert!(length <= data.len() && length <= LONGEST, "a header of {length} bytes in {}", data.len());
    let (header, rest) = data.split_at(length);
    assert_eq!(proxy_header_for_fuzz(header), Some((address, length)), "what follows a header changed it");
    let other = [header, b"\x16\x03\x01", rest].concat();
    assert_eq!(proxy_header_for_fuzz(&other), Some((address, length)), "what follows a header changed it");
    for cut in 0..length {
        assert_eq!(proxy_header_for_fuzz(header.get(..cut).unwrap_or_default()), None, "a header that broke off");
    }
}
