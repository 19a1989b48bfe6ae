"""The MCP side of the tools; nothing else in `tools` imports mcp."""
