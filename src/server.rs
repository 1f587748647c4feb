//! The accept loop: bounded connections, a graceful end. Knows neither the APIs nor the store.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::app::App;
use crate::descriptors::room_for_connections;
use crate::http::connection;
use crate::http::crowd::Crowd;
use crate::http::lanes::Lanes;
use crate::router;

/// Requests in flight have this long to finish when the server stops.
const DRAIN_MAX: Duration = Duration::from_secs(10);
/// After a failed accept (out of descriptors, say) the next try waits, so that connections can end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves connections until `stop` turns true; then stops accepting, lets requests in flight finish and returns.
///
/// # Errors
/// There are no threads for them.
pub async fn run(listener: TcpListener, app: Arc<App>, stop: watch::Receiver<bool>) -> io::Result<()> {
    let lanes = Lanes::start(std::thread::available_parallelism().map_or(1, usize::from))?;
    let crowd = Arc::new(Crowd::new(room_for_connections(app.settings.max_connections)));
    let mut stopping = stop.clone();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &crowd) => accepted,
            () = connection::stopped(&mut stopping) => break,
        };
        let Some((stream, peer, place)) = accepted else { continue };
        let (app, stop, crowd) = (Arc::clone(&app), stop.clone(), Arc::clone(&crowd));
        // From here on it belongs to the thread that serves it.
        let Ok(stream) = stream.into_std() else { continue };
        lanes.serve(async move {
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            let handler = move |request| router::answer(Arc::clone(&app), peer.ip(), request);
            connection::serve(stream, stop, &crowd, handler).await;
            drop(place);
        });
    }
    drop(listener);
    if !crowd.empties(DRAIN_MAX).await {
        eprintln!("hitstone: some requests did not finish within {} seconds", DRAIN_MAX.as_secs());
    }
    Ok(())
}

type Accepted = (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, crowd: &Crowd) -> Option<Accepted> {
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Small answers must not wait for more; a connection that refuses the option works all the same.
            let _ = stream.set_nodelay(true);
            Some((stream, peer, crowd.place().await?))
        }
        Err(error) => {
            eprintln!("hitstone: cannot accept a connection: {error}");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}
