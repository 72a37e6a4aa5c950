//! The constant is what the types say.

use std::path::Path;

use anyturn_email::Email;
use anyturn_google::network::native::Native;
use anyturn_state::memory::MemoryStore;
use anyturn_tool_sdk::testing;

#[test]
fn the_list_of_tools_is_what_the_types_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools.json");
    testing::check_list::<Email<MemoryStore, Native>>(file).unwrap();
}
