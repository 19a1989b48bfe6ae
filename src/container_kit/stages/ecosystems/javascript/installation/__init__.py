"""How npm, Yarn, pnpm and Bun install what a module needs: versions, lock files, hooks and private registries."""
