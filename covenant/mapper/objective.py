"""What a mapping is best at: one term, or several in order of importance.

In: the text of `--objective`. Out: `Objective`, and its value for any `Cost` in integers of the
term's unit. What the listed terms leave open is decided by latency, then off-chip bytes, then
energy, so that equal inputs give equal mappings.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from covenant.core.diagnostics import CovenantError, ExitCode, Span, did_you_mean, fail
from covenant.mapper.cost import Cost


class Term(StrEnum):
    """One measure of a mapping, to be made small."""

    LATENCY = "latency"
    DRAM = "dram"
    ENERGY = "energy"
    EDP = "edp"


UNITS = {
    Term.LATENCY: "cycles",
    Term.DRAM: "bytes",
    Term.ENERGY: "fJ",
    Term.EDP: "fJ*cycles",
}
"""Unit of each term; an energy-delay product is femtojoules times cycles."""

_TIES = (Term.LATENCY, Term.DRAM, Term.ENERGY)


@dataclass(frozen=True, slots=True)
class Objective:
    """`terms`: as the user listed them, the most important first."""

    terms: tuple[Term, ...]

    def __str__(self) -> str:
        return ",".join(self.terms)

    @property
    def ranked(self) -> tuple[Term, ...]:
        """The listed terms and those that break their ties; of equal energy-delay products the one
        of least latency comes first."""
        listed: list[Term] = []
        for term in self.terms:
            listed += [term, Term.LATENCY] if term is Term.EDP else [term]
        return tuple(dict.fromkeys((*listed, *_TIES)))

    def key(self, cost: Cost) -> tuple[int, ...]:
        """Values of the ranked terms: the less, the better."""
        return tuple(value(term, cost) for term in self.ranked)


LATENCY = Objective((Term.LATENCY,))


def value(term: Term, cost: Cost) -> int:
    """The value of a term in its unit."""
    match term:
        case Term.LATENCY:
            return cost.latency
        case Term.DRAM:
            return cost.dram_bytes
        case Term.ENERGY:
            return cost.energy_femtojoules
        case Term.EDP:
            return cost.energy_femtojoules * cost.latency


def parse_objective(text: str) -> Objective:
    """`"dram,latency"` to an objective; MAP006 when a term is unknown or listed twice."""
    known = {str(term): term for term in Term}
    terms: list[Term] = []
    for word in (part.strip() for part in text.split(",")):
        if word not in known:
            raise _wrong(f"'{word}' is no objective", did_you_mean(word, known))
        if known[word] in terms:
            raise _wrong(f"objective '{word}' is listed twice", "keep its first place")
        terms.append(known[word])
    return Objective(tuple(terms))


def _wrong(message: str, repair: str) -> CovenantError:
    return fail("MAP006", message, Span("--objective"), repair, ExitCode.USAGE)
