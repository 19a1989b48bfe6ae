"""All applications of the street."""

from __future__ import annotations

from street.application import Application
from street.javascript import generated, kinds
from street.python import trees

APPLICATIONS: tuple[Application, ...] = (*kinds.APPLICATIONS, *generated.APPLICATIONS, *trees.APPLICATIONS)
