//! What a host has to survive.

use crate::response;
use spin_sdk::wasip3::clocks::monotonic_clock;
use spin_sdk::wasip3::http::types::{ErrorCode, Response};
use spin_sdk::wasip3::{spawn, wit_stream};

const MILLISECOND: u64 = 1_000_000;

/// Computes for ever.
pub(crate) fn spin() -> ! {
    let mut number: u64 = 1;
    loop {
        number = std::hint::black_box(number.wrapping_mul(3));
    }
}

/// Takes memory for ever.
pub(crate) fn hoard() -> ! {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(std::hint::black_box(vec![1; 1 << 20]));
    }
}

/// Crashes.
pub(crate) fn trap() -> ! {
    std::process::abort()
}

/// Never answers, and computes nothing.
pub(crate) async fn silent() -> Result<Response, ErrorCode> {
    loop {
        monotonic_clock::wait_for(3_600_000 * MILLISECOND).await;
    }
}

/// Answers for ever; stops when nobody reads.
pub(crate) fn endless() -> Response {
    let (mut contents, body) = wit_stream::new();
    spawn(async move { while contents.write_all(vec![b'x'; 16 << 10]).await.is_empty() {} });
    response(body)
}

/// Crashes in the middle of its answer.
pub(crate) fn half() -> Response {
    let (mut contents, body) = wit_stream::new();
    spawn(async move {
        contents.write_all(b"half".to_vec()).await;
        monotonic_clock::wait_for(20 * MILLISECOND).await;
        trap();
    });
    response(body)
}

/// Sends the first half of its answer at once and the second after so many milliseconds.
pub(crate) fn late(after: u64) -> Response {
    let (mut contents, body) = wit_stream::new();
    spawn(async move {
        contents.write_all(b"early".to_vec()).await;
        monotonic_clock::wait_for(after * MILLISECOND).await;
        contents.write_all(b"late".to_vec()).await;
        println!("the late half is written");
    });
    response(body)
}
