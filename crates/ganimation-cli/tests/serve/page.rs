//! Tests that the program serves the complete page, with headers that forbid other servers.

use crate::server::Server;

#[test]
fn the_page_and_every_file_it_names_are_served() {
    let server = Server::start();
    let page = server.ask("GET", "/", &[], Vec::new()); // a browser sends no such header for a page
    assert_eq!(page.status, 200);
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");

    let mut waiting = vec![("/".to_owned(), String::from_utf8(page.body).unwrap())];
    let mut seen = Vec::new();
    while let Some((path, text)) = waiting.pop() {
        let addresses = text.replace("http://www.w3.org/2000/svg", ""); // the name of a format, not a link
        assert!(
            !addresses.contains("http://") && !addresses.contains("https://"),
            "{path} leads elsewhere"
        );
        let quoted = text.split(['"', '\'']).filter(|word| {
            let name = word.trim_start_matches("./");
            [".css", ".js"].iter().any(|extension| name.ends_with(extension)) && !name.contains(' ')
        });
        for file in quoted.map(|word| format!("/{}", word.trim_start_matches("./"))) {
            if !seen.contains(&file) {
                let answer = server.ask("GET", &file, &[], Vec::new());
                assert_eq!(answer.status, 200, "{file}");
                waiting.push((file.clone(), String::from_utf8(answer.body).unwrap()));
                seen.push(file);
            }
        }
    }
    seen.sort();
    assert_eq!(
        seen,
        [
            "/app.js",
            "/expression.js",
            "/panel.js",
            "/server.js",
            "/stage.js",
            "/style.css"
        ]
    );
}

#[test]
fn the_page_learns_of_all_units_emotions_and_portraits() {
    let facts = Server::start().get("/api/facts").json();
    let count = |name: &str| facts[name].as_array().unwrap().len();
    assert_eq!((count("units"), count("emotions"), count("samples")), (17, 7, 2));
    assert_eq!(facts["options"], serde_json::json!(["--device", "flex"]));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_program_in_peace() {
    assert_eq!(Server::start().interrupt(), Some(0));
}
