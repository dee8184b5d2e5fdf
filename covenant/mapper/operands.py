"""Operands: what a binding must place in the on-chip memory, and over which paths it moves.

In: a codelet, an architecture, a binding. Out: one `Operand` per port that reads or writes the
memory, one per record of packed constants, one for partial sums. Pure structure: no tiles, no
costs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from covenant.acg.graph import Acg, Capability, Compute, Port, Record
from covenant.codelets.ir import Codelet, Source, Tensor
from covenant.codelets.ir import Role as TensorRole
from covenant.core.affine import Affine
from covenant.core.dtypes import DType
from covenant.core.expression import Ref
from covenant.mapper.candidates import Binding
from covenant.mapper.joints import capability_at, joints
from covenant.mapper.lanes import in_rows, is_strided, window
from covenant.mapper.mapping import Role, StepBinding
from covenant.mapper.rewrite import main_step, rewritten
from covenant.mapper.rows import Rows, rows_of
from covenant.mapper.spacing import spacings


@dataclass(frozen=True, slots=True)
class Operand:
    """One thing to be placed.

    indices: subscripts of its axes over codelet dims; shape: extents of these axes. beat: (codelet
    dim or "", elements) per dim of the port's tile, outermost first, the last one packed; for a
    record only its own dim. strided: lanes have a stride of their own, else a beat is contiguous.
    record_bytes: size of one record, 0 for tensors. stream: transfer node between `memory` and
    compute node. source: of an input whose rows overlap off chip (`mapper.windows`). follows: port
    whose tile it is moved with, for what passes between the off-chip memory and a node of its own,
    e.g. results that a node writes off chip; "" for what is placed. kept: partial sums that lie in
    a memory even when one launch runs the whole reduction. pace: (codelet dim, elements) per step
    of a node of its own that takes it before or after the reduction; () for the others. rows:
    codelet dim of the rows that the lanes run through, "" when a beat stays in one; row_lanes:
    lanes in such a row. every: per axis the distance of the positions that a tile on chip holds, 1
    for all: those between are never touched; () when it is 1 on every axis.
    """

    port: str
    tensor: str
    role: Role
    dtype: DType
    indices: tuple[Affine, ...]
    shape: tuple[int, ...]
    beat: tuple[tuple[str, int], ...]
    strided: bool
    record_bytes: int
    stream: str
    memory: str
    pad: int | None
    source: Source | None = None
    once: bool = False
    """Whether a launch reads it once, before its first step: a table."""
    follows: str = ""
    kept: bool = False
    adjacent: bool = False
    """Whether its lanes must lie in neighbouring words on chip."""
    pace: tuple[tuple[str, int], ...] = ()
    rows: str = ""
    row_lanes: int = 0
    window: int = 1  # places along the axis of its lanes that one reads per result
    every: tuple[int, ...] = ()
    gap: int = 1
    """Distance of the positions that are touched on its last axis."""
    run: int = 0
    """Elements of the packed dim that lie side by side in a contiguous beat, 0 for all of it."""
    deep: int = 0
    """Elements of the packed dim in a step of the shape that takes the last positions, 0 if none
    does."""

    def spacing(self, axis: int) -> int:
        """Distance of the positions on an axis that a tile on chip holds."""
        return self.every[axis] if self.every else 1

    def pitches(self, axis: int, dim: str) -> int:
        """Pitches of an axis on chip between neighbouring iterations of a dim."""
        return self.indices[axis].coefficient(dim) // self.spacing(axis)

    @property
    def dims(self) -> tuple[str, ...]:
        """Codelet dims it depends on, in the order of its axes."""
        return tuple(dict.fromkeys(d for i in self.indices for d in i.dims))

    @property
    def packed(self) -> str:
        """Codelet dim that is contiguous in memory (of a record: the dim it has one entry of)."""
        return self.beat[-1][0]

    @property
    def packed_axis(self) -> int:
        """Axis of the packed dim, -1 when there is none."""
        return next((i for i, a in enumerate(self.indices) if self.packed in a.dims), -1)

    @property
    def lane(self) -> str:
        """Codelet dim of the strided lanes or of the columns of a beat, "" when unbound."""
        return self.beat[0][0] if len(self.beat) > 1 else ""

    @property
    def lanes(self) -> int:
        """Lanes of a beat (columns of a contiguous beat)."""
        return self.beat[0][1] if len(self.beat) > 1 else 1

    def block(self, word_bytes: int) -> int:
        """Elements of the packed dim in one memory word."""
        return max(1, word_bytes // self.dtype.bytes)


def capability_of(acg: Acg, step: StepBinding) -> Capability:
    """The capability a step is bound to."""
    return capability_at(acg, step)


def main_capability(acg: Acg, codelet: Codelet, binding: Binding) -> Capability:
    """The capability that runs the reduction."""
    return capability_at(acg, binding.steps[main_step(rewritten(codelet, binding.rewriting))])


def step_extents(acg: Acg, codelet: Codelet, binding: Binding) -> dict[str, int]:
    """Elements of every bound codelet dim in one array step; other dims advance by one per step."""
    main = main_step(rewritten(codelet, binding.rewriting))
    extents = capability_of(acg, binding.steps[main]).extents
    found = {d.name: 1 for d in codelet.dims}
    found.update({dim: extents.get(name, 1) for name, dim in binding.steps[main].dims})
    return found


def _chained(acg: Acg, binding: Binding, index: int) -> bool:
    """Whether a step takes the result of the one before over a chain edge."""
    return index > 0 and acg.compute(binding.steps[index].node).after != ""


def lane_count(acg: Acg, binding: Binding, index: int, name: str) -> int:
    """Extent of a dim of step `index`: for a chained step that of the node it follows."""
    while _chained(acg, binding, index):
        capability = capability_of(acg, binding.steps[index])
        before = capability_of(acg, binding.steps[index - 1])
        names = [t.name for t in (capability.statement.target, *capability.statement.refs)]
        chain = next(
            r
            for r in capability.statement.refs
            if r.name not in [p.name for p in capability.ports] and r.indices and r.name in names
        )
        position = [i.dims for i in chain.indices].index((name,))
        name = before.statement.target.indices[position].dims[0]
        index -= 1
    return capability_of(acg, binding.steps[index]).extents.get(name, 1)


def reduction_dims(codelet: Codelet) -> tuple[str, ...]:
    """Dims of the reducing step that its target lacks, in codelet order."""
    step = codelet.steps[main_step(codelet)]
    target = {d for i in step.target.indices for d in i.dims}
    read = {d for r in step.refs for i in r.indices for d in i.dims}
    return tuple(d.name for d in codelet.dims if d.name in read and d.name not in target)


def swept_dims(codelet: Codelet, acg: Acg, binding: Binding) -> tuple[str, ...]:
    """Dims iterated while the stationary operand stays in the node: those it lacks; none where
    nothing stays. A result that leaves over a chain is stationary."""
    form = rewritten(codelet, binding.rewriting)
    main = main_step(form)
    capability = capability_of(acg, binding.steps[main])
    chained = main + 1 < len(binding.steps) and _chained(acg, binding, main + 1)
    if chained or capability.keeps_result:
        return reduction_dims(codelet)
    tensor = dict(binding.steps[main].tensors).get(capability.stationary, "")
    if not tensor:
        return ()
    kept = {d for i in _ref(form, main, tensor).indices for d in i.dims}
    return tuple(d.name for d in codelet.dims if d.name not in kept)


def operands(codelet: Codelet, acg: Acg, binding: Binding) -> tuple[Operand, ...]:
    """Everything a binding places or moves, in port order: inputs, records, partial sums,
    result."""
    codelet = rewritten(codelet, binding.rewriting)
    main = main_step(codelet)
    found: list[Operand] = []
    last = len(binding.steps) - 1
    result: list[Operand] = []
    partial = _partial_operand(codelet, acg, binding, main)
    off_chip = {m.name for m in acg.off_chip}
    rows = rows_of(codelet, acg, binding)
    for index, step in enumerate(binding.steps):
        capability = capability_of(acg, step)
        written = capability.statement.target.name
        for port in capability.ports:
            tensor = dict(step.tensors).get(port.name, "")
            local = tensor and codelet.tensor(tensor).role is TensorRole.LOCAL
            if not tensor or not port.tile or (local and index != last and port.name == written):
                continue
            stream = port.stream or (port.spill if port.name == written else "")
            if not stream or (local and partial is not None and partial.tensor == tensor):
                continue
            made = _tensor_operand(codelet, acg, binding, index, port, stream)
            if index != main and not _chained(acg, binding, index):
                own = capability.extents
                made = replace(made, pace=tuple((d, own.get(c, 1)) for c, d in step.dims))
            if partial is not None and made.memory in off_chip:
                made = replace(made, follows=partial.port)
            (result if port.name == written else found).append(made)
    found += [_record_operand(codelet, acg, binding, n, r) for n, r in _records(acg, binding)]
    placed = (*found, *([partial] if partial else []), *result)
    return tuple(_spaced(codelet, acg, _through_rows(o, rows)) for o in placed)


def _spaced(codelet: Codelet, acg: Acg, operand: Operand) -> Operand:
    """The operand with the positions that its tiles hold; all of what is written."""
    loaded = operand.role in (Role.INPUT, Role.CONSTANT) and operand.strided
    if not loaded or operand.source is not None or acg.memory(operand.memory).per:
        return operand
    apart, held = spacings(operand, codelet.extents)
    return replace(operand, every=held, gap=apart[-1] if apart else 1)


def _through_rows(operand: Operand, rows: Rows | None) -> Operand:
    if rows is None or not operand.strided or operand.lane != rows.lane:
        return operand
    return replace(operand, rows=rows.row, row_lanes=rows.length)


def _ref(codelet: Codelet, index: int, tensor: str) -> Ref:
    step = codelet.steps[index]
    return next(r for r in (step.target, *step.refs) if r.name == tensor)


def _role(tensor: Tensor) -> Role:
    match tensor.role:
        case TensorRole.INPUT:
            return Role.INPUT
        case TensorRole.CONSTANT:
            return Role.CONSTANT
        case TensorRole.OUTPUT:
            return Role.OUTPUT
        case TensorRole.LOCAL:
            return Role.PARTIAL


def _tensor_operand(
    codelet: Codelet, acg: Acg, binding: Binding, index: int, port: Port, stream: str
) -> Operand:
    step = binding.steps[index]
    tensor = codelet.tensor(dict(step.tensors)[port.name])
    bound = dict(step.dims)
    beat = tuple((bound.get(d, ""), lane_count(acg, binding, index, d)) for d in port.tile)
    memory = acg.stream_memory(stream).name
    return Operand(
        port=port.name,
        tensor=tensor.name,
        role=_role(tensor),
        dtype=port.held(tensor.dtype),
        indices=(ref := _ref(codelet, index, tensor.name)).indices,
        shape=tensor.shape,
        beat=beat,
        strided=is_strided(acg, step.node, port.name),
        adjacent=in_rows(acg, step.node, port.name, acg.memory(memory)),
        record_bytes=0,
        stream=stream,
        memory=memory,
        pad=tensor.pad,
        run=acg.compute(step.node).run(capability_of(acg, step), port),
        deep=_deep(acg, step, port),
        source=tensor.source if tensor.role is TensorRole.INPUT else None,
        window=window(codelet, ref.indices, beat[0][0]),
    )


def _deep(acg: Acg, step: StepBinding, port: Port) -> int:
    if not step.tail:
        return 0
    return capability_at(acg, replace(step, capability=step.tail)).extents.get(port.tile[-1], 1)


def _partial_operand(codelet: Codelet, acg: Acg, binding: Binding, main: int) -> Operand | None:
    """Partial sums of the reducing step, when its capability can resume a reduction or another step
    meets them in a memory."""
    step = binding.steps[main]
    capability = capability_of(acg, step)
    target = capability.statement.target.name
    port = next((p for p in capability.ports if p.name == target), None)
    if port is None or not port.tile or not (port.stream or port.spill):
        return None
    ref = codelet.steps[main].target
    tensor = codelet.tensor(ref.name)
    met = {j.step for j in joints(codelet, acg, binding.steps) if j.step != main}
    if tensor.role is not TensorRole.LOCAL or not (met or (port.partial and port.spill)):
        return None
    chained = main + 1 < len(binding.steps) and _chained(acg, binding, main + 1)
    stays = chained or capability.keeps_result
    dims = dict(step.dims)
    stream = port.partial or port.stream
    memory = acg.stream_memory(stream).name
    return Operand(
        port=port.name,
        tensor=tensor.name,
        role=Role.PARTIAL,
        dtype=port.held(tensor.dtype),
        indices=ref.indices,
        shape=tensor.shape,
        beat=tuple((dims.get(d, ""), lane_count(acg, binding, main, d)) for d in port.tile),
        strided=True,
        adjacent=in_rows(acg, step.node, port.name, acg.memory(memory)),
        record_bytes=0,
        stream=stream,
        memory=memory,
        pad=None,
        kept=bool(met) or not stays,
    )


def _records(acg: Acg, binding: Binding) -> list[tuple[Compute, Record]]:
    """Records with a field that a bound capability takes."""
    nodes = dict.fromkeys(step.node for step in binding.steps)
    taken = {p.name for step in binding.steps for p in capability_of(acg, step).ports}
    return [
        (acg.compute(n), r)
        for n in nodes
        for r in acg.compute(n).records
        if taken.intersection(r.fields)
    ]


def record_fields(acg: Acg, binding: Binding, record: Record) -> dict[str, tuple[str, DType]]:
    """Field of a record -> (codelet tensor or "", dtype); fields of unused capabilities are kept
    with the dtype of any port of that name, since the record's shape is fixed in hardware."""
    bound = {p: t for step in binding.steps for p, t in step.tensors}
    chain = [node for step in binding.steps for node in acg.chain(step.node)]
    dtypes = {p.name: p.dtypes[0] for n in chain for c in n.capabilities for p in c.ports}
    return {f: (bound.get(f, ""), dtypes[f]) for f in record.fields}


def _record_operand(
    codelet: Codelet, acg: Acg, binding: Binding, node: Compute, record: Record
) -> Operand:
    """A record: its dims are those of the present fields, so that one serves everything when all
    lanes have the same; a table has none."""
    index = next(i for i, s in enumerate(binding.steps) if s.node == node.name)
    own = dict(binding.steps[index].dims).get(record.dim, "")
    fields = record_fields(acg, binding, record)
    present = {t for t, _ in fields.values() if t}
    used = {
        d
        for step in codelet.steps
        for ref in step.refs
        if ref.name in present
        for i in ref.indices
        for d in i.dims
    }
    dims = [d for d in codelet.dims if d.name in used and not record.entries]
    count = record.entries or lane_count(acg, binding, index, record.dim)
    return Operand(
        port=record.name,
        tensor="",
        role=Role.CONSTANT,
        dtype=DType.INT8,
        indices=tuple(Affine.of(d.name) for d in dims),
        shape=tuple(d.extent for d in dims),
        beat=((own, count),),
        strided=False,
        record_bytes=count * sum(dtype.bytes for _, dtype in fields.values()),
        stream=record.stream,
        memory=acg.stream_memory(record.stream).name,
        pad=None,
        once=record.entries > 0,
    )
