//! The page, compiled into the program. No file is read from disk, and no other server is used.

use axum::Router;
use axum::http::header;
use axum::routing::get;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

const FILES: [(&str, &str, &str); 7] = [
    ("/", HTML, include_str!("page/index.html")),
    ("/style.css", CSS, include_str!("page/style.css")),
    ("/app.js", SCRIPT, include_str!("page/app.js")),
    ("/expression.js", SCRIPT, include_str!("page/expression.js")),
    ("/panel.js", SCRIPT, include_str!("page/panel.js")),
    ("/server.js", SCRIPT, include_str!("page/server.js")),
    ("/stage.js", SCRIPT, include_str!("page/stage.js")),
];

/// The page's files.
pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES
        .into_iter()
        .fold(Router::new(), |router, (path, kind, text)| {
            router.route(path, get(([(header::CONTENT_TYPE, kind)], text)))
        })
}
