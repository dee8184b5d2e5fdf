"""The collector that all checks report to."""

from __future__ import annotations

from covenant.acg.places import Path, Places
from covenant.core.diagnostics import Diagnostic

_SECTIONS = ("memories", "transfers", "compute")


class Findings:
    """Diagnostics in the order found, each at the place of a path of the file."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.found: list[Diagnostic] = []

    def report(self, code: str, path: Path, message: str, repair: str) -> None:
        """A finding about the value at a path (or about its parent when it is not written)."""
        self._add(Diagnostic(code, message, self.places.value(*path), repair))

    def report_key(self, code: str, path: Path, message: str, repair: str) -> None:
        """A finding about the key at a path."""
        self._add(Diagnostic(code, message, self.places.key(*path), repair))

    def section_of(self, name: str) -> str:
        """The section in which a node of that name stands, "" for none."""
        found = (s for s in _SECTIONS if self.places.node(s, name) is not None)
        return next(found, "")

    def _add(self, finding: Diagnostic) -> None:
        """Keep a finding unless it is there already: units of a range share their lines."""
        if finding not in self.found:
            self.found.append(finding)
