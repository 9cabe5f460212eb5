//! Answers that contain facts and pictures, as form data that browsers can parse.

use std::fmt::Write as _;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ImageEncoder};
use serde::Serialize;

use super::lane::Place;
use super::rejection::Rejection;
use super::sessions::random_name;

/// A `multipart/form-data` body, built part by part.
pub(super) struct Reply {
    boundary: String,
    bytes: Vec<u8>,
}

impl Reply {
    /// Creates a body with the part `facts`.
    pub(super) fn new(facts: &impl Serialize) -> Result<Self, Rejection> {
        let mut reply = Self {
            boundary: random_name()?,
            bytes: Vec::new(),
        };
        reply.part("facts", "application/json", &serde_json::to_vec(facts)?);
        Ok(reply)
    }

    /// Adds a picture.
    pub(super) fn picture(&mut self, name: &str, picture: &DynamicImage) -> Result<(), Rejection> {
        let file = format!("{name}\"; filename=\"{name}.png"); // a part with a file name becomes a file
        self.part(&file, "image/png", &png(picture, CompressionType::Fast)?);
        Ok(())
    }

    fn part(&mut self, name: &str, kind: &str, content: &[u8]) {
        let mut head = String::new();
        let _ = write!(head, "--{}\r\n", self.boundary); // writing to memory cannot fail
        let _ = write!(head, "Content-Disposition: form-data; name=\"{name}\"\r\n");
        let _ = write!(head, "Content-Type: {kind}\r\n\r\n");
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend_from_slice(content);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// The answer. It keeps the place in the lane until it is sent.
    pub(super) fn send(mut self, place: Place) -> Response {
        let end = format!("--{}--\r\n", self.boundary);
        self.bytes.extend_from_slice(end.as_bytes());
        let kind = format!("multipart/form-data; boundary={}", self.boundary);
        let body = Body::from(place.until_sent(self.bytes));
        ([(header::CONTENT_TYPE, kind)], body).into_response()
    }
}

/// An answer with one file.
pub(super) fn file(kind: &'static str, bytes: Vec<u8>, place: Place) -> Response {
    let body = Body::from(place.until_sent(bytes));
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

pub(super) fn png(picture: &DynamicImage, compression: CompressionType) -> Result<Vec<u8>, Rejection> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, compression, FilterType::Adaptive);
    encoder.write_image(
        picture.as_bytes(),
        picture.width(),
        picture.height(),
        picture.color().into(),
    )?;
    Ok(bytes)
}
