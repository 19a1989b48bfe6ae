"""Tables of facts that stages look up, such as end-of-life dates. No logic beyond the lookup."""
