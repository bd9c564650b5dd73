//! PA-01: truncated JSON.

use crate::ground::{NOT_JSON, lanes, on_each, readers_only};
use testkit::WellBehaved;

/// Every so many bytes a correct call is cut off.
const STEP: usize = 9;

#[test]
fn a_message_that_breaks_off_is_refused_without_an_id() {
    on_each(lanes(), WellBehaved::files, readers_only, |scene| {
        let call = scene.call();
        let whole = call.bytes.clone();
        let cuts = (1..whole.len()).step_by(STEP).map(|end| whole[..end].to_vec());
        let as_written = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call""#.to_vec();
        for cut in cuts.chain([as_written]) {
            let message = call.clone().with(cut);
            let answer = scene.send(&message);
            assert_eq!(answer.responses()[0].get("id"), None, "{answer}");
            scene.assert_blocked(&message, &answer, NOT_JSON, "read", "the message cannot be read");
        }
    });
}
