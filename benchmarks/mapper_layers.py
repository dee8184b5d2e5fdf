"""Layers and machines of the mapper's benchmark, and the peer's published figures for them.

Out: `Workload`s by table. Sources of the shapes: `workloads`; GEMM names are M x K x N.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workloads import LAYERS as NETWORK_LAYERS
from workloads import Gemm, Workload

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Target:
    """A machine that is mapped on: an architecture with settings."""

    name: str
    arch: str
    settings: tuple[tuple[str, str], ...] = ()


_GEMMINI = str(_ROOT / "tests" / "architectures" / "gemmini_like.yaml")

TARGETS = (
    Target("snax", "snax"),
    Target("gemmini_like", _GEMMINI),
    Target("gemmini_like_64KiB", _GEMMINI, (("memories.scratchpad.size", "64KiB"),)),
)


def _gemm(network: str, name: str, m: int, k: int, n: int, *, stored: bool = True) -> Workload:
    return Workload(f"{name}_{m}x{k}x{n}", network, Gemm(m, n, k, stored=stored))


GEMMS = (
    _gemm("BERT-base", "bert_qkvo", 128, 768, 768),
    _gemm("BERT-base", "bert_ffn1", 128, 768, 3072),
    _gemm("BERT-base", "bert_ffn2", 128, 3072, 768),
    _gemm("BERT-base", "bert_scores", 128, 64, 128, stored=False),
    _gemm("GPT-2", "gpt2_qkv", 1024, 768, 2304),
    _gemm("GPT-2", "gpt2_ffn1", 1024, 768, 3072),
    _gemm("GPT-2", "gpt2_decode", 1, 768, 2304),
    _gemm("GEMM", "gemm", 512, 512, 512),
    _gemm("ViT-B", "vit_qkvo", 197, 768, 768),
)

LAYERS: tuple[Workload, ...] = (
    *(w for w in NETWORK_LAYERS if w.network in ("ResNet-18", "ResNet-50")),
    *GEMMS,
)

GROWTH = tuple(
    _gemm("GEMM", "cube", size, size, size, stored=False)
    for size in (64, 128, 256, 512, 1024, 2048, 4096, 8192)
)

_DEEPER = _ROOT / "benchmarks" / "levels"

LEVELS = (
    Target("1 level", _GEMMINI),
    Target("2 levels", str(_DEEPER / "two.yaml")),
    Target("3 levels", str(_DEEPER / "three.yaml")),
)
"""The Gemmini-like core behind one, two and three on-chip memories in a row."""

LEVEL_GROWTH = tuple(
    _gemm("GEMM", "cube", size, size, size, stored=False) for size in (64, 512, 2048)
)

QUICK = frozenset(
    (
        "r18_l1_3x3",
        "r18_l4_1x1s2",
        "r50_l3_1x1_up",
        "bert_qkvo_128x768x768",
        "gpt2_decode_1x768x2304",
        "cube_64x64x64",
        "cube_1024x1024x1024",
    )
)
"""What `--quick` solves."""


@dataclass(frozen=True, slots=True)
class Published:
    """ZigZag 3.9.1 (LOMA) on the Gemmini-like core with 256 KiB: cycles and seconds of the latency
    objective, microjoules of the energy objective."""

    cycles: int
    seconds: float
    microjoules: float


PUBLISHED = {
    "r18_conv1": Published(2_481_013, 5.9, 276.3),
    "r18_l1_3x3": Published(468_218, 4.3, 96.0),
    "r18_l2_3x3s2": Published(228_212, 5.0, 60.9),
    "r18_l2_1x1s2": Published(29_939, 3.3, 17.6),
    "r18_l2_3x3": Published(454_040, 5.8, 85.7),
    "r18_l3_3x3s2": Published(234_602, 4.1, 67.1),
    "r18_l3_1x1s2": Published(27_529, 4.7, 12.8),
    "r18_l3_3x3": Published(458_914, 3.7, 116.2),
    "r18_l4_3x3s2": Published(232_147, 4.2, 139.4),
    "r18_l4_1x1s2": Published(26_411, 2.7, 18.1),
    "r18_l4_3x3": Published(459_235, 5.0, 269.9),
    "bert_qkvo_128x768x768": Published(306_047, 3.2, 105.2),
    "bert_ffn1_128x768x3072": Published(1_192_799, 4.1, 394.9),
    "bert_ffn2_128x3072x768": Published(1_195_391, 3.2, 776.0),
    "bert_scores_128x64x128": Published(5_633, 1.1, 3.5),
    "gpt2_qkv_1024x768x2304": Published(7_122_539, 2.6, 1859.9),
    "gpt2_ffn1_1024x768x3072": Published(9_496_463, 4.3, 2479.9),
    "gpt2_decode_1x768x2304": Published(113_841, 0.9, 159.2),
    "gemm_512x512x512": Published(530_991, 3.0, 205.9),
    "vit_qkvo_197x768x768": Published(468_458, 2.3, 133.6),
}
"""Measured once on a machine of two cores; printed, and marked so, where the peer is not there."""
