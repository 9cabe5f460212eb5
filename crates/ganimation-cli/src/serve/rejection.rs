//! Errors of requests, and their responses.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ganimation_data::Error as Data;
use ganimation_io::one_line;
use serde_json::json;

use crate::error::{Error, LibraryError};

/// A rejected request: a status, a message, and a hint if there is one.
#[derive(Debug, thiserror::Error)]
pub(super) enum Rejection {
    #[error("{}", one_line(.0))]
    Program(#[from] Error),
    #[error("the request is not as expected: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the request has more than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the request was too slow or took too long")]
    Slow,
    #[error("the request is incomplete")]
    Broken,
    #[error("too many requests at the same time")]
    Busy,
    #[error("a newer slider position replaced this one")]
    Stale,
    #[error("the photo is no longer kept")]
    Forgotten,
    #[error("the request comes from another site, or has another host name")]
    Foreign,
    #[error("there is no such page")]
    NoPage,
    #[error("this request method is not allowed")]
    Method,
    #[error("the picture cannot be written: {0}")]
    Encode(#[from] image::ImageError),
    #[error("the film cannot be written: {0}")]
    Film(#[source] std::io::Error),
    #[error("the work failed; see the program's messages")]
    Failed,
}

impl From<LibraryError> for Rejection {
    fn from(error: LibraryError) -> Self {
        Self::Program(error.into())
    }
}

impl From<Data> for Rejection {
    fn from(error: Data) -> Self {
        Self::Program(error.into())
    }
}

impl Rejection {
    fn status(&self) -> StatusCode {
        match self {
            Self::Program(Error::Data(Data::Picture { .. } | Data::ForeignPicture { .. })) => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::Program(Error::Data(Data::PictureTooLarge { .. })) | Self::TooLarge { .. } => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::Program(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Json(_) | Self::Broken => StatusCode::BAD_REQUEST,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Stale => StatusCode::CONFLICT,
            Self::Forgotten | Self::NoPage => StatusCode::NOT_FOUND,
            Self::Foreign => StatusCode::FORBIDDEN,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Encode(_) | Self::Film(_) | Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Program(error) => return error.hint(),
            Self::TooLarge { .. } => "make the picture smaller first",
            Self::Busy => "try again in a moment",
            Self::Forgotten => "choose it again",
            Self::Foreign => {
                "use the address that the program printed, or allow another name with --allow-host"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.to_string(), "hint": self.hint() }).to_string();
        let json = (header::CONTENT_TYPE, "application/json");
        let mut response = (self.status(), [json], body).into_response();
        if matches!(self, Self::Busy) {
            let soon = header::HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, soon);
        }
        response
    }
}
