//! A to-do list: an MCP server and a REST API.
