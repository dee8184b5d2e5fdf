"""The reference cluster as RTL: built for an architecture, loaded with a program, run, inspected.

In: an `Acg` of the cluster family, program words and DRAM contents. Out: cycles, counters and DRAM
contents. Addresses are bytes from the start of DRAM; times are cycles of the cluster.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Acg
from covenant.core.diagnostics import CovenantError, ExitCode, Span, fail
from covenant.core.resources import cache_directory, rtl_directory, write_whole
from covenant.emit.rtl_config import rtl_config
from covenant.sim.verilator import PLAIN, Instruments, build_library, lint

COUNTERS = (
    "cycles",
    "busy",
    "starved_a",
    "starved_b",
    "starved_c",
    "starved_p",
    "blocked_y",
    "config_wait",
    "conflicts",
    "dma_read_beats",
    "dma_write_beats",
    "dma_read_busy",
    "dma_write_busy",
    "command_blocked",
)
"""Names of the counters, in the order of `counter_e` in cvn_pkg."""

_PATIENCE_CYCLES = 20_000


class _Outcome(IntEnum):
    """Results of `cvn_run` (enum Outcome in cvn_harness.cpp)."""

    DONE = 0
    CYCLE_LIMIT = 1
    NO_PROGRESS = 2
    ASSERTION = 3
    BUS_ERROR = 4


@dataclass(frozen=True, slots=True)
class DramTiming:
    """Behaviour of the DRAM behind the AXI4 port; jitter and stalls are for tests.

    `latency_cycles`: read request to first data beat. `write_latency_cycles`: last data beat to the
    write response. `jitter_cycles`: up to so many cycles more per read burst. `stall_permille`:
    chance that a channel pauses in a cycle.
    """

    latency_cycles: int = 100
    write_latency_cycles: int = 10
    read_bytes_per_cycle: int = 64
    write_bytes_per_cycle: int = 64
    jitter_cycles: int = 0
    stall_permille: int = 0


@dataclass(frozen=True, slots=True)
class RunResult:
    """Cycles from the first instruction fetch to the last byte written, and all counters."""

    cycles: int
    counters: Mapping[str, int]


def dram_timing(acg: Acg) -> DramTiming:
    """The DRAM an architecture describes."""
    dram = next(memory for memory in acg.memories if memory.off_chip)
    return DramTiming(
        latency_cycles=dram.latency_cycles,
        write_latency_cycles=dram.write_latency_cycles,
        read_bytes_per_cycle=dram.read_bytes_per_cycle,
        write_bytes_per_cycle=dram.write_bytes_per_cycle,
    )


def cluster_sources(acg: Acg) -> tuple[Path, ...]:
    """SystemVerilog files of the cluster in compilation order, the generated package among them."""
    root = rtl_directory()
    files = [path for path in sorted(root.rglob("*.sv")) if path.parent.name != "tb"]
    packages = [path for path in files if path.stem.endswith("_pkg")]
    modules = [path for path in files if not path.stem.endswith("_pkg")]
    packages.sort(key=lambda path: (path.stem != "cvn_pkg", path.stem))
    waivers = sorted((root / "lint").glob("*.vlt"))
    return (*waivers, *packages, _generated_package(acg), *modules)


def cluster_headers() -> tuple[Path, ...]:
    """Files the sources include."""
    return tuple(sorted(rtl_directory().rglob("*.svh")))


def lint_cluster(acg: Acg) -> str:
    """Warnings of Verilator for the whole cluster of an architecture; empty when clean."""
    return lint(acg.rtl["top"], cluster_sources(acg), headers=cluster_headers())


def build_cluster(
    acg: Acg,
    *,
    instruments: Instruments = PLAIN,
    optimise: str = "-O2",
) -> Path:
    """The shared library of an architecture's cluster, built unless it is cached. With -O1 it is
    built in half the time and runs about a tenth slower."""
    harness = rtl_directory() / "sim" / "cvn_harness.cpp"
    sources = cluster_sources(acg)
    headers = cluster_headers()
    return build_library(
        acg.rtl["top"],
        sources,
        [harness],
        headers=headers,
        instruments=instruments,
        optimise=optimise,
    )


class Cluster:
    """A cluster with its DRAM; use it in a `with` block. Memories start with random contents."""

    def __init__(
        self,
        acg: Acg,
        *,
        dram_bytes: int = 1 << 24,
        seed: int = 1,
        timing: DramTiming | None = None,
        trace: Path | None = None,
        coverage: bool = False,
        optimise: str = "-O2",
    ) -> None:
        self._acg = acg
        instruments = Instruments(trace is not None, coverage)
        self._library = _load(build_cluster(acg, instruments=instruments, optimise=optimise))
        self._dram_bytes = -(-dram_bytes // 4096) * 4096
        self._handle: int | None = self._library.cvn_create(self._dram_bytes, seed)
        self.set_timing(timing or dram_timing(acg))
        self.poison(seed)
        if trace is not None:
            self._library.cvn_trace(self._handle, str(trace).encode())

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Frees the model; the object cannot be used afterwards."""
        if self._handle is not None:
            self._library.cvn_destroy(self._handle)
            self._handle = None

    @property
    def dram(self) -> NDArray[np.uint8]:
        """A view of all bytes of the DRAM, valid until `close`."""
        pointer = self._library.cvn_dram(self._handle)
        return np.ctypeslib.as_array(pointer, shape=(self._dram_bytes,))

    def set_timing(self, timing: DramTiming) -> None:
        """Changes the timing of the DRAM from the next run on."""
        values = (ctypes.c_uint64 * 6)(*astuple(timing))
        self._library.cvn_set_timing(self._handle, values)

    def load_program(self, words: Sequence[int]) -> None:
        """Writes the program memory from word 0 on."""
        control = self._acg.control
        if control is not None and len(words) > control.program_words:
            message = f"the program has {len(words)} words, the memory {control.program_words}"
            raise _error("SIM005", message, control.span, "raise `control.program_words`")
        array = (ctypes.c_uint64 * len(words))(*words)
        self._library.cvn_load_program(self._handle, array, len(words))

    def write_dram(self, address: int, values: bytes | NDArray[np.generic]) -> None:
        """Copies the bytes of `values` into the DRAM."""
        data = np.frombuffer(values, np.uint8) if isinstance(values, bytes) else _bytes_of(values)
        self._require(address, data.size)
        self.dram[address : address + data.size] = data

    def read_dram(self, address: int, size: int) -> bytes:
        """A copy of `size` bytes of the DRAM."""
        self._require(address, size)
        return self.dram[address : address + size].tobytes()

    def write_coverage(self, path: Path) -> None:
        """Writes how often every line ran and every bit toggled, for a cluster with `coverage`; the
        format is Verilator's (`verilated_cov`)."""
        self._library.cvn_coverage(self._handle, str(path).encode())

    def poison(self, seed: int) -> None:
        """Fills DRAM, L1 and all registers with random bits; the program stays."""
        self.dram[:] = np.frombuffer(np.random.default_rng(seed).bytes(self._dram_bytes), np.uint8)
        self._library.cvn_rebuild(self._handle, seed)

    def run(self, max_cycles: int = 1_000_000_000) -> RunResult:
        """Runs the program from word 0 to its halt; CovenantError when it does not get there."""
        outcome = _Outcome(self._library.cvn_run(self._handle, max_cycles, _PATIENCE_CYCLES))
        if outcome != _Outcome.DONE:
            raise self._failure(outcome, max_cycles)
        values = [self._library.cvn_counter(self._handle, i) for i in range(len(COUNTERS))]
        return RunResult(values[0], dict(zip(COUNTERS, values, strict=True)))

    def _require(self, address: int, size: int) -> None:
        if address < 0 or address + size > self._dram_bytes:
            message = f"bytes {address}..{address + size} lie outside of {self._dram_bytes} bytes"
            raise _error("SIM006", message, Span(self._acg.file), "give Cluster more dram_bytes")

    def _failure(self, outcome: _Outcome, max_cycles: int) -> CovenantError:
        """The error of a run that did not end, with what it was waiting for."""
        where = Span(self._acg.file)
        counter = self._library.cvn_status(self._handle, 2)
        state = f"at program word {counter}; {self._waiting()}"
        match outcome:
            case _Outcome.CYCLE_LIMIT:
                message = f"the program did not end within {max_cycles} cycles, {state}"
                return _error("SIM007", message, where, "allow more cycles")
            case _Outcome.NO_PROGRESS:
                message = f"the cluster made no progress for {_PATIENCE_CYCLES} cycles, {state}"
                return _error(
                    "SIM008", message, where, "a semaphore is not posted; see the program"
                )
            case _Outcome.BUS_ERROR:
                address = self._library.cvn_status(self._handle, 3)
                message = f"the DMA left the DRAM or its burst at address {address:#x}, {state}"
                return _error("SIM009", message, where, "give Cluster more dram_bytes")
            case _:
                lines = self._library.cvn_log().decode(errors="replace").splitlines()
                text = next((line.partition("%Error: ")[2] for line in lines), "no message")
                message = f"an assertion of the RTL failed, {state}: {text}"
                return _error("SIM013", message, where, "see the module named in the message")

    def _waiting(self) -> str:
        control = self._acg.control
        assert control is not None
        idle = self._library.cvn_status(self._handle, 0)
        missing = self._library.cvn_status(self._handle, 1)
        busy = [unit.name for unit in control.units if not idle >> unit.id & 1]
        awaited = [name for bit, name in enumerate(control.semaphores) if missing >> bit & 1]
        units = ", ".join(busy) or "none"
        return f"busy units: {units}; semaphores waited for: {', '.join(awaited) or 'none'}"


