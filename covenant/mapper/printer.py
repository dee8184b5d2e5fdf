"""A mapping as text and as JSON.

In: a `Mapping`. Out: a readable loop nest with bindings, residency and addresses (for people and
goldens), or plain dicts that read back to an equal mapping (for files and pins).
"""

from __future__ import annotations

from typing import Any, cast

from covenant.core.dtypes import DType
from covenant.mapper.mapping import (
    Goal,
    Layout,
    LayoutAxis,
    Level,
    Loop,
    Mapping,
    Placement,
    Proof,
    Role,
    Status,
    StepBinding,
)

SCHEMA_VERSION = 2


def show(mapping: Mapping) -> str:
    """Text form: bindings, the loop nest with the exchanges at each level, buffers."""
    lines = [f"mapping {mapping.codelet} on {mapping.architecture}: {_proof(mapping.proof)}"]
    if mapping.fused:
        lines.append(f"  {', '.join(mapping.fused)} run as one dim, {'_'.join(mapping.fused)}")
    if mapping.rewriting:
        lines.append(f"  {mapping.rewriting}")
    for number, step in enumerate(mapping.steps, start=1):
        lines.append(f"  step {number}: {_step(step)}")
    lines += _nest(mapping)
    lines.append("buffers")
    for placement in mapping.placements:
        lines.append(f"  {_buffer(placement)}")
    return "\n".join(lines) + "\n"


def _proof(proof: Proof) -> str:
    reached = [f"{goal.value} {goal.unit}" for goal in proof.goals]
    if not proof.status.proven:
        reached = [
            f"{text}, bound {goal.bound}, gap {goal.gap:.1%}"
            for text, goal in zip(reached, proof.goals, strict=True)
        ]
    kept = f" under {proof.pins} pins" if proof.pins else ""
    return f"{proof.status}{kept}, {', '.join(reached)}"


def _step(step: StepBinding) -> str:
    dims = " ".join(f"{c}={d}" for c, d in step.dims)
    tensors = " ".join(f"{p}={t}" for p, t in step.tensors)
    scalars = " ".join(f"{s}={v}" for s, v in step.scalars)
    rows = f"lanes through rows of {step.rows}" if step.rows else ""
    tail = f"last positions on {step.tail}" if step.tail else ""
    parts = [f"{step.node}.{step.capability}", dims, rows, tail, tensors, scalars]
    return " | ".join(p for p in parts if p)


def _nest(mapping: Mapping) -> list[str]:
    """Loops of all levels, each followed by what is exchanged inside it."""
    lines: list[str] = []
    indent = "  "
    several = len({p.memory for p in mapping.placements}) > 1
    for number, level in enumerate(mapping.levels):
        for index in range(len(level.loops) + 1):
            moved = [p for p in mapping.placements if (p.level, p.cut) == (number, index)]
            lines += [f"{indent}{_verb(p)} {_tile(p, several)}" for p in sorted(moved, key=_rank)]
            if index < len(level.loops):
                loop = level.loops[index]
                lines.append(f"{indent}for {loop.dim} in {loop.trips} x {loop.tile}:")
                indent += "  "
    lines.append(f"{indent}launch {' '.join(mapping.inner)}")
    return lines


_VERBS = {
    Role.PARTIAL: "keep",
    Role.OUTPUT: "store after",
    Role.INPUT: "load",
    Role.CONSTANT: "load",
}


def _verb(placement: Placement) -> str:
    return _VERBS[placement.role]


def _rank(placement: Placement) -> int:
    return list(dict.fromkeys(_VERBS.values())).index(_verb(placement))


def _tile(placement: Placement, several: bool) -> str:
    name = f"{placement.port}={placement.tensor}" if placement.tensor else placement.port
    where = f" in {placement.memory}" if several else ""
    return f"{name} ({placement.layout.bytes} bytes x {placement.copies}){where}"


def _buffer(placement: Placement) -> str:
    at = ", ".join(str(a) for a in placement.addresses)
    names = f"{placement.port:<4} {placement.tensor or '-':<5} {placement.role:<8}"
    where = f"{placement.memory} at {at}: {_layout(placement.layout)}"
    return f"{names} {placement.dtype:<7} {where}"


def _layout(layout: Layout) -> str:
    parts = [f"{a.axis}/{a.step}:{a.extent}*{a.stride}" for a in layout.axes if a.extent > 1]
    return " ".join(parts) or "one element"


