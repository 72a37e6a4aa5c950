//! What lies between a host and another server, and can be cut.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// A TCP proxy on a port of the loopback interface; dropping it breaks its connections.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    state: watch::Sender<State>,
    server: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Takes no connections now.
    closed: bool,
    /// How often it was cut.
    cuts: u64,
}

impl Line {
    /// Starts one, in the present Tokio runtime, that leads to `port` on this machine.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap_or_else(|error| panic!("a port for the line: {error}"));
        let address = listener
            .local_addr()
            .unwrap_or_else(|error| panic!("the line's address: {error}"));
        let (state, states) = watch::channel(State::default());
        let server = tokio::spawn(serve(listener, port, states));
        Self {
            address,
            state,
            server,
        }
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks all connections, whatever is on its way, and takes none until [`Line::heal`].
    pub fn cut(&self) {
        self.state.send_modify(|state| {
            state.closed = true;
            state.cuts += 1;
        });
    }

    /// Takes connections again.
    pub fn heal(&self) {
        self.state.send_modify(|state| state.closed = false);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, port: u16, states: watch::Receiver<State>) {
    // Dropped, and with it the connections, when the line is.
    let mut connections = JoinSet::new();
    loop {
        let Ok((near, _)) = listener.accept().await else {
            continue;
        };
        while connections.try_join_next().is_some() {}
        let now = *states.borrow();
        if !now.closed {
            connections.spawn(carry(near, port, now, states.clone()));
        }
    }
}

async fn carry(mut near: TcpStream, port: u16, began: State, mut states: watch::Receiver<State>) {
    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    // The line is to be no slower than without it.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    tokio::select! {
        // A broken connection is what either end sees of it.
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = states.wait_for(|now| now.cuts != began.cuts) => {}
    }
}
