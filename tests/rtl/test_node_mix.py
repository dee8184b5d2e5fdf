"""Clusters of other compute nodes than the shipped one: the YAML alone decides what is wired.

Every variant is linted; layers run bit-exactly on the nodes it has.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from codelet_runs import Codelets, Image2d, depthwise, max_pool
from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.sim.cluster import lint_cluster

pytestmark = pytest.mark.rtl

SNAX = Path(__file__).resolve().parents[2] / "architectures" / "snax.yaml"
ARRAY = ("stream_a", "stream_b", "stream_c", "stream_p", "stream_y")
VECTOR = ("stream_x", "stream_w", "stream_q", "stream_t", "stream_v")

GEMM = """codelet gemm "product"
dims m=21 n=24 k=40
input x int8[21,40]
constant w int8[40,24]
constant scale float32[24]
output y int8[21,24]
local acc int32[21,24]
acc[m,n] += (x[m,k] - 2) * w[k,n]
y[m,n] = clip(requantise(acc[m,n], scale[n], 1), -128, 127)
"""

Document = dict[str, Any]


def without(document: Document, nodes: tuple[str, str], streams: tuple[str, ...]) -> Document:
    """The architecture without a compute node, the one chained to it, its streams and unit."""
    left = copy.deepcopy(document)
    for name in nodes:
        del left["compute"][name]
    for name in streams:
        del left["transfers"][name]
    unit = left["control"]["units"].pop(nodes[0])
    gone = {name for ports in (unit["waits"], unit["posts"]) for p in ports.values() for name in p}
    left["control"]["semaphores"] = [s for s in left["control"]["semaphores"] if s not in gone]
    return left


def array_only(document: Document) -> Document:
    return without(document, ("vector", "finish"), VECTOR)


def small_vector_only(document: Document) -> Document:
    """16 pixel lanes that multiply, sum and compare; no second operand per pixel, no table."""
    left = without(document, ("gemm", "post"), ARRAY)
    vector, unit = left["compute"]["vector"], left["control"]["units"]["vector"]
    for name in ("blend", "multiply", "table"):
        del vector["capabilities"][name]
    for capability in vector["capabilities"].values():
        capability["extents"] = {"m": 16, "c": 8}
    del (
        vector["records"]["t"],
        vector["defaults"]["ports"]["t"],
        left["transfers"]["stream_t"],
        unit["waits"]["t"],
        unit["posts"]["t"],
    )
    gone = ("t.", "zw", "kx", "kw")
    unit["registers"] = [r for r in unit["registers"] if not r.startswith(gone)]
    return left


VARIANTS: dict[str, tuple[Callable[[Document], Document], dict[str, str]]] = {
    "array_only": (array_only, {GEMM: "gemm"}),
    "small_vector_only": (
        small_vector_only,
        {
            depthwise(Image2d(1, 24, 9, 20)): "vector",
            max_pool(Image2d(1, 16, 11, 19)): "vector",
        },
    ),
}


def architecture(name: str, folder: Path) -> Acg:
    document = VARIANTS[name][0](yaml.safe_load(SNAX.read_text()))
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return read_architecture(str(path))


@pytest.mark.parametrize("name", VARIANTS)
def test_cluster_of_other_nodes_is_lint_clean(name: str, tmp_path: Path) -> None:
    assert lint_cluster(architecture(name, tmp_path)) == ""


@pytest.mark.slow
def test_layer_runs_on_the_faster_of_two_arrays() -> None:
    acg = read_architecture("snax_two_gemms", {"gemm.matmul.extents.k": "4"})
    with Codelets(acg) as codelets:
        assert codelets.run(GEMM).node == "gemm2"


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_layers_run_on_the_nodes_a_cluster_has(name: str, tmp_path: Path) -> None:
    with Codelets(architecture(name, tmp_path)) as codelets:
        for text, node in VARIANTS[name][1].items():
            assert codelets.run(text).node == node
