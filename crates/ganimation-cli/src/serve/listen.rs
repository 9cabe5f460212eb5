//! Connections, with limits for their number and duration.

use std::io;
use std::net;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use crate::output::note;

/// Maximum number of connections. Further ones wait in the operating system.
const CONNECTIONS: usize = 256;
/// Time limit for the header of a request, and for an idle connection.
const IDLE: Duration = Duration::from_secs(20);
/// Time after which a connection accepts no further request.
const LIFETIME: Duration = Duration::from_secs(600);
/// Time limit for the last request.
const LAST_REQUEST: Duration = Duration::from_secs(120);
/// Time limit for current work when the program ends.
const STOPPING: Duration = Duration::from_secs(2);

/// Returns an object that is notified of Ctrl-C and of termination signals from now on.
pub(super) fn ctrl_c() -> Arc<Notify> {
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    if let Err(error) = ctrlc::set_handler(move || stop.notify_one()) {
        note(format_args!(
            "warning: Ctrl-C will end the program immediately ({error})"
        ));
    }
    stopped
}

/// Serves until a stop is requested.
///
/// One thread is enough for connections. The threads of [`Lane`](super::lane::Lane)s do the work.
pub(super) fn run(listener: net::TcpListener, app: Router, stopped: &Notify) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        tokio::spawn(accept(listener, app));
        stopped.notified().await;
        Ok::<_, io::Error>(())
    })?;
    runtime.shutdown_timeout(STOPPING);
    Ok(())
}

async fn accept(listener: TcpListener, app: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, app.clone(), place));
            }
            // For example, the system may have no free file descriptor. Another connection will release one.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Serves one connection. Errors are ignored here, because the client sees them.
async fn connection(stream: TcpStream, app: Router, _place: OwnedSemaphorePermit) {
    let _ = stream.set_nodelay(true); // only affects the speed
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(IDLE);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let mut connection = pin!(connection);
    if timeout(LIFETIME, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(LAST_REQUEST, connection).await;
    }
}
