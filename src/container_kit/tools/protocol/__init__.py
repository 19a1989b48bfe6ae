"""The MCP side of the tools. Outside this package, nothing in `tools` imports mcp."""
