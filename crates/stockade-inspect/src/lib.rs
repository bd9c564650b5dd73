//! The screening engine: text in, findings and cleaned text out. Pure; knows nothing of MCP.
