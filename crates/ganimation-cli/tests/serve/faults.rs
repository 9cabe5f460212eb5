//! Overload tests: the server answers all requests, keeps running, and stays within its memory limit.
//!
//! `GANIMATION_FAULTS=full` sends more and larger requests, and waits until slow connections are closed.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use image::imageops::{self, FilterType};
use serde_json::json;

use crate::refusals::{bomb, grey};
use crate::server::{Server, png};

/// Requests sent at the same time.
const AT_ONCE: u64 = 200;

/// Memory that the server may take for all of this, in mebibytes.
const MEMORY: u64 = 1_536;

fn full() -> bool {
    std::env::var("GANIMATION_FAULTS").is_ok_and(|value| value == "full")
}

/// Sends many requests at once and counts the answers by status.
fn at_once(name: &str, server: &Server, ask: impl Fn(&Server, u64) -> u16 + Sync) -> BTreeMap<u16, usize> {
    let start = Instant::now();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let asking: Vec<_> = (0..AT_ONCE)
            .map(|number| {
                let ask = &ask;
                scope.spawn(move || ask(server, number))
            })
            .collect();
        asking.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut counts = BTreeMap::new();
    for status in statuses {
        *counts.entry(status).or_default() += 1;
    }
    let seconds = start.elapsed().as_secs_f32();
    let peak = server.peak_memory().unwrap_or_default();
    println!("{name}: {AT_ONCE} sent, answers by status {counts:?}, {seconds:.1} s, peak {peak} MiB so far");
    counts
}

#[test]
fn a_flood_is_answered_refused_and_survived() {
    let mut server = Server::start();
    let (photo, before) = server.sample("hopper");

    let moves = at_once("positions of a slider", &server, |server, turn| {
        server
            .edit("/api/edit", &photo, turn + 1, &json!({ "AU12": 1.0 }))
            .status
    });
    assert!(
        moves.keys().all(|status| [200, 409, 503].contains(status)),
        "{moves:?}"
    );
    assert!(moves[&200] >= 1);

    // Photos of a phone's size, in the long test.
    let side = if full() { 3_600 } else { 600 };
    let upload = png(&imageops::resize(&before, side, side, FilterType::Nearest));
    let uploads = at_once("photos", &server, |server, _| {
        server.post("/api/photo", upload.clone()).status
    });
    assert!(
        uploads.keys().all(|status| [200, 503].contains(status)),
        "{uploads:?}"
    );
    assert!(uploads[&200] >= 1 && uploads[&503] >= 1, "{uploads:?}");

    for (name, bytes) in [
        ("decompression bombs", bomb()),
        ("pictures of 100 megapixels", grey(10_000)),
    ] {
        let bombs = at_once(name, &server, |server, _| {
            server.post("/api/photo", bytes.clone()).status
        });
        assert!(
            bombs.keys().all(|status| [413, 503].contains(status)),
            "{bombs:?}"
        );
    }
    if full() {
        let largest = grey(8_000);
        at_once("pictures of 64 megapixels", &server, |server, _| {
            server.post("/api/photo", largest.clone()).status
        });
        at_once("films", &server, |server, _| {
            server
                .edit("/api/film", &photo, 1_000, &json!({ "AU12": 1.0 }))
                .status
        });
    }

    assert!(server.is_alive());
    let smile = server.edit("/api/edit", &photo, 1_000, &json!({ "AU12": 3.0 }));
    assert!(matches!(smile.status, 200 | 404), "{}", smile.error()); // 404: newer photos replaced it
    let (photo, _) = server.sample("hopper");
    assert_eq!(
        server
            .edit("/api/edit", &photo, 1, &json!({ "AU12": 3.0 }))
            .status,
        200
    );
    if let Some(peak) = server.peak_memory() {
        assert!(peak < MEMORY, "{peak} MiB");
    }
}

#[test]
fn who_says_nothing_does_not_keep_others_waiting() {
    let server = Server::start();
    let mut silent: Vec<_> = (0..AT_ONCE)
        .map(|_| TcpStream::connect(server.address()).unwrap())
        .collect();
    for stream in &mut silent {
        stream
            .write_all(b"POST /api/photo HTTP/1.1\r\nHost: local")
            .unwrap();
    }
    assert_eq!(server.get("/").status, 200);
    if full() {
        let start = Instant::now();
        let stream = &mut silent[0];
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        println!(
            "a silent connection is closed after {:.0} s",
            start.elapsed().as_secs_f32()
        );
    }
}

#[test]
fn a_slider_is_answered_at_once() {
    let server = Server::start();
    let (photo, _) = server.sample("hopper");
    let mut times: Vec<_> = (1..=if full() { 101 } else { 15 })
        .map(|turn| {
            let start = Instant::now();
            let answer = server.edit("/api/edit", &photo, turn, &json!({ "AU12": turn as f32 % 5.0 }));
            assert_eq!(answer.status, 200);
            start.elapsed()
        })
        .collect();
    times.sort();
    let (median, fastest) = (times[times.len() / 2].as_millis(), times[0].as_millis());
    println!(
        "a position of a slider is answered in {median} ms (median of {}), {fastest} ms at best",
        times.len()
    );
    // The goal is 150 ms on two quiet cores; other tests and other programs run here too.
    assert!(fastest < 1_500, "{fastest} ms");
}
