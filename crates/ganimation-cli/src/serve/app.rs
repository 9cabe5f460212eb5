//! The routes of the server.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use ganimation::{Animator, Result as LibraryResult};

use super::facts::{Facts, SAMPLES};
use super::guard::Names;
use super::lane::{Lane, Place};
use super::rejection::Rejection;
use super::reply::{Reply, file};
use super::sessions::Session;
use super::studio::{EditParams, Studio};
use super::{body, guard, page};

/// Maximum size of a photo in bytes.
pub(super) const MAX_UPLOAD: usize = 32 << 20;
/// Maximum size of any other request in bytes.
const MAX_REQUEST: usize = 16 << 10;

/// Maximum number of slider positions that wait for the network. A page rarely has more than one.
const QUICK_PLACES: usize = 32;
/// Maximum number of requests at the same time that upload, open or save a photo, or make a film.
const HEAVY_PLACES: usize = 3;

/// The network, the photos and the queues.
pub(super) struct Server {
    studio: Arc<Studio>,
    quick: Lane,
    heavy: Lane,
    facts: Facts,
}

type Shared = State<Arc<Server>>;
type Answer = Result<Response, Rejection>;

impl Server {
    /// `options` are the options of `ganimation edit` for the same weights.
    pub(super) fn new(animator: Animator, options: Vec<String>) -> LibraryResult<Self> {
        Ok(Self {
            studio: Arc::new(Studio::new(animator)),
            quick: Lane::new(QUICK_PLACES),
            heavy: Lane::new(HEAVY_PLACES),
            facts: Facts::new(options)?,
        })
    }
}

/// The page and its interface, for a server with the host names `names`.
pub(super) fn router(server: Server, names: Names) -> Router {
    page::router()
        .route("/api/facts", get(facts))
        .route("/api/photo", post(open_photo))
        .route("/api/sample/{id}", post(open_sample))
        .route("/api/edit", post(edit))
        .route("/api/save", post(save))
        .route("/api/film", post(film))
        .fallback(async || Rejection::NoPage)
        .method_not_allowed_fallback(async || Rejection::Method)
        .layer(middleware::from_fn_with_state(names, guard::guard))
        .with_state(Arc::new(server))
}

async fn facts(State(server): Shared) -> Answer {
    let facts = serde_json::to_string(&server.facts)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], facts).into_response())
}

async fn open_photo(State(server): Shared, request: Request) -> Answer {
    let mut body = request.into_body();
    let answer = open_upload(&server, &mut body).await;
    if answer.is_err() {
        body::drain(body).await;
    }
    answer
}

async fn open_upload(server: &Server, body: &mut Body) -> Answer {
    // Take the place in the queue before the bytes, so that waiting requests use no memory.
    let place = server.heavy.enter()?;
    let bytes = body::read(body, MAX_UPLOAD).await?;
    open(server, place, bytes).await
}

async fn open_sample(State(server): Shared, request: Request) -> Answer {
    let id = request.uri().path().rsplit('/').next();
    let sample = SAMPLES.iter().find(|sample| Some(sample.id) == id);
    let bytes = sample.ok_or(Rejection::NoPage)?.bytes.to_vec();
    open(&server, server.heavy.enter()?, bytes).await
}

async fn open(server: &Server, place: Place, bytes: Vec<u8>) -> Answer {
    let studio = Arc::clone(&server.studio);
    let reply = place.run(move || studio.open(bytes)).await?;
    Ok(reply.send(place))
}

async fn edit(State(server): Shared, request: Request) -> Answer {
    let (session, params) = edit_params(&server, request).await?;
    session.claim(params.turn);
    let place = server.quick.enter()?;
    let studio = Arc::clone(&server.studio);
    let reply: Reply = place.run(move || studio.edit(&session, &params)).await?;
    Ok(reply.send(place))
}

async fn save(State(server): Shared, request: Request) -> Answer {
    let (session, params) = edit_params(&server, request).await?;
    let place = server.heavy.enter()?;
    let studio = Arc::clone(&server.studio);
    let png = place.run(move || studio.save(&session, &params)).await?;
    Ok(file("image/png", png, place))
}

async fn film(State(server): Shared, request: Request) -> Answer {
    let (session, params) = edit_params(&server, request).await?;
    let place = server.heavy.enter()?;
    let studio = Arc::clone(&server.studio);
    let gif = place.run(move || studio.film(&session, &params)).await?;
    Ok(file("image/gif", gif, place))
}

/// The photo and the parameters of a request.
async fn edit_params(server: &Server, request: Request) -> Result<(Arc<Session>, EditParams), Rejection> {
    let bytes = body::read(&mut request.into_body(), MAX_REQUEST).await?;
    let params: EditParams = serde_json::from_slice(&bytes)?;
    Ok((server.studio.session(&params.session)?, params))
}
