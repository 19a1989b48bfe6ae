"""Calibration: how often claims of a weight were right on the labelled set, so that a confidence means what it says."""

from __future__ import annotations

from itertools import pairwise

Curve = tuple[tuple[float, float], ...]

CURVES: dict[str, Curve] = {
    "language": ((0.0, 0.3), (0.5, 0.7), (0.9, 0.95), (0.98, 0.985), (1.0, 0.99)),
    "package_manager": ((0.0, 0.4), (0.5, 0.85), (0.6, 0.93), (0.85, 0.96), (0.98, 0.985), (1.0, 0.99)),
    "framework": ((0.0, 0.3), (0.6, 0.8), (0.88, 0.94), (0.98, 0.97), (1.0, 0.98)),
    "port": ((0.0, 0.2), (0.5, 0.6), (0.6, 0.82), (0.85, 0.85), (0.93, 0.9), (1.0, 0.95)),
    "start_command": ((0.0, 0.2), (0.4, 0.55), (0.55, 0.82), (0.75, 0.87), (0.85, 0.9), (0.93, 0.95), (1.0, 0.97)),
}
"""For each field the share that was right at a weight, a little flattened: the labelled set holds many templates, which
are easier than applications. Weights decide between claims; only what is told is calibrated."""


def calibrated(field: str, weight: float) -> float:
    """The confidence of a claim of this weight; the weight itself for a field that was never measured."""
    for (low, at_low), (high, at_high) in pairwise(CURVES.get(field, ())):
        if low <= weight <= high:
            return round(at_low + (at_high - at_low) * (weight - low) / (high - low), 2)
    return round(min(weight, 1.0), 2)
