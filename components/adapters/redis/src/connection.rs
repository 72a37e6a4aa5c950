//! One TCP connection to a Redis.

use spin_sdk::wasip3::sockets::ip_name_lookup::resolve_addresses;
use spin_sdk::wasip3::sockets::types::{
    ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress, TcpSocket,
};
use spin_sdk::wasip3::wit_bindgen::{FutureReader, StreamReader, StreamResult, StreamWriter};
use spin_sdk::wasip3::wit_stream;

use crate::address::Address;
use crate::reply::{Broken, Bytes, Replies, Value};

/// How much is asked of the socket at once.
const CHUNK: usize = 16 << 10;

/// A connection. After a failure, and after a command that nobody waited for to the end, it is not used again: what would
/// come next could be an answer to something else.
pub(crate) struct Connection {
    to: StreamWriter<u8>,
    from: Replies<Incoming>,
    usable: bool,
    /// Closed when the last of these is gone.
    _socket: TcpSocket,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No server has this name.
    Address,
    /// The connection cannot be made, or broke.
    Connection(String),
    /// The server answered with an error.
    Server(String),
}

impl Connection {
    /// Connects and signs in.
    pub(crate) async fn open(address: &Address) -> Result<Self, Failure> {
        let places = resolve_addresses(address.host.clone())
            .await
            .map_err(|_| Failure::Address)?;
        let mut failure = Failure::Address;
        for place in places {
            match connect(place, address.port).await {
                Ok(socket) => return Self::greet(socket, address).await,
                Err(code) => {
                    failure = Failure::Connection(format!("the connection cannot be made: {code}"));
                }
            }
        }
        Err(failure)
    }

    async fn greet(socket: TcpSocket, address: &Address) -> Result<Self, Failure> {
        let (to, outgoing) = wit_stream::new();
        // How sending ended is told by what comes back, or that nothing does.
        drop(socket.send(outgoing));
        let (bytes, end) = socket.receive();
        let mut connection = Self {
            to,
            from: Replies::new(Incoming {
                bytes,
                end: Some(end),
            }),
            usable: true,
            _socket: socket,
        };
        match &address.password {
            Some(password) if address.user.is_empty() => {
                connection.call(&[b"AUTH", password.as_bytes()]).await?;
            }
            Some(password) => {
                let (user, password) = (address.user.as_bytes(), password.as_bytes());
                connection.call(&[b"AUTH", user, password]).await?;
            }
            None => {}
        }
        if address.database > 0 {
            let database = address.database.to_string();
            connection.call(&[b"SELECT", database.as_bytes()]).await?;
        }
        Ok(connection)
    }

    /// Sends a command and waits for its answer.
    pub(crate) async fn call(&mut self, words: &[&[u8]]) -> Result<Value, Failure> {
        if !self.usable {
            return Err(Failure::Connection("the connection broke before".to_owned()));
        }
        let mut command = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            command.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            command.extend_from_slice(word);
            command.extend_from_slice(b"\r\n");
        }
        // Until the answer is there whole: whoever stops waiting leaves it to come.
        self.usable = false;
        let unsent = self.to.write_all(command).await;
        if !unsent.is_empty() {
            return Err(Failure::Connection("the connection broke".to_owned()));
        }
        match self.from.next().await {
            Ok(answer) => {
                self.usable = true;
                answer.map_err(Failure::Server)
            }
            Err(Broken(reason)) => Err(Failure::Connection(format!("the connection broke: {reason}"))),
        }
    }
}

async fn connect(place: IpAddress, port: u16) -> Result<TcpSocket, ErrorCode> {
    let (family, place) = match place {
        IpAddress::Ipv4(address) => {
            let place = Ipv4SocketAddress { port, address };
            (IpAddressFamily::Ipv4, IpSocketAddress::Ipv4(place))
        }
        IpAddress::Ipv6(address) => {
            let place = Ipv6SocketAddress {
                port,
                flow_info: 0,
                address,
                scope_id: 0,
            };
            (IpAddressFamily::Ipv6, IpSocketAddress::Ipv6(place))
        }
    };
    let socket = TcpSocket::create(family)?;
    socket.connect(place).await?;
    Ok(socket)
}

/// What comes from the server.
struct Incoming {
    bytes: StreamReader<u8>,
    /// Why nothing more comes; taken when it was asked.
    end: Option<FutureReader<Result<(), ErrorCode>>>,
}

impl Bytes for Incoming {
    async fn more(&mut self, into: &mut Vec<u8>) -> Result<(), Broken> {
        let (result, bytes) = self.bytes.read(Vec::with_capacity(CHUNK)).await;
        into.extend_from_slice(&bytes);
        if !bytes.is_empty() || matches!(result, StreamResult::Complete(_)) {
            return Ok(());
        }
        let end = match self.end.take() {
            Some(end) => end.await,
            None => Ok(()),
        };
        Err(Broken(match end {
            Ok(()) => "the server closed it".to_owned(),
            Err(code) => code.to_string(),
        }))
    }
}
