//! What the triggers of a manifest come to: who answers, through which middleware, and which channels are subscribed to.

// A fixture that is broken fails the test, and so it should.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use anyturn_manifest::{Answer, Application, Inputs, load};

fn application() -> Application {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui/triggers.toml");
    load(&path).unwrap_or_else(|findings| panic!("{findings}")).0
}

fn middleware(application: &Application, id: &str) -> Vec<String> {
    let component = application.component(id).unwrap();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    component
        .middleware()
        .iter()
        .map(|one| name(one.source()))
        .collect()
}

#[test]
fn a_component_behind_several_triggers_has_a_double_for_each_that_has_middleware() {
    let application = application();
    let router = application.router();
    let who = |path: &str| router.find(path).unwrap().component().map(ToString::to_string);
    assert_eq!(who("/front").as_deref(), Some("front"));
    assert_eq!(who("/back").as_deref(), Some("back"));
    assert_eq!(who("/guarded").as_deref(), Some("back-for-guarded"));
    assert_eq!(middleware(&application, "front"), ["log.wasm", "auth.wasm"]);
    assert_eq!(middleware(&application, "back"), [""; 0]);
    assert_eq!(middleware(&application, "back-for-guarded"), ["auth.wasm"]);
    let double = application.component("back-for-guarded").unwrap();
    assert_eq!(double.declared_as().as_str(), "back");
    assert_eq!(
        double.key_value_stores(),
        ["default", "my-other-store", "my_store"]
    );
}

#[test]
fn only_what_something_calls_is_prepared() {
    let application = application();
    let ids: Vec<&str> = application
        .triggered()
        .map(|component| component.id().as_str())
        .collect();
    assert_eq!(ids, ["back", "back-for-guarded", "front", "other-component"]);
    assert!(
        !application.is_reachable("other-component"),
        "it handles messages only"
    );
}

#[test]
fn a_static_response_has_what_the_manifest_gives_it() {
    let application = application();
    let router = application.router();
    let answer = |pattern: &str| {
        let mut routes = router.routes();
        match routes.find(|(route, _)| route.as_str() == pattern).unwrap().1 {
            Answer::Static(fixed) => fixed.clone(),
            Answer::Component(id) => panic!("{id} answers {pattern}"),
        }
    };
    let full = answer("/...");
    assert_eq!((full.status.as_u16(), full.body.as_str()), (404, "nothing here"));
    assert_eq!(full.headers.get("content-type").unwrap(), "text/plain");
    let empty = answer("/empty");
    assert_eq!((empty.status.as_u16(), empty.body.as_str()), (200, ""));
}

#[test]
fn addresses_and_channels_are_filled_in() {
    let application = application();
    let mut inputs = Inputs::default();
    inputs.flag("server=example.org");
    let (values, _) = application.values(&inputs).unwrap();
    let subscriptions = application.subscriptions(&values).unwrap();
    let told: Vec<String> = subscriptions
        .iter()
        .map(|one| {
            format!(
                "{} {} {} {}",
                one.trigger,
                one.component,
                one.address.expose(),
                one.channel
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "back-redis-trigger back redis://example.org:6379 news",
            "other other-component rediss://example.com example.org",
        ]
    );
}

#[test]
fn an_address_that_is_none_is_refused_without_quoting_it() {
    let application = application();
    for server in ["", "user:secret"] {
        let mut inputs = Inputs::default();
        inputs.flag(&format!("server={server}"));
        let (values, _) = application.values(&inputs).unwrap();
        let told = application.subscriptions(&values).unwrap_err().to_string();
        assert!(
            told.contains("trigger.redis[0].address: is no address of a Redis server"),
            "{told}"
        );
        assert!(!told.contains("secret"), "{told}");
    }
}
