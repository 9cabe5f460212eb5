//! Progress bars on stderr. They are hidden if stderr is not a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that counts to `total`, with the label `what` and the remaining time.
pub(super) fn bar(total: usize, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(total as u64).with_message(what);
    let template = "{msg:10} {bar:32} {pos}/{len} {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
