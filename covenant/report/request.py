"""What a command asks for, and how it hears of progress.

In: the command line. Out: read by `pipeline`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

from numpy.typing import NDArray

from covenant.mapper.objective import LATENCY, Objective
from covenant.mapper.pins import NO_PINS, PinFile


class Tell(Protocol):
    """Changes the text of a stage that is under way; a `live` one matters on a terminal only."""

    def __call__(self, text: str, *, live: bool = False) -> None: ...


Stage = Callable[[str], AbstractContextManager[Tell]]
"""Tells a person which stage is under way: a context manager around it."""


def silent(text: str) -> AbstractContextManager[Tell]:
    """A stage nobody watches."""
    return nullcontext(_unheard)


def _unheard(text: str, *, live: bool = False) -> None:
    del text, live


@dataclass(frozen=True, slots=True)
class MapOptions:
    """What `covenant map` takes. objective: what mappings are best at; pins: decisions of the
    user; time_limit_seconds: per
    layer; strict: an unsupported operator is an error; jobs: layers solved at a time in processes,
    0 for none but this one; cache: proven mappings are looked up and kept in the user's cache
    directory; values: arrays by graph input, of which scales and zero points are bound as
    constants."""

    arch: str
    settings: Mapping[str, str] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    objective: Objective = LATENCY
    pins: PinFile = NO_PINS
    time_limit_seconds: float = 10.0
    seed: int = 0
    workers: int = 1
    strict: bool = False
    jobs: int = 0
    cache: bool = False
    values: Mapping[str, NDArray[Any]] = field(default_factory=dict)
