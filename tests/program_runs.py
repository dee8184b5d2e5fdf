"""Codelets on machines without RTL: mapped, lowered, checked, interpreted, compared with NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codelet_runs import tensors
from covenant.acg.graph import Acg
from covenant.codelets.interpret import run
from covenant.codelets.ir import Codelet, Role
from covenant.emit.check import check_image
from covenant.emit.image import Image, build_image
from covenant.emit.lower import lower
from covenant.mapper.mapping import Mapping as LayerMapping
from covenant.mapper.objective import parse_objective
from covenant.mapper.solve import solve
from covenant.sim.interpret import Interpreter

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Ready:
    """A codelet ready to run: its mapping, image, inputs and what must come out."""

    mapping: LayerMapping
    image: Image
    inputs: Arrays
    expected: Arrays


def prepare(codelet: Codelet, acg: Acg, objective: str = "latency", seed: int = 0) -> Ready:
    """Map and lower a codelet with random constants and inputs."""
    wanted = parse_objective(objective)
    mapping = solve(codelet, acg, objective=wanted, time_limit_seconds=60)
    return lowered(codelet, mapping, acg, seed)


def lowered(codelet: Codelet, mapping: LayerMapping, acg: Acg, seed: int) -> Ready:
    """The image of a mapping, with random constants and inputs."""
    rng = np.random.default_rng(seed)
    drawn = tensors(codelet, Role.CONSTANT, rng)
    even = {t.name for t in codelet.tensors if t.uniform}
    constants = {n: np.full_like(a, a.flat[0]) if n in even else a for n, a in drawn.items()}
    program = lower(mapping, codelet, acg, payloads=constants)
    image = build_image(program, mapping, codelet, acg, constants)
    inputs = tensors(codelet, Role.INPUT, rng)
    return Ready(mapping, image, inputs, run(codelet, inputs, constants))


def differing(ready: Ready, image: Image, acg: Acg, seed: int = 1) -> int:
    """Outputs that differ from the codelet's meaning when an image is interpreted."""
    after, _ = Interpreter(acg).run(image.words, image.dram(ready.inputs), None, seed)
    found = image.outputs(after)
    return sum(int((found[n] != wanted).sum()) for n, wanted in ready.expected.items())


def assert_runs(codelet: Codelet, acg: Acg, objective: str = "latency", seed: int = 0) -> Ready:
    """The program is proven by the checker and gives the codelet's results."""
    ready = prepare(codelet, acg, objective, seed)
    assert check_image(ready.image, acg) == ()
    assert differing(ready, ready.image, acg) == 0
    return ready
