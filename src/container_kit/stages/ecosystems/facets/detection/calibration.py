"""Calibration: how often claims of a weight were right on the labelled set, so that a confidence means what it says."""

from __future__ import annotations

from itertools import pairwise

Curve = tuple[tuple[float, float], ...]

CURVES: dict[str, Curve] = {
    "language": ((0.0, 0.3), (0.5, 0.7), (0.9, 0.85), (0.95, 0.95), (0.98, 0.985), (1.0, 0.99)),
    "package_manager": ((0.0, 0.4), (0.5, 0.88), (0.6, 0.94), (0.85, 0.96), (0.98, 0.985), (1.0, 0.98)),
    "framework": ((0.0, 0.3), (0.6, 0.82), (0.88, 0.94), (0.97, 0.97), (1.0, 0.98)),
    "port": ((0.0, 0.3), (0.5, 0.7), (0.6, 0.89), (0.76, 0.87), (0.83, 0.87), (0.9, 0.94), (0.93, 0.96), (1.0, 0.95)),
    "start_command": (
        (0.0, 0.2),
        (0.4, 0.65),
        (0.55, 0.9),
        (0.62, 0.8),
        (0.75, 0.89),
        (0.85, 0.92),
        (0.92, 0.96),
        (1.0, 0.97),
    ),
}
"""For each field the share that was right at a weight, over the labelled set and other applications and stacks that
were labelled before they were analyzed, a little flattened: what is new is harder. Weights decide between claims; only
reported confidences are calibrated."""


def calibrated(field: str, weight: float) -> float:
    """Return the confidence of a claim of this weight; the weight itself for a field that was never measured."""
    for (low, at_low), (high, at_high) in pairwise(CURVES.get(field, ())):
        if low <= weight <= high:
            return round(at_low + (at_high - at_low) * (weight - low) / (high - low), 2)
    return round(min(weight, 1.0), 2)
