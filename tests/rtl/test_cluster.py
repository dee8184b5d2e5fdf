"""The whole cluster on hand-written programs: results equal NumPy, cycles within their goals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.core.diagnostics import CovenantError
from covenant.sim.cluster import Cluster, DramTiming, lint_cluster
from rtl.assembler import Assembler

pytestmark = pytest.mark.rtl

VARIANTS: dict[str, dict[str, str]] = {
    "snax": {},
    "small": {
        "gemm.matmul.extents": "{m: 16, n: 8, k: 4}",
        "post.requantise.extents.n": "2",
        "l1.size": "64KiB",
        "l1.banks": "16",
        "load.bytes_per_cycle": "16",
        "store.bytes_per_cycle": "16",
        "control.queue_depth": "2",
    },
    "cube16": {"gemm.matmul.extents": "{m: 16, n: 16, k: 16}", "l1.banks": "64"},
}
DRAM_A, DRAM_B, DRAM_P, DRAM_Y = 0x00018, 0x20000, 0x40008, 0x50028


def few_channels(acg: Acg) -> Acg:
    """The same cluster with two load channels; their ids leave a gap."""
    assert acg.control is not None
    kept = tuple(unit for unit in acg.control.units if unit.name not in ("load2", "load3"))
    transfers = tuple(replace(t, channels=2) if t.name == "load" else t for t in acg.transfers)
    return replace(acg, control=replace(acg.control, units=kept), transfers=transfers)


def architecture(name: str) -> Acg:
    acg = read_architecture("snax", VARIANTS[name])
    return few_channels(acg) if name == "small" else acg


@pytest.fixture(scope="module")
def snax() -> Acg:
    return architecture("snax")


@pytest.fixture(scope="module")
def cluster(snax: Acg) -> Iterator[Cluster]:
    with Cluster(snax, dram_bytes=1 << 20) as cluster:
        yield cluster


@dataclass(frozen=True)
class Gemm:
    """A requantised matrix product in tiles of the array, stored blocked; sizes in elements."""

    acg: Acg
    m: int
    n: int
    k: int
    seed: int = 0

    @property
    def extents(self) -> tuple[int, int, int]:
        extents = self.acg.compute("gemm").capabilities[0].extents
        return extents["m"], extents["n"], extents["k"]

    def operands(self) -> dict[int, NDArray[np.generic]]:
        """DRAM contents by address: A in [mt, kb, M, bytes], B in [nt, kt, N, K], records."""
        rows, columns, depth = self.extents
        packed = max(8, depth)
        a = self.a.reshape(self.m // rows, rows, self.k // packed, packed).transpose(0, 2, 1, 3)
        b = self.b.reshape(self.k // depth, depth, self.n // columns, columns).transpose(2, 0, 3, 1)
        pairs = np.stack([self.bias, self.scale.view(np.int32)], 1).reshape(-1, 2 * columns)
        records = [
            np.concatenate([p.view(np.int8), z]) for p, z in zip(pairs, self.zb_tiles, strict=True)
        ]
        return {DRAM_A: a, DRAM_B: b, DRAM_P: np.concatenate(records)}

    @property
    def zb_tiles(self) -> NDArray[np.int8]:
        return self.zb.reshape(-1, self.extents[1])

    @property
    def a(self) -> NDArray[np.int8]:
        return self._random(1, (self.m, self.k), 128)

    @property
    def b(self) -> NDArray[np.int8]:
        return self._random(2, (self.k, self.n), 128)

    @property
    def zb(self) -> NDArray[np.int8]:
        return self._random(3, (self.n,), 9)

    @property
    def bias(self) -> NDArray[np.int32]:
        rng = np.random.default_rng((self.seed, 4))
        return rng.integers(-9999, 9999, self.n, dtype=np.int32)

    @property
    def scale(self) -> NDArray[np.float32]:
        rng = np.random.default_rng((self.seed, 5))
        return (rng.uniform(0.2, 2.0, self.n) / (40 * self.k**0.5)).astype(np.float32)

    def _random(self, stream: int, shape: tuple[int, ...], limit: int) -> NDArray[np.int8]:
        rng = np.random.default_rng((self.seed, stream))
        return rng.integers(-limit, limit, shape, dtype=np.int8)

    def result(self) -> NDArray[np.int8]:
        """Y in [mt, nt, q, M, 8 columns], as the y stream writes it."""
        acc = (self.a.astype(np.int64) - 3) @ (self.b.astype(np.int64) - self.zb)
        scaled = (acc + self.bias).astype(np.float32) * self.scale
        y = np.clip(np.rint(scaled).astype(np.int64) - 2, -100, 127).astype(np.int8)
        rows = self.extents[0]
        return y.reshape(self.m // rows, rows, self.n // 8, 8).transpose(0, 2, 1, 3)

    def loops(self, program: Assembler, l1: dict[str, int], row_tiles: int) -> None:
        """Registers of a gemm launch over `row_tiles` rows of tiles."""
        rows, columns, depth = self.extents
        steps, tiles_n = self.k // depth, self.n // columns
        a_beats, a_beat = max(1, self.k // max(8, depth)), rows * max(8, depth)
        b_beat, record = columns * depth, 9 * columns
        program.write("gemm", {"a.base": l1["a"], "a.lane_stride": max(8, depth)})
        program.loops(
            "gemm", "a.", [(a_beats, a_beat), (tiles_n, 0), (row_tiles, a_beats * a_beat)]
        )
        program.write("gemm", {"b.base": l1["b"]})
        program.loops("gemm", "b.", [(steps * tiles_n, b_beat), (row_tiles, 0)])
        program.write("gemm", {"p.base": l1["p"]})
        program.loops("gemm", "p.", [(record // 24 * tiles_n, 24), (row_tiles, 0)])
        program.write("gemm", {"y.base": l1["y"]})
        program.loops("gemm", "y.", [(self.n // 8 * row_tiles, 8 * rows)])
        program.write("gemm", {"steps": steps, "tiles": tiles_n * row_tiles, "out": 2})
        program.write("gemm", {"za": 3, "zy": -2, "lo": -100, "hi": 127})
        program.write("gemm", {"a.signed": 1, "b.signed": 1})

    def program(self) -> list[int]:
        """Streams rows of tiles from DRAM to DRAM, double-buffered; B and records are resident."""
        rows = self.extents[0]
        chunks, strip_a, strip_y = self.m // rows, rows * self.k, rows * self.n
        l1 = {"a": 0, "b": 2 * strip_a, "p": 2 * strip_a + self.n * self.k}
        l1["y"] = l1["p"] + 9 * self.n
        flip_y = 2 * l1["y"] + strip_y
        program = Assembler(self.acg)
        # One channel works in order, so the first strip of A arrives after B and the records.
        for far, near, size in ((DRAM_B, l1["b"], self.n * self.k), (DRAM_P, l1["p"], 9 * self.n)):
            program.write("load0", {"src.base": far, "dst.base": near, "run": size // 8})
            program.launch("load0")
        program.write("load0", {"src.base": DRAM_A, "dst.base": 0, "run": strip_a // 8})
        program.write("store0", {"src.base": l1["y"], "dst.base": DRAM_Y, "run": strip_y // 8})
        self.loops(program, l1, 1)
        program.post("a_free y_free")
        program.post("a_free y_free")
        body = Assembler(self.acg)
        body.launch("load0", wait="a_free", post="a_full b_full p_full")
        body.write("load0", {"src.base": strip_a}, "add")
        body.write("load0", {"dst.base": strip_a}, "reverse_subtract")
        body.launch("gemm", wait="a_full b_full p_full y_free", post="a_free y_full")
        body.write("gemm", {"a.base": strip_a, "y.base": flip_y}, "reverse_subtract")
        body.launch("store0", wait="y_full", post="y_free")
        body.write("store0", {"dst.base": strip_y}, "add")
        body.write("store0", {"src.base": flip_y}, "reverse_subtract")
        program.loop(len(body.words), chunks)
        program.words += body.words
        program.halt()
        return program.words


def check(cluster: Cluster, gemm: Gemm) -> int:
    """Runs a loaded program and compares Y; cycles."""
    wanted = gemm.result()
    cluster.write_dram(DRAM_Y, np.zeros(wanted.size, np.int8))
    result = cluster.run(1_000_000)
    found = np.frombuffer(cluster.read_dram(DRAM_Y, wanted.size), np.int8)
    assert np.array_equal(found, wanted.reshape(-1))
    assert result.counters["busy"] == gemm.m * gemm.n * gemm.k // np.prod(gemm.extents)
    return result.cycles


def load(cluster: Cluster, gemm: Gemm) -> None:
    cluster.load_program(gemm.program())
    for address, values in gemm.operands().items():
        cluster.write_dram(address, values)


@pytest.mark.parametrize(
    "name", ["snax", "small", pytest.param("cube16", marks=pytest.mark.nightly)]
)
def test_gemm_from_dram_to_dram_equals_numpy(name: str) -> None:
    acg = architecture(name)
    gemm = Gemm(acg, 96, 64, 96)
    timings = [DramTiming(), DramTiming(7, 3), DramTiming(100, 30, 24, 8, 60, 150)]
    with Cluster(acg, dram_bytes=1 << 20) as cluster:
        for seed, timing in enumerate(timings):
            cluster.poison(seed)
            cluster.set_timing(timing)
            load(cluster, replace(gemm, seed=seed))
            check(cluster, replace(gemm, seed=seed))


@pytest.mark.parametrize("name", VARIANTS)
def test_cluster_is_lint_clean(name: str) -> None:
    assert lint_cluster(architecture(name)) == ""


def test_runs_repeat_without_reload_and_take_equal_cycles(cluster: Cluster, snax: Acg) -> None:
    gemm = Gemm(snax, 64, 32, 64)
    load(cluster, gemm)
    assert len({check(cluster, gemm) for _ in range(3)}) == 1


def test_program_survives_poison(cluster: Cluster, snax: Acg) -> None:
    gemm = Gemm(snax, 32, 32, 32)
    cluster.load_program(gemm.program())
    cluster.poison(99)
    for address, values in gemm.operands().items():
        cluster.write_dram(address, values)
    check(cluster, gemm)


@pytest.mark.parametrize(("size", "goal"), [(16, 60), (32, 120), (64, 570)])
def test_gemm_in_l1_meets_its_goal(cluster: Cluster, snax: Acg, size: int, goal: int) -> None:
    program = Assembler(snax)
    tiles = size // 8
    program.loops("gemm", "a.", [(tiles, 64), (tiles, 0), (tiles, 64 * tiles)])
    program.write("gemm", {"b.base": size * size + 64})
    program.loops("gemm", "b.", [(tiles * tiles, 64), (tiles, 0)])
    program.write("gemm", {"y.base": 3 * size * size, "reuse": 0})
    program.loops("gemm", "y.", [(4 * tiles * tiles, 64)])
    program.write("gemm", {"steps": tiles, "tiles": tiles * tiles, "a.signed": 1, "b.signed": 1})
    program.launch("gemm")
    program.halt()
    cluster.load_program(program.words)
    assert cluster.run(10_000).cycles <= goal


def test_dram_streams_at_full_width_in_both_directions(cluster: Cluster, snax: Acg) -> None:
    size, blocks = 8192, 32
    program = Assembler(snax)
    program.write("load0", {"run": size // 8})
    program.write("store0", {"src.base": 4 * size, "dst.base": size * blocks, "run": size // 8})
    program.loop(4, blocks)
    program.launch("load0")
    program.write("load0", {"src.base": size}, "add")
    program.launch("store0")
    program.write("store0", {"dst.base": size}, "add")
    program.halt()
    cluster.load_program(program.words)
    beats = size * blocks // 64
    assert cluster.run(100_000).cycles <= beats + 130


def test_watchdog_names_busy_units_and_missing_semaphores(cluster: Cluster, snax: Acg) -> None:
    program = Assembler(snax)
    program.launch("load1", wait="b_free")
    program.halt()
    cluster.load_program(program.words)
    with pytest.raises(CovenantError) as caught:
        cluster.run()
    assert caught.value.diagnostics[0].code == "SIM008"
    message = caught.value.diagnostics[0].message
    assert "busy units: load1; semaphores waited for: b_free" in message
    cluster.poison(1)


def test_failed_assertion_is_reported_with_its_sentence(cluster: Cluster, snax: Acg) -> None:
    program = Assembler(snax)
    program.write("load0", {"src.base": 4})
    program.launch("load0")
    program.halt()
    cluster.load_program(program.words)
    with pytest.raises(CovenantError, match="not a multiple of 8 bytes"):
        cluster.run()
    cluster.poison(1)
