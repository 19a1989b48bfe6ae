"""Lock files of ecosystems that have no other facet here."""
