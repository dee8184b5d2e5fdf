"""What no mapping can beat: the array at its peak, every byte moved once.

In: a codelet, an architecture, a space. Out: cycles.
"""

from __future__ import annotations

from math import prod

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.codelets.ir import Role as TensorRole
from covenant.mapper.mapping import Role
from covenant.mapper.operands import main_capability
from covenant.mapper.space import Space
from covenant.mapper.spacing import touched_elements


def peak_macs(acg: Acg, space: Space) -> int:
    """Multiply-accumulates per cycle of a full array."""
    first = main_capability(acg, space.codelet, space.binding)
    return prod(first.extents.values()) // first.step_cycles


def roofline(codelet: Codelet, acg: Acg, space: Space) -> int:
    """max(MACs / peak MACs per cycle, compulsory bytes / bytes per cycle of either direction)."""
    peak = peak_macs(acg, space)
    read = write = 0
    for tensor in codelet.tensors:
        if tensor.role in (TensorRole.INPUT, TensorRole.CONSTANT):
            read += touched_elements(codelet, tensor) * tensor.dtype.bytes
        elif tensor.role is TensorRole.OUTPUT:
            write += tensor.elements * tensor.dtype.bytes
    off_chip = [s for s in space.moved if s.outer is not None and s.outer.off_chip]
    stores = [s.road.bus for s in off_chip if s.operand.role is Role.OUTPUT]
    loads = [s.road.bus for s in off_chip if s.operand.role is not Role.OUTPUT]
    load_bus = max(loads, default=0) or 1
    store_bus = max(stores, default=0) or 1
    return max(-(-codelet.macs // peak), -(-read // load_bus), -(-write // store_bus))
