//! What went wrong with a request to the network, in the words of `wasi:http`.

use std::error::Error as StdError;
use std::io;
use wasmtime_wasi_http::Error;

/// Finds the cause of a failed request in its chain of errors.
pub(crate) fn of(error: &reqwest::Error) -> Error {
    if let Some(error) = cause::<Denied>(error) {
        return error.0();
    }
    if let Some(error) = cause::<rustls::Error>(error) {
        return tls(error);
    }
    if error.is_timeout() {
        return if error.is_connect() {
            Error::ConnectionTimeout
        } else {
            Error::ConnectionReadTimeout
        };
    }
    let connecting = error.is_connect();
    if let Some(error) = cause::<io::Error>(error) {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => return Error::ConnectionRefused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
                return Error::ConnectionTerminated;
            }
            io::ErrorKind::UnexpectedEof if connecting => return Error::ConnectionTerminated,
            io::ErrorKind::UnexpectedEof => return Error::HttpResponseIncomplete,
            io::ErrorKind::TimedOut => return Error::ConnectionTimeout,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                return Error::DestinationIpUnroutable;
            }
            _ => {}
        }
    }
    if names_resolution(error) {
        return Error::DnsError {
            rcode: Some("address not available".to_owned()),
            info_code: None,
        };
    }
    if let Some(error) = cause::<hyper::Error>(error) {
        if error.is_incomplete_message() {
            return Error::HttpResponseIncomplete;
        }
        if error.is_timeout() {
            return Error::ConnectionReadTimeout;
        }
        return Error::HttpProtocolError;
    }
    if error.is_connect() {
        return Error::ConnectionRefused;
    }
    if error.is_builder() {
        return Error::HttpRequestUriInvalid;
    }
    Error::InternalError(Some("the request failed".to_owned()))
}

/// An error of the host's own that travels through the client unharmed.
#[derive(Debug, thiserror::Error)]
#[error("refused by the host")]
pub(crate) struct Denied(pub(crate) fn() -> Error);

fn tls(error: &rustls::Error) -> Error {
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
            Error::TlsCertificateError
        }
        rustls::Error::AlertReceived(alert) => Error::TlsAlertReceived {
            alert_id: Some(u8::from(*alert)),
            alert_message: Some(format!("{alert:?}")),
        },
        _ => Error::TlsProtocolError,
    }
}

/// The first error of a type in a chain; I/O errors are looked into.
fn cause<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    None
}

/// Whether an error is one of name resolution. The connector has no type for it, only this text.
fn names_resolution(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if error.to_string().starts_with("dns error") {
            return true;
        }
        next = error.source();
    }
    false
}
