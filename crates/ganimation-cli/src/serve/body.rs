//! Reads the body of a request, with limits for size and time.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::ready;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use tokio::time::timeout;

use super::rejection::Rejection;

/// Time limit for a whole body.
const TIME: Duration = Duration::from_secs(30);
/// Limits of time and size for reading the rest of a refused request's body.
const DRAIN_TIME: Duration = Duration::from_secs(5);
const DRAIN_BYTES: usize = 64 << 20;

/// All bytes of a body.
pub(super) async fn read(body: &mut Body, limit: usize) -> Result<Vec<u8>, Rejection> {
    let too_large = Rejection::TooLarge { limit };
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(too_large);
    }
    let mut bytes = Vec::with_capacity(announced);
    let read = async {
        while let Some(chunk) = next(body).await? {
            if bytes.len() + chunk.len() > limit {
                return Err(too_large);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    };
    timeout(TIME, read).await.unwrap_or(Err(Rejection::Slow))
}

/// Reads and discards the rest of a body, because a browser does not read the answer while it is sending.
pub(super) async fn drain(mut body: Body) {
    let read = async {
        let mut left = DRAIN_BYTES;
        while let Ok(Some(chunk)) = next(&mut body).await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                break;
            }
        }
    };
    let _ = timeout(DRAIN_TIME, read).await; // then the connection is closed
}

async fn next(body: &mut Body) -> Result<Option<Bytes>, Rejection> {
    poll_fn(|context| {
        loop {
            match ready!(Pin::new(&mut *body).poll_frame(context)) {
                None => return Ok(None).into(),
                Some(Err(_)) => return Err(Rejection::Broken).into(),
                Some(Ok(frame)) => {
                    if let Ok(chunk) = frame.into_data() {
                        return Ok(Some(chunk)).into();
                    }
                }
            }
        }
    })
    .await
}
