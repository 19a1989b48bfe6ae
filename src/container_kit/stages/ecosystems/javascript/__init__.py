"""JavaScript and TypeScript: Node.js, Bun and Deno."""
