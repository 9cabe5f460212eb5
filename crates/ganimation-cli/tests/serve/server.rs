//! The program, serving at a port of its own, and what a client can ask it.

use std::fs;
use std::io::{BufRead, BufReader, Cursor};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use image::RgbImage;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

/// What the page sends with every request.
pub(crate) const MARK: (&str, &str) = ("X-Ganimation", "page");

pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    agent: Agent,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(options: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ganimation"))
            .args(["serve", "--port", "0", "--device", "flex"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut url).unwrap();
        Self {
            child,
            url: url.trim().to_owned(),
            agent: agent(),
        }
    }

    /// The address without `http://`.
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[MARK], Vec::new())
    }

    pub(crate) fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.ask("POST", path, &[MARK], body.into())
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = self.agent.run(request.body(body).unwrap()).unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response
                .body_mut()
                .with_config()
                .limit(1 << 30)
                .read_to_vec()
                .unwrap(),
        }
    }

    /// Opens a portrait that the server brings along: facts, and the photo.
    pub(crate) fn sample(&self, id: &str) -> (Value, RgbImage) {
        self.post(&format!("/api/sample/{id}"), "").opened()
    }

    /// Asks for a position of the sliders.
    pub(crate) fn edit(&self, path: &str, photo: &Value, turn: u64, units: &Value) -> Answer {
        let params = json!({ "session": photo["session"], "turn": turn, "face": null, "units": units });
        self.post(path, params.to_string())
    }

    /// The most memory that the program has taken, in mebibytes, where the system tells.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Asks the program to end, as Ctrl-C does, and tells its exit code.
    #[cfg(unix)]
    pub(crate) fn interrupt(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-INT", &id]).status().unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// What went wrong, as the server says it.
    #[track_caller]
    pub(crate) fn error(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/json");
        self.json()["error"].as_str().unwrap().to_owned()
    }

    /// The parts of a form: names and contents.
    pub(crate) fn parts(&self) -> Vec<(String, Vec<u8>)> {
        let kind = self.headers["content-type"].to_str().unwrap();
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
        let fence = format!("--{boundary}");
        let mut parts = Vec::new();
        let mut rest = &self.body[fence.len()..];
        while rest.starts_with(b"\r\n") {
            let head_end = find(rest, b"\r\n\r\n");
            let head = String::from_utf8(rest[2..head_end].to_vec()).unwrap();
            let name = head.split('"').nth(1).unwrap().to_owned();
            let content = &rest[head_end + 4..];
            let end = find(content, format!("\r\n{fence}").as_bytes());
            parts.push((name, content[..end].to_vec()));
            rest = &content[end + 2 + fence.len()..];
        }
        assert_eq!(rest, b"--\r\n");
        parts
    }

    /// The first two parts: facts and a picture.
    #[track_caller]
    pub(crate) fn opened(&self) -> (Value, RgbImage) {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        let parts = self.parts();
        assert_eq!(parts[0].0, "facts");
        (serde_json::from_slice(&parts[0].1).unwrap(), picture(&parts[1].1))
    }
}

pub(crate) fn agent() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false);
    config
        .timeout_global(Some(Duration::from_secs(120)))
        .build()
        .into()
}

pub(crate) fn picture(bytes: &[u8]) -> RgbImage {
    image::load_from_memory(bytes).unwrap().into_rgb8()
}

pub(crate) fn png(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn find(bytes: &[u8], needle: &[u8]) -> usize {
    bytes
        .windows(needle.len())
        .position(|window| window == needle)
        .unwrap()
}
