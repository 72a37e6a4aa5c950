//! What lies between a host and its store, and can be cut.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// A TCP proxy on a port of the loopback interface; dropping it breaks its connections.
#[derive(Debug)]
pub struct StoreProxy {
    address: SocketAddr,
    open: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl StoreProxy {
    /// Starts one, in the present Tokio runtime, that leads to `port` on this machine.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap_or_else(|error| panic!("a port for the proxy: {error}"));
        let address = listener
            .local_addr()
            .unwrap_or_else(|error| panic!("the proxy's address: {error}"));
        let (open, state) = watch::channel(true);
        let server = tokio::spawn(serve(listener, port, state));
        Self {
            address,
            open,
            server,
        }
    }

    /// Its address, as `REDIS_URL` takes it.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Breaks all connections, whatever is on its way, and takes none until [`StoreProxy::heal`].
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Takes connections again.
    pub fn heal(&self) {
        self.open.send_replace(true);
    }
}

impl Drop for StoreProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, port: u16, open: watch::Receiver<bool>) {
    // Dropped, and with it the connections, when the proxy is.
    let mut connections = JoinSet::new();
    loop {
        let Ok((near, _)) = listener.accept().await else {
            continue;
        };
        while connections.try_join_next().is_some() {}
        if *open.borrow() {
            connections.spawn(carry(near, port, open.clone()));
        }
    }
}

async fn carry(mut near: TcpStream, port: u16, mut open: watch::Receiver<bool>) {
    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    // What it measures is the store's time, not Nagle's.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    tokio::select! {
        // A broken connection is what either end sees of it.
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = open.wait_for(|open| !open) => {}
    }
}
