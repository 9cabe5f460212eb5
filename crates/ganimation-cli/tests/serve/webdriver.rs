//! Headless Chromium, controlled through ChromeDriver with the WebDriver protocol.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;

use crate::server::agent;

/// The key of an element in WebDriver's answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

pub(crate) struct Browser {
    driver: Child,
    agent: Agent,
    session: String,
    folder: TempDir,
}

impl Browser {
    /// Starts a browser, or returns what is missing.
    pub(crate) fn start() -> Result<Self, String> {
        let driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut driver = driver.map_err(|error| format!("no chromedriver ({error})"))?;
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let mut browser = Self {
            driver,
            agent: agent(),
            session: format!(
                "http://127.0.0.1:{}/session",
                port.ok_or("chromedriver does not start")?
            ),
            folder: tempfile::tempdir().unwrap(),
        };
        let folder = browser.folder.path().display();
        let arguments = [
            "--headless",
            "--no-sandbox", // the tests may run as root
            "--disable-gpu",
            "--disable-quic",
            "--disable-sync",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--window-size=1360,900",
            &format!("--user-data-dir={folder}/profile"),
        ];
        let options = json!({
            "args": arguments,
            "prefs": { "download.default_directory": format!("{folder}/downloads") },
        });
        let params = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let session = browser.call("POST", "", &params)?;
        browser.session = format!("{}/{}", browser.session, session["sessionId"].as_str().unwrap());
        Ok(browser)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let url = format!("{}{path}", self.session);
        let answer = match method {
            "GET" => self.agent.get(url).call(),
            "DELETE" => self.agent.delete(url).call(),
            _ => self.agent.post(url).send_json(body),
        };
        let mut answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status();
        let reported = answer
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_json::<Value>();
        let value = reported.map_err(|error| error.to_string())?["value"].take();
        if status.is_success() {
            Ok(value)
        } else {
            Err(value["message"].to_string())
        }
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", path, body).unwrap()
    }

    pub(crate) fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Runs the body of a function in the page; `arguments` are its arguments.
    #[track_caller]
    pub(crate) fn run(&self, script: &str, arguments: &Value) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// The value of an expression in the page.
    #[track_caller]
    pub(crate) fn get(&self, expression: &str) -> Value {
        self.run(&format!("return {expression};"), &json!([]))
    }

    /// Waits until an expression is true in the page.
    #[track_caller]
    pub(crate) fn wait(&self, expression: &str) {
        let start = Instant::now();
        while self.get(expression) != true {
            let status = self.get("document.querySelector('#status').textContent");
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "never: {expression}; the page says {status}"
            );
            sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    fn elements(&self, selector: &str) -> Vec<String> {
        let found = self.post(
            "/elements",
            &json!({ "using": "css selector", "value": selector }),
        );
        let found = found.as_array().unwrap().iter();
        found
            .map(|element| element[ELEMENT].as_str().unwrap().to_owned())
            .collect()
    }

    /// Clicks an element like a user.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        let element = &self.elements(selector)[0];
        self.post(&format!("/element/{element}/click"), &json!({}));
    }

    /// Types into an element, or selects a file in a file input.
    #[track_caller]
    pub(crate) fn keys(&self, selector: &str, text: &str) {
        let element = &self.elements(selector)[0];
        self.post(&format!("/element/{element}/value"), &json!({ "text": text }));
    }

    /// The accessible names of the visible elements.
    #[track_caller]
    pub(crate) fn labels(&self, selector: &str) -> Vec<String> {
        let mark = "document.querySelectorAll(arguments[0]).forEach(element =>
            element.toggleAttribute('data-seen', element.checkVisibility({ visibilityProperty: true })));";
        self.run(mark, &json!([selector]));
        let label = |element: String| {
            let label = self.call("GET", &format!("/element/{element}/computedlabel"), &Value::Null);
            label.unwrap().as_str().unwrap().to_owned()
        };
        let seen = format!(":is({selector})[data-seen]");
        self.elements(&seen).into_iter().map(label).collect()
    }

    /// Sets the window to the size of a phone or a desktop, in light or dark.
    pub(crate) fn device(&self, width: u32, height: u32, scheme: &str) {
        let call = |command: &str, parameters: Value| {
            self.post(
                "/goog/cdp/execute",
                &json!({ "cmd": command, "params": parameters }),
            );
        };
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        call("Emulation.setDeviceMetricsOverride", size);
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Keeps a picture of the page if `GANIMATION_SCREENSHOTS` names a folder.
    pub(crate) fn photograph(&self, name: &str) {
        let Some(folder) = std::env::var_os("GANIMATION_SCREENSHOTS") else {
            return;
        };
        let picture = self.call("GET", "/screenshot", &Value::Null).unwrap();
        let bytes = self.run(
            "return Array.from(atob(arguments[0]), letter => letter.charCodeAt(0))",
            &json!([picture]),
        );
        let bytes = bytes
            .as_array()
            .unwrap()
            .iter()
            .map(|byte| u8::try_from(byte.as_u64().unwrap()).unwrap());
        fs::write(Path::new(&folder).join(name), bytes.collect::<Vec<_>>()).unwrap();
    }

    /// Waits for a download.
    #[track_caller]
    pub(crate) fn download(&self, name: &str) -> Vec<u8> {
        let path: PathBuf = self.folder.path().join("downloads").join(name);
        let start = Instant::now();
        while !path.exists() {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "{name} is not downloaded"
            );
            sleep(Duration::from_millis(20));
        }
        fs::read(path).unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.call("DELETE", "", &Value::Null); // ends the browser
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
