"""All applications of the street."""

from __future__ import annotations

from street.application import Application
from street.javascript import generated, kinds, written
from street.python import trees

APPLICATIONS: tuple[Application, ...] = (
    *kinds.APPLICATIONS,
    *written.APPLICATIONS,
    *generated.APPLICATIONS,
    *trees.APPLICATIONS,
)
