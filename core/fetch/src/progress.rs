//! What a person sees of long work: nothing for half a second, then a bar or a spinner, and nothing
//! at all when standard error is no terminal.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Progress of one piece of work. Gone from the terminal when dropped.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    what: String,
    bar: Option<ProgressBar>,
    /// Bytes in all, where known.
    length: Option<u64>,
    quiet: bool,
}

impl Progress {
    /// Progress of `what` (already safe to show), over `length` bytes where that is known.
    #[must_use]
    pub fn new(what: String, length: Option<u64>) -> Self {
        let quiet = !std::io::stderr().is_terminal();
        Self { started: Instant::now(), what, bar: None, length, quiet }
    }

    /// Takes note that `done` bytes are done.
    pub fn at(&mut self, done: u64) {
        if self.quiet || self.started.elapsed() < SILENCE {
            return;
        }
        self.bar.get_or_insert_with(|| draw(&self.what, self.length)).set_position(done);
    }

    /// Shows now that the work goes on, for work that is not counted in bytes. The caller calls it
    /// when half a second has passed.
    pub fn still_at_it(&mut self) {
        if !self.quiet {
            let bar = self.bar.get_or_insert_with(|| draw(&self.what, self.length));
            bar.enable_steady_tick(TICK);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn draw(what: &str, length: Option<u64>) -> ProgressBar {
    let template = if length.is_some() {
        "{msg} {bar:30} {bytes}/{total_bytes} {eta}"
    } else {
        "{msg} {spinner} {bytes}"
    };
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    bar.set_draw_target(ProgressDrawTarget::stderr());
    // A template of our own that does not parse leaves the default style, not an error.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

/// How long work is silent; the caller of [`Progress::still_at_it`] waits this long.
pub const SILENCE: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(100);
