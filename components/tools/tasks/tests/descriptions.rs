//! The constants are what the types say.

use anyturn_state::memory::MemoryStore;
use anyturn_tasks::{Tasks, openapi};
use anyturn_tool_sdk::testing;
use std::path::Path;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn the_list_of_tools_is_what_the_types_say() {
    testing::check_list::<Tasks<MemoryStore>>(Path::new(HERE).join("tools.json")).unwrap();
}

#[test]
fn the_description_of_the_api_is_what_the_types_say() {
    let expected = openapi::write(&openapi::generate());
    testing::check_text(&Path::new(HERE).join("openapi.json"), &expected).unwrap();
}
