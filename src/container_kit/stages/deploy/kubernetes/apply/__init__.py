"""Server-side apply of manifests: diff, apply, prune and field ownership."""
