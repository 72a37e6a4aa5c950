//! The constant is what the types say.

use anyturn_contacts::Contacts;
use anyturn_google::network::native::Native;
use anyturn_state::memory::MemoryStore;
use anyturn_tool_sdk::testing;
use std::path::Path;

#[test]
fn the_list_of_tools_is_what_the_types_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools.json");
    testing::check_list::<Contacts<MemoryStore, Native>>(file).unwrap();
}
