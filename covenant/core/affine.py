"""Affine index expressions `2*oy + fy - 1`: parsed, printed, evaluated, substituted.

In: text from codelets and YAML. Out: `Affine`, the only form of index the compiler knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Affine:
    """`constant + sum(coefficient * dim)`; terms in the order written, no zero coefficients."""

    terms: tuple[tuple[str, int], ...] = ()
    constant: int = 0

    @staticmethod
    def of(name: str, coefficient: int = 1, constant: int = 0) -> Affine:
        """The expression `coefficient * name + constant`."""
        return Affine(((name, coefficient),) if coefficient else (), constant)

    @staticmethod
    def total(terms: Iterable[tuple[str, int]], constant: int = 0) -> Affine:
        """Sum of terms; equal names are merged and zeros dropped."""
        merged: dict[str, int] = {}
        for name, coefficient in terms:
            merged[name] = merged.get(name, 0) + coefficient
        return Affine(tuple((n, c) for n, c in merged.items() if c), constant)

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dims that occur."""
        return tuple(name for name, _ in self.terms)

    @property
    def is_plain(self) -> bool:
        """True for a single dim with coefficient 1 and no constant."""
        return self.constant == 0 and len(self.terms) == 1 and self.terms[0][1] == 1

    def coefficient(self, name: str) -> int:
        """Coefficient of a dim, 0 where it does not occur."""
        return dict(self.terms).get(name, 0)

    def evaluate(self, values: Mapping[str, int]) -> int:
        """Value at a point; raises KeyError for a dim without a value."""
        return self.constant + sum(values[name] * c for name, c in self.terms)

    def substitute(self, replacements: Mapping[str, Affine]) -> Affine:
        """Replace dims by expressions; dims not named stay."""
        terms: list[tuple[str, int]] = []
        constant = self.constant
        for name, c in self.terms:
            inner = replacements.get(name, Affine.of(name))
            terms += [(n, c * k) for n, k in inner.terms]
            constant += c * inner.constant
        return Affine.total(terms, constant)

    def span(self, extents: Mapping[str, int]) -> int:
        """How many positions lie between the lowest and highest value, inclusive."""
        return 1 + sum(abs(c) * (extents[name] - 1) for name, c in self.terms)

    def __add__(self, other: Affine) -> Affine:
        return Affine.total(self.terms + other.terms, self.constant + other.constant)

    def __str__(self) -> str:
        text = ""
        for name, c in self.terms:
            sign = "-" if c < 0 else ("+" if text else "")
            text += sign + (name if abs(c) == 1 else f"{abs(c)}*{name}")
        if self.constant or not text:
            text += f"{self.constant:+d}" if text else str(self.constant)
        return text
