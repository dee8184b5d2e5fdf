"""What a mapping or a run of a model found, layer by layer: the data every report prints.

In: built by `pipeline`. Out: read by `report.summary` (text, JSON) and by the command line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from covenant.acg.graph import Acg
from covenant.codelets.lowered import LoweredLayer
from covenant.core.diagnostics import CovenantError, ExitCode, Span, fail
from covenant.core.layer import Layer
from covenant.frontend.model import Model, Unsupported
from covenant.mapper.cost import Cost
from covenant.mapper.mapping import Mapping as LayerMapping
from covenant.mapper.pins import Pin
from covenant.sim.execute import Mismatch


@dataclass(frozen=True, slots=True, eq=False)
class MappedLayer:
    """A layer with its mapping and cost, or with the error that kept it from having one.

    twin: name of an earlier, equal layer whose mapping this one shares; "" for the first. cached:
    the mapping was proven by an earlier command. pins: the user's decisions that it keeps.
    stopped: Ctrl-C ended its search. alone: the layer as a processor computes it, if it can.
    """

    layer: Layer
    lowered: LoweredLayer | None = None
    mapping: LayerMapping | None = None
    cost: Cost | None = None
    error: CovenantError | None = None
    twin: str = ""
    cached: bool = False
    pins: tuple[Pin, ...] = ()
    stopped: bool = False
    alone: LoweredLayer | None = None

    def whole(self) -> tuple[LoweredLayer, LayerMapping]:
        """Codelet and mapping of a layer that can be compiled; CovenantError for another."""
        if self.error is not None:
            raise self.error
        assert self.lowered is not None
        assert self.mapping is not None
        if self.layer.assumed_int8:
            raise fail(
                "RUN010",
                f"layer {self.layer.name!r} ({self.layer.op_type}) is float: it can be mapped as "
                "if it were int8, not run",
                Span(self.layer.name),
                "quantise the model, e.g. with onnxruntime.quantization.quantize_static",
            )
        return self.lowered, self.mapping

    @property
    def on_processor(self) -> tuple[str, ...]:
        """What the processor beside the accelerator does for the layer, as a reader wants it."""
        if self.is_processed:
            return ("computes the whole layer",)
        if self.lowered is None or self.lowered.whole is None:
            return ()
        views = [view for view in self.lowered.views.values() if not view.is_plain]
        found = [f"makes {v.source} signed" for v in views if v.flip]
        found += [f"pads {v.source} with {v.fill}" for v in views if v.margins and v.fill]
        shape, _, _ = self.lowered.form.rpartition("|")
        found += [f"packs {shape}"] if shape else []
        return (*found, *(["requantises the sums"] if self.lowered.finish is not None else []))

    @property
    def is_refused(self) -> bool:
        """Whether no compute node of the architecture can do it."""
        return self.error is not None and self.error.exit_code is ExitCode.UNSUPPORTED

    @property
    def is_processed(self) -> bool:
        """Whether the processor computes it, as no compute node can."""
        return self.mapping is None and self.error is None


@dataclass(frozen=True, slots=True, eq=False)
class ModelMapping:
    """All layers of a model mapped onto one architecture; refused: those that no compute node of it
    can do, set apart from those that failed otherwise; processed: those of them that the processor
    beside it computes."""

    model: Model
    acg: Acg
    layers: tuple[MappedLayer, ...]
    refused: tuple[MappedLayer, ...] = ()
    processed: tuple[MappedLayer, ...] = ()

    @property
    def in_order(self) -> tuple[MappedLayer, ...]:
        """Layers that run, as they follow one another."""
        places = {layer.name: number for number, layer in enumerate(self.model.layers)}
        found = (*self.layers, *self.processed)
        return tuple(sorted(found, key=lambda mapped: places[mapped.layer.name]))

    def shared(self) -> ModelMapping:
        """The same with layers that no compute node can do in `processed`, where the processor
        can."""
        mine = [m for m in self.layers if m.is_refused and m.alone is not None]
        made = (MappedLayer(m.layer, m.alone) for m in mine)
        kept = tuple(m for m in self.layers if m not in mine)
        return replace(self, layers=kept, processed=(*self.processed, *made))

    def tolerant(self) -> ModelMapping:
        """The same with its unsupported layers in `refused`, if any layer is left; else itself."""
        kept = tuple(m for m in self.layers if not m.is_refused)
        if not kept and not self.processed:
            return self
        refused = tuple(m for m in self.layers if m.is_refused)
        return replace(self, layers=kept, refused=self.refused + refused)

    @property
    def not_in_host_code(self) -> tuple[str, ...]:
        """Names of the nodes for want of which the model is not written as a C program; empty when
        it is, or when the architecture does not say how."""
        control = self.acg.control
        if control is None or control.host is None:
            return ()
        ready = {m.layer.name for m in self.layers if m.mapping and not m.layer.assumed_int8}
        ready |= {m.layer.name for m in self.processed}
        missing = [layer.name for layer in self.model.layers if layer.name not in ready]
        return (*missing, *(node.node for node in self.model.unsupported))

    @property
    def exit_code(self) -> ExitCode:
        """INTERRUPTED after Ctrl-C, else the code of the first layer that failed; OK when none
        did."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        for mapped in self.layers:
            if mapped.error is not None:
                return mapped.error.exit_code
        return ExitCode.OK

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the search of a layer, or kept it from being mapped."""
        errors = (mapped.error for mapped in self.layers)
        unmapped = any(e is not None and e.exit_code is ExitCode.INTERRUPTED for e in errors)
        return unmapped or any(mapped.stopped for mapped in self.layers)

    @property
    def unsupported(self) -> tuple[Unsupported, ...]:
        """Nodes that no layer covers, then layers that no compute node can do."""
        return (*self.model.unsupported, *(_unsupported(mapped) for mapped in self.refused))


def _unsupported(mapped: MappedLayer) -> Unsupported:
    """A refused layer as the report lists it."""
    assert mapped.error is not None
    first = mapped.error.diagnostics[0]
    layer, lowered = mapped.layer, mapped.lowered
    reason = re.sub(r"^(layer '.*?'( equals '.*?')?: )+", "", first.message)
    macs = 0 if lowered is None else lowered.codelet.macs
    return Unsupported(layer.name, layer.op_type, reason, macs, first.code, first.help)


@dataclass(frozen=True, slots=True, eq=False)
class LayerRun:
    """One layer executed: output elements compared with the integer reference, and cycles.

    cycles: from the first instruction fetch to the last byte written, measured on RTL, modelled on
    the interpreter (`ModelRun.cycles_are`); None for a layer that failed. counters: by name.
    packets: that the words make up, 0 on a machine that has none.
    """

    mapped: MappedLayer
    compared: int = 0
    mismatches: int = 0
    first: Mismatch | None = None
    cycles: int | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    words: int = 0
    packets: int = 0
    error: CovenantError | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ModelRun:
    """All layers of a model executed; `machine` is `rtl` or `interpreter`."""

    mapping: ModelMapping
    machine: str
    layers: tuple[LayerRun, ...]

    @property
    def cycles_are(self) -> str:
        """`measured` on RTL; `modelled` where the machine has no clock (sim.timing)."""
        return "modelled" if self.machine == "interpreter" else "measured"

    @property
    def mismatches(self) -> int:
        """Output elements that differ, over all layers."""
        return sum(run.mismatches for run in self.layers)

    @property
    def compared(self) -> int:
        """Output elements compared, over all layers."""
        return sum(run.compared for run in self.layers)

    @property
    def exit_code(self) -> ExitCode:
        """MISMATCH when any output differs, else the code of the first failed layer."""
        if self.mismatches:
            return ExitCode.MISMATCH
        for run in self.layers:
            error = run.error or run.mapped.error
            if error is not None:
                return error.exit_code
        return ExitCode.OK
