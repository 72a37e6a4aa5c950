//! Write a tool in a few lines, get an MCP server.
