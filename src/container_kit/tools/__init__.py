"""Layer 3: everything an MCP client sees. Tools, their results, and the adapter to the MCP SDK.

Tools do not import docker, kubernetes or dbos, and never decide to retry.
"""