def _error(code: str, message: str, span: Span, repair: str = "") -> CovenantError:
    return fail(code, message, span, repair, ExitCode.INTERNAL)


def _bytes_of(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8)


def _generated_package(acg: Acg) -> Path:
    """The generated package as a file of the cache; its folder is named by its contents."""
    text = rtl_config(acg)
    digest = hashlib.sha256(text.encode()).hexdigest()[:20]
    path = cache_directory() / "rtl" / "packages" / digest / "cvn_cfg_pkg.sv"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    return path


@cache
def _load(path: Path) -> ctypes.CDLL:
    """The library with the types of its functions."""
    library = ctypes.CDLL(str(path))
    handle, number = ctypes.c_void_p, ctypes.c_uint64
    words = ctypes.POINTER(number)
    signatures: dict[str, tuple[object, list[object]]] = {
        "cvn_create": (handle, [number, number]),
        "cvn_destroy": (None, [handle]),
        "cvn_rebuild": (None, [handle, number]),
        "cvn_load_program": (None, [handle, words, number]),
        "cvn_dram": (ctypes.POINTER(ctypes.c_uint8), [handle]),
        "cvn_set_timing": (None, [handle, words]),
        "cvn_run": (ctypes.c_int, [handle, number, number]),
        "cvn_counter": (number, [handle, number]),
        "cvn_status": (number, [handle, number]),
        "cvn_trace": (ctypes.c_int, [handle, ctypes.c_char_p]),
        "cvn_coverage": (None, [handle, ctypes.c_char_p]),
        "cvn_log": (ctypes.c_char_p, []),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library
