"""A small generic bench: a Verilated module whose ports are NumPy arrays.

In: a top module below `rtl/` (a module or a wrapper of `rtl/tb`), its ports and parameters. Out: a
`Bench` that ticks the clock. Ports of up to 64 bits are arrays with one element; unpacked arrays
have one element per entry; all may be written (inputs) or read (outputs) between ticks.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.sim.verilator import build_library

ROOT = Path(__file__).resolve().parents[2]
RTL = ROOT / "rtl"
SHIM = Path(__file__).with_name("bench.cpp")

_PACKAGES = ("pkg/cvn_pkg.sv",)
_FOLDERS = ("common", "memory", "stream", "compute")
_CONTROL = ("control/cvn_job_queue.sv",)
_DTYPES: dict[int, type[np.unsignedinteger[Any]]] = {
    1: np.uint8,
    2: np.uint16,
    4: np.uint32,
    8: np.uint64,
}

PortArray = NDArray[np.unsignedinteger[Any]]


def datapath_sources() -> list[Path]:
    """The datapath's SystemVerilog files, packages first."""
    files = [RTL / name for name in _PACKAGES]
    files += sorted((RTL / "lint").glob("*.vlt"))
    for folder in _FOLDERS:
        files += sorted((RTL / folder).glob("*.sv"))
    return [*files, *(RTL / name for name in _CONTROL)]


class Bench:
    """One instance of a Verilated top with clock `clk_i` and reset `rst_ni`."""

    def __init__(
        self,
        top: str,
        ports: Mapping[str, int],
        parameters: Mapping[str, int] | None = None,
        extra: Sequence[str] = (),
    ) -> None:
        """`ports`: name -> bits of one element. `extra`: further sources below `rtl/`."""
        names = ["clk_i", "rst_ni", *ports]
        library = build_library(
            top,
            [*datapath_sources(), *(RTL / name for name in extra)],
            [SHIM],
            parameters=parameters,
            defines=["CVN_PORTS=" + "".join(f"PORT({name})" for name in names)],
            flags=[f"+incdir+{RTL / 'common'}"],
            optimise="-O1",
        )
        self._library = ctypes.CDLL(str(library))
        self._library.bench_new.restype = ctypes.c_void_p
        self._library.bench_port.restype = ctypes.c_void_p
        self._library.bench_run.restype = ctypes.c_uint64
        self._handle = ctypes.c_void_p(self._library.bench_new())
        self.ports: dict[str, PortArray] = {}
        for name in names:
            self.ports[name] = self._view(name, ports.get(name, 1))
        self.reset()

    def __getitem__(self, name: str) -> PortArray:
        return self.ports[name]

    def _view(self, name: str, bits: int) -> PortArray:
        size = ctypes.c_uint64()
        address = self._library.bench_port(self._handle, name.encode(), ctypes.byref(size))
        assert address, name
        element = next(width for width in _DTYPES if bits <= 8 * width)
        buffer = (ctypes.c_uint8 * size.value).from_address(address)
        array: PortArray = np.ndarray(
            size.value // element, dtype=_DTYPES[element], buffer=memoryview(buffer)
        )
        return array

    def get(self, name: str) -> int:
        """Value of a port that is no array."""
        return int(self.ports[name][0])

    def set(self, **values: int) -> None:
        """Drives inputs that are no arrays; negative values wrap to the port's element."""
        for name, value in values.items():
            port = self.ports[name]
            port[0] = value & ((1 << (8 * port.itemsize)) - 1)

    def reset(self) -> None:
        """Asserts the asynchronous reset for two cycles."""
        self.set(rst_ni=0)
        self.tick(2)
        self.set(rst_ni=1)
        self.settle()

    def settle(self) -> None:
        """Evaluates combinational logic without a clock edge."""
        self._library.bench_settle(self._handle)

    def check(self) -> None:
        """Fails if an assertion of the RTL failed."""
        assert not self._library.bench_failed(self._handle), self._log()

    def tick(self, cycles: int = 1) -> None:
        """Rising clock edges; outputs show the state after the last one."""
        self._library.bench_tick(self._handle, ctypes.c_uint64(cycles))
        self.check()

    def _log(self) -> str:
        self._library.cvn_log.restype = ctypes.c_char_p
        return str(self._library.cvn_log().decode()[:1000])

    def run_until(self, stop: str, limit: int) -> int:
        """Ticks until the one-bit output `stop` is set; the number of ticks."""
        address = ctypes.c_void_p(self.ports[stop].ctypes.data)
        count = self._library.bench_run(self._handle, address, ctypes.c_uint64(limit))
        self.check()
        assert count <= limit, f"{stop} was not set within {limit} cycles"
        return int(count)

    def close(self) -> None:
        """Frees the model; the port arrays must not be used any more."""
        self._library.bench_delete(self._handle)
