"""Delivery of a built image to the nodes of a cluster."""
