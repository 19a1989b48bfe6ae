"""Remediation advice for findings: upgrades, lock commands and base images."""
