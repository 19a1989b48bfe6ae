"""The built-in scanner: inventories of images and source trees, matched against OSV advisories."""
