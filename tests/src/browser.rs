//! A real Chromium, headless, driven through ChromeDriver.

use crate::process::{PATIENCE, Process, free_port};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A running ChromeDriver and the folder of its browser's profile; both end when it is dropped.
#[derive(Debug)]
pub struct Driver {
    port: u16,
    profile: TempDir,
    _process: Process,
}

impl Driver {
    /// Starts ChromeDriver, and returns when it answers.
    pub async fn start() -> Self {
        let port = free_port();
        let child = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("chromedriver can be started (`cargo xtask test` installs it): {error}")
            });
        let profile = tempfile::tempdir().unwrap_or_else(|error| panic!("a folder for the browser: {error}"));
        let driver = Self {
            port,
            profile,
            _process: Process(child),
        };
        let deadline = Instant::now() + PATIENCE;
        let status = format!("{}/status", driver.url());
        while !crate::client()
            .get(&status)
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            assert!(
                Instant::now() < deadline,
                "chromedriver answers within {PATIENCE:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        driver
    }

    /// Its WebDriver address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What to ask for when a session begins: headless, and without a word to anybody but the page's server.
    pub fn capabilities(&self) -> serde_json::Map<String, serde_json::Value> {
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1200,900",
        ];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", self.profile.path().display()));
        let options = serde_json::json!({ "args": arguments });
        [
            ("goog:chromeOptions".to_owned(), options),
            (
                "goog:loggingPrefs".to_owned(),
                serde_json::json!({ "browser": "ALL" }),
            ),
        ]
        .into_iter()
        .collect()
    }
}

impl Drop for Driver {
    /// Lets the browsers end first, also those of a test that failed: one whose driver is killed goes on for ever.
    fn drop(&mut self) {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return;
        };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
        let request = "GET /shutdown HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";
        let _ = stream.write_all(request.as_bytes());
        // It answers when they have ended.
        let _ = stream.read_to_end(&mut Vec::new());
    }
}
