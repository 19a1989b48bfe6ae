"""The facets of an ecosystem: the contracts that the folders of ecosystems implement."""
