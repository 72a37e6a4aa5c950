//! `rediss:`, against a TLS endpoint with a private certificate authority in front of the server.

use std::sync::Arc;

use anyturn_state::{Error, Query, Store};
use anyturn_store::{AnyStore, RedisOptions, RedisStore};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use crate::server::Server;

/// Accepts TLS for `localhost` in front of a server; returns its port and its authority's certificate in PEM.
async fn endpoint(server: &Server) -> (u16, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();

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
    (port, authority.pem())
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
