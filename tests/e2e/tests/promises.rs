//! Every promise of the public API, kept by the real host.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use anyturn_e2e::home::{Home, Kind};
use anyturn_e2e::{PROMISES, Visit, check};
use tokio::runtime::{Builder, Runtime};

/// The one that all tests share as long as any of them runs, so that it ends with the last.
static HOME: Mutex<Weak<Home>> = Mutex::new(Weak::new());

/// Its model lives in this process, for longer than the test that started it.
static RUNTIME: OnceLock<Runtime> = OnceLock::new();

fn run(promise: &str) {
    let runtime = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
    });
    let home = {
        let mut slot = HOME.lock().unwrap_or_else(PoisonError::into_inner);
        slot.upgrade().unwrap_or_else(|| {
            let home = Arc::new(runtime.block_on(Home::start(Kind::Host)));
            *slot = Arc::downgrade(&home);
            home
        })
    };
    let visit = Visit::at(home.as_seen_by(promise));
    let verdict = runtime.block_on(check(promise, visit));
    assert_eq!(verdict, Ok(()), "everything is there to check it");
}

anyturn_e2e::promise_tests!(run);

/// What an instance keeps of one request would show in another, as it would under Spin, which reuses them by default.
#[test]
fn instances_that_serve_many_requests_keep_every_promise() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let home = Home::start(Kind::Reusing).await;
        for promise in PROMISES {
            let verdict = check(promise, Visit::at(home.as_seen_by(promise))).await;
            assert_eq!(verdict, Ok(()), "{promise}");
        }
    });
}
