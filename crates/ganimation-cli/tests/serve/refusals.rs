//! What cannot be done is said clearly; what must not be done is refused.

use std::process::Command;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};
use serde_json::json;

use crate::server::{MARK, Server, png};

/// A real grey picture of so many pixels a side.
pub(crate) fn grey(side: u32) -> Vec<u8> {
    let pixels = vec![90; side as usize * side as usize];
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Up)
        .write_image(&pixels, side, side, ExtendedColorType::L8)
        .unwrap();
    bytes
}

/// A few bytes that claim to be a picture of 3.6 gigapixels.
pub(crate) fn bomb() -> Vec<u8> {
    let mut bytes = png(&RgbImage::new(1, 1));
    bytes[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
    let crc = crc32fast::hash(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    bytes
}

#[test]
fn photos_that_cannot_be_used_are_distinguished() {
    let server = Server::start();
    let sky = png(&RgbImage::from_pixel(200, 160, Rgb([90, 120, 200])));
    for (photo, status, error) in [
        (
            b"not a picture".to_vec(),
            415,
            "cannot decode picture that was sent",
        ),
        (Vec::new(), 415, "picture that was sent is an empty file"),
        (
            bomb(),
            413,
            "picture that was sent is 60000 x 60000 pixels (3600 megapixels), more than 64 megapixels",
        ),
        (
            grey(10_000),
            413,
            "picture that was sent is 10000 x 10000 pixels (100 megapixels), more than 64 megapixels",
        ),
        (sky, 422, "no face found (200 x 160 pixels)"),
        (
            vec![0; (32 << 20) + 1],
            413,
            "the request has more than 33554432 bytes",
        ),
    ] {
        let answer = server.post("/api/photo", photo);
        assert!(answer.error().starts_with(error), "{}", answer.error());
        assert_eq!(answer.status, status, "{error}");
        assert!(answer.json()["hint"].is_string(), "{error}");
    }
}

#[test]
fn wishes_that_make_no_sense_are_distinguished() {
    let server = Server::start();
    let (photo, _) = server.sample("hopper");
    for (units, status, error) in [
        (
            json!({ "AU12": 9.0 }),
            422,
            "intensity 9 of AU12 is outside 0 to 5",
        ),
        (
            json!({ "AU12": -1.0 }),
            422,
            "intensity -1 of AU12 is outside 0 to 5",
        ),
        (json!({ "AU03": 1.0 }), 422, "unknown action unit `AU03`"),
        (
            json!({ "AU12": "much" }),
            400,
            "the request is not as expected: invalid type",
        ),
        (json!([]), 400, "the request is not as expected: invalid type"),
        (
            json!({ "AU12": "x".repeat(20_000) }),
            413,
            "the request has more than 16384 bytes",
        ),
    ] {
        for path in ["/api/edit", "/api/save", "/api/film"] {
            let answer = server.edit(path, &photo, 1, &units);
            assert!(answer.error().starts_with(error), "{path}: {}", answer.error());
            assert_eq!(answer.status, status, "{path}: {error}");
        }
    }
    let strangers = json!({ "session": "0".repeat(32) });
    let answer = server.edit("/api/edit", &strangers, 1, &json!({}));
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (404, "the photo is no longer kept")
    );
    let eighth = json!({ "session": photo["session"], "turn": 1, "face": 8, "units": {} });
    let answer = server.post("/api/edit", eighth.to_string());
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (422, "no face 8: 1 found")
    );
    assert_eq!(server.post("/api/edit", "{").status, 400);
    assert_eq!(server.get("/api/edit").status, 405);
}

#[test]
fn no_file_of_the_machine_can_be_read() {
    let server = Server::start();
    for path in [
        "/etc/passwd",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/page/index.html",
        "/Cargo.toml",
        "/api/sample/..%2f..%2fCargo.toml",
        "//etc/passwd",
    ] {
        for method in ["GET", "POST"] {
            let answer = server.ask(method, path, &[MARK], Vec::new());
            assert!(
                matches!(answer.status, 404 | 405),
                "{method} {path}: {}",
                answer.status
            );
        }
    }
}

#[test]
fn other_sites_are_refused() {
    let server = Server::start();
    let own = server.url.clone();
    let sample = |headers: &[(&str, &str)]| {
        server
            .ask("POST", "/api/sample/hopper", headers, Vec::new())
            .status
    };
    assert_eq!(sample(&[MARK, ("Origin", &own)]), 200);
    assert_eq!(
        sample(&[]),
        403,
        "a form of another site can be sent without asking, but has no such header"
    );
    assert_eq!(sample(&[MARK, ("Origin", "http://evil.example")]), 403);
    assert_eq!(sample(&[MARK, ("Origin", "null")]), 403);
    assert_eq!(sample(&[MARK, ("Origin", "http://127.0.0.1:1")]), 403);
    for host in ["evil.example", "localhost.evil.example", "192.168.0.9"] {
        let headers = [("Host", host)];
        assert_eq!(server.ask("GET", "/", &headers, Vec::new()).status, 403, "{host}");
    }
    let asked = [
        ("Origin", "http://evil.example"),
        ("Access-Control-Request-Headers", "x-ganimation"),
    ];
    let preflight = server.ask("OPTIONS", "/api/edit", &asked, Vec::new());
    assert_eq!(preflight.status, 403);
    assert!(!preflight.headers.contains_key("access-control-allow-origin"));
}

#[test]
fn an_allowed_name_and_a_proxy_for_it_are_answered_and_no_other() {
    let (strict, open) = (
        Server::start(),
        Server::start_with(&["--allow-host", "faces.example"]),
    );
    let port = open.address().rsplit(':').next().unwrap();
    let status = |server: &Server, host: &str, origin: &str| {
        let headers = [MARK, ("Host", host), ("Origin", origin)];
        server
            .ask("POST", "/api/sample/hopper", &headers, Vec::new())
            .status
    };
    let (own, with_port) = (open.address(), format!("faces.example:{port}"));
    for (host, origin) in [
        ("faces.example", "http://faces.example".to_owned()),
        (with_port.as_str(), format!("http://{with_port}")),
        ("faces.example", "https://faces.example".to_owned()), // a proxy that hands its name on
        (own, "https://faces.example".to_owned()),             // and one that does not
        (own, open.url.clone()),
    ] {
        assert_eq!(status(&open, host, &origin), 200, "{host} {origin}");
        if origin != open.url {
            assert_eq!(status(&strict, host, &origin), 403, "{host} {origin}");
        }
    }
    for (host, origin) in [
        ("evil.example", "http://evil.example"),
        ("evil.example", "https://faces.example"),
        ("faces.example", "https://evil.example"),
        ("faces.example.evil.example", "https://faces.example.evil.example"),
        (own, "http://faces.example"),
    ] {
        assert_eq!(status(&open, host, origin), 403, "{host} {origin}");
    }
    let page = |host| open.ask("GET", "/", &[("Host", host)], Vec::new()).status;
    assert_eq!((page("faces.example"), page("evil.example")), (200, 403));
}

#[test]
fn a_port_that_is_taken_is_reported() {
    let server = Server::start();
    let port = server.address().rsplit(':').next().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ganimation"))
        .args(["serve", "--port", port])
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        message.starts_with(&format!("error: cannot serve at {}", server.address())),
        "{message}"
    );
    assert!(message.contains("hint: the port is in use"), "{message}");
}
