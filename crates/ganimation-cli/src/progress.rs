//! Progress bars on stderr, absent where that is no terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that counts `total` of `what` and tells the time left.
pub(super) fn bar(total: usize, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(total as u64).with_message(what);
    let template = "{msg:10} {bar:32} {pos}/{len} {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