def to_json(mapping: Mapping) -> dict[str, Any]:
    """Plain dicts, lists, strings and numbers."""
    return {
        "schema_version": SCHEMA_VERSION,
        "codelet": mapping.codelet,
        "architecture": mapping.architecture,
        **({"fused": list(mapping.fused)} if mapping.fused else {}),
        "steps": [
            {
                "node": s.node,
                "capability": s.capability,
                "dims": dict(s.dims),
                "tensors": dict(s.tensors),
                "scalars": dict(s.scalars),
                **({"rows": s.rows} if s.rows else {}),
                **({"tail": s.tail} if s.tail else {}),
            }
            for s in mapping.steps
        ],
        "levels": [
            {
                "memories": list(level.memories),
                "loops": [{"dim": x.dim, "trips": x.trips, "tile": x.tile} for x in level.loops],
            }
            for level in mapping.levels
        ],
        "rewriting": mapping.rewriting,
        "inner": list(mapping.inner),
        "placements": [_placement_json(p) for p in mapping.placements],
        "proof": {
            "status": mapping.proof.status.value,
            "goals": [
                {"term": g.term, "unit": g.unit, "value": g.value, "bound": g.bound}
                for g in mapping.proof.goals
            ],
            "solve_seconds": mapping.proof.solve_seconds,
            "first_seconds": mapping.proof.first_seconds,
            "seed": mapping.proof.seed,
            "workers": mapping.proof.workers,
            "pins": mapping.proof.pins,
        },
    }


def _placement_json(placement: Placement) -> dict[str, Any]:
    return {
        "memory": placement.memory,
        "port": placement.port,
        "tensor": placement.tensor,
        "role": placement.role.value,
        "dtype": placement.dtype.value,
        "level": placement.level,
        "cut": placement.cut,
        "copies": placement.copies,
        "layout": _layout_json(placement.layout),
        "addresses": list(placement.addresses),
        "home": _layout_json(placement.home),
    }


def _layout_json(layout: Layout) -> dict[str, Any]:
    return {
        "bytes": layout.bytes,
        "axes": [
            {"axis": a.axis, "step": a.step, "extent": a.extent, "stride": a.stride}
            for a in layout.axes
        ],
    }


def from_json(tree: dict[str, Any]) -> Mapping:
    """The mapping that `to_json` wrote; KeyError or ValueError for anything else."""
    if tree["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"schema_version {tree['schema_version']}, expected {SCHEMA_VERSION}")
    proof = tree["proof"]
    return Mapping(
        codelet=str(tree["codelet"]),
        architecture=str(tree["architecture"]),
        steps=tuple(
            StepBinding(
                s["node"],
                s["capability"],
                tuple(s["dims"].items()),
                tuple(s["tensors"].items()),
                tuple(s["scalars"].items()),
                str(s.get("rows", "")),
                str(s.get("tail", "")),
            )
            for s in tree["steps"]
        ),
        levels=tuple(
            Level(
                tuple(level["memories"]),
                tuple(Loop(x["dim"], x["trips"], x["tile"]) for x in level["loops"]),
            )
            for level in tree["levels"]
        ),
        inner=tuple(tree["inner"]),
        placements=tuple(_placement_from(p) for p in tree["placements"]),
        proof=Proof(
            Status(proof["status"]),
            tuple(
                Goal(str(g["term"]), str(g["unit"]), int(g["value"]), int(g["bound"]))
                for g in proof["goals"]
            ),
            float(proof["solve_seconds"]),
            int(proof["seed"]),
            int(proof["workers"]),
            int(proof["pins"]),
            float(proof.get("first_seconds", 0)),
        ),
        fused=tuple(str(d) for d in tree.get("fused", ())),
        rewriting=str(tree["rewriting"]),
    )


def _placement_from(tree: dict[str, Any]) -> Placement:
    return Placement(
        memory=str(tree["memory"]),
        port=str(tree["port"]),
        tensor=str(tree["tensor"]),
        role=Role(tree["role"]),
        dtype=DType(tree["dtype"]),
        cut=int(tree["cut"]),
        copies=int(tree["copies"]),
        layout=_layout_from(tree["layout"]),
        addresses=tuple(int(a) for a in tree["addresses"]),
        home=_layout_from(tree["home"]),
        level=int(tree["level"]),
    )


def _layout_from(tree: dict[str, Any]) -> Layout:
    axes = cast(list[dict[str, int]], tree["axes"])
    return Layout(
        tuple(LayoutAxis(a["axis"], a["step"], a["extent"], a["stride"]) for a in axes),
        int(tree["bytes"]),
    )
