//! Tests of `ganimation serve`: it serves its page, refuses invalid requests, and survives overload.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod browser;
mod faults;
mod page;
mod photos;
mod refusals;
mod server;
mod webdriver;
