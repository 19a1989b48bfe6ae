"""All applications of the street."""

from __future__ import annotations

from street.application import Application
from street.javascript import generated, kinds

APPLICATIONS: tuple[Application, ...] = (*kinds.APPLICATIONS, *generated.APPLICATIONS)
