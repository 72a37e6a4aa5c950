//! TLS with a private certificate authority: one server behind an endpoint, a cluster, sentinels.

use std::sync::Arc;

use anyturn_state::{Error, Query, Store};
use anyturn_store::{AnyStore, RedisOptions, RedisStore};
use anyturn_test_servers::process::{Process, free_port};
use anyturn_test_servers::redis_server::RedisServer;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use crate::server::Server;

/// A private authority, and a certificate of its for this machine, in PEM.
struct Certificates {
    authority: String,
    certificate: rcgen::Certificate,
    key: KeyPair,
}

fn certificates() -> Certificates {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    Certificates {
        authority: authority.pem(),
        certificate,
        key,
    }
}

/// Accepts TLS for `localhost` in front of a server; returns its port and its authority's certificate in PEM.
async fn endpoint(server: &Server) -> (u16, String) {
    let Certificates {
        authority,
        certificate,
        key,
    } = certificates();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = server.socket();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, socket) = (acceptor.clone(), socket.clone());
            tokio::spawn(async move {
                // A client that does not trust this endpoint goes away, which is no failure of it.
                let Ok(mut client) = acceptor.accept(client).await else {
                    return;
                };
                let mut redis = UnixStream::connect(socket).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut redis).await;
            });
        }
    });
    (port, authority)
}

#[tokio::test]
async fn a_server_behind_a_trusted_certificate_is_used() {
    let server = Server::start().await;
    let (port, authority) = endpoint(&server).await;
    let options = RedisOptions {
        certificate_authority: Some(authority.into_bytes()),
        ..RedisOptions::default()
    };
    let store = RedisStore::connect(&format!("rediss://localhost:{port}"), options)
        .await
        .unwrap();
    let store = AnyStore::Redis(store);
    store
        .namespace("test")
        .unwrap()
        .read("s", vec![Query::Document("d".into())])
        .await
        .unwrap();
    // Watching has a connection of its own.
    let slice = store
        .namespace("test")
        .unwrap()
        .watch("s", "j", 0, 1, 10)
        .await
        .unwrap();
    assert_eq!(slice.length, 0);
}

#[tokio::test]
async fn a_server_behind_an_unknown_certificate_is_refused() {
    let server = Server::start().await;
    let (port, _) = endpoint(&server).await;
    let result = RedisStore::connect(&format!("rediss://localhost:{port}"), RedisOptions::default()).await;
    let error = result.err().unwrap();
    assert!(
        matches!(&error, Error::Unavailable(message) if message.contains("certificate")),
        "{error}"
    );
}

/// What redis-server is told so that it serves TLS on a further port, and trusts the authority for its own
/// connections.
struct Tls {
    certificates: Certificates,
    _folder: tempfile::TempDir,
    settings: Vec<(&'static str, String)>,
    port: u16,
}

fn tls() -> Tls {
    let certificates = certificates();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let port = free_port();
    let settings = vec![
        ("tls-port", port.to_string()),
        ("tls-ca-cert-file", file("ca.pem", &certificates.authority)),
        ("tls-cert-file", file("cert.pem", &certificates.certificate.pem())),
        ("tls-key-file", file("key.pem", &certificates.key.serialize_pem())),
        ("tls-auth-clients", "no".to_owned()),
    ];
    Tls {
        certificates,
        _folder: folder,
        settings,
        port,
    }
}

impl Tls {
    async fn server(&self, options: &[&str]) -> RedisServer {
        let named = self
            .settings
            .iter()
            .map(|(name, value)| (format!("--{name}"), value));
        let own: Vec<String> = named.flat_map(|(name, value)| [name, value.clone()]).collect();
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        RedisServer::start_with(&[own.as_slice(), options].concat()).await
    }

    /// Uses the store at an address, first with the authority and then without.
    async fn is_used(&self, url: &str) {
        let trusting = RedisOptions {
            certificate_authority: Some(self.certificates.authority.clone().into_bytes()),
            ..RedisOptions::default()
        };
        let store = AnyStore::Redis(RedisStore::connect(url, trusting).await.unwrap());
        let namespace = store.namespace("test").unwrap();
        namespace
            .read("s", vec![Query::Document("d".into())])
            .await
            .unwrap();
        // Watching has a connection of its own.
        assert_eq!(namespace.watch("s", "j", 0, 1, 10).await.unwrap().length, 0);
        let error = RedisStore::connect(url, RedisOptions::default())
            .await
            .err()
            .unwrap();
        assert!(
            matches!(&error, Error::Unavailable(message) if message.contains("certificate")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_cluster_behind_trusted_certificates_is_used() {
    let tls = tls();
    let bus = free_port().to_string();
    let node = tls
        .server(&[
            "--cluster-enabled",
            "yes",
            "--cluster-port",
            &bus,
            "--tls-cluster",
            "yes",
        ])
        .await;
    node.execute(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    while !node.text(&["CLUSTER", "INFO"]).contains("cluster_state:ok") {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    tls.is_used(&format!("rediss-cluster://localhost:{}", tls.port))
        .await;
}

#[tokio::test]
async fn a_primary_behind_sentinels_with_trusted_certificates_is_used() {
    let (primary, sentinel) = (tls(), tls());
    let _server = primary.server(&["--tls-replication", "yes"]).await;
    // The sentinel trusts the primary, and serves by the primary's authority, too.
    let folder = tempfile::tempdir().unwrap();
    let mut text = format!(
        "port 0\ntls-port {}\ntls-replication yes\ndir {}\nsentinel monitor main 127.0.0.1 {} 1\n",
        sentinel.port,
        folder.path().display(),
        primary.port
    );
    for (name, value) in primary.settings.iter().filter(|(name, _)| *name != "tls-port") {
        text.push_str(&format!("{name} {value}\n"));
    }
    let configuration = folder.path().join("sentinel.conf");
    std::fs::write(&configuration, text).unwrap();
    let _sentinel = Process(
        std::process::Command::new("redis-server")
            .arg(&configuration)
            .arg("--sentinel")
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap(),
    );
    while std::net::TcpStream::connect(("127.0.0.1", sentinel.port)).is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    primary
        .is_used(&format!("rediss-sentinel://localhost:{}/main", sentinel.port))
        .await;
}
