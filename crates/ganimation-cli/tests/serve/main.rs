//! `ganimation serve` answers its page, refuses what it should, and outlives what is thrown at it.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod browser;
mod faults;
mod page;
mod photos;
mod refusals;
mod server;
mod webdriver;
