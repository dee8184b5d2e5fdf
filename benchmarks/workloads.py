"""Shapes that are measured: GEMMs and convolutions of published networks, with their sources.

Out: `Workload`s by table. Shapes only; `models` makes an ONNX model of one, with seeded weights.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gemm:
    """y[m,n] = a[m,k] * b[k,n]. result: dtype of y, int8 if requantised; stored: b is constant."""

    m: int
    n: int
    k: int
    result: str = "int8"
    stored: bool = True


@dataclass(frozen=True, slots=True)
class Conv:
    """Square convolution of `channels` maps of size*size to `filters`, with bias, requantised."""

    channels: int
    size: int
    filters: int
    kernel: int
    stride: int = 1

    @property
    def padding(self) -> int:
        """As in the networks below: the output has size / stride rows."""
        return self.kernel // 2


@dataclass(frozen=True, slots=True)
class Depthwise:
    """Square convolution of each of `channels` maps of size*size by itself, requantised."""

    channels: int
    size: int
    kernel: int = 3
    stride: int = 1

    @property
    def padding(self) -> int:
        """The output has size / stride rows."""
        return self.kernel // 2


@dataclass(frozen=True, slots=True)
class Pool:
    """Largest of every kernel*kernel window of `channels` maps, or the mean of whole maps."""

    channels: int
    size: int
    kernel: int = 0
    stride: int = 1

    @property
    def whole(self) -> bool:
        """The mean of every map."""
        return self.kernel == 0

    @property
    def padding(self) -> int:
        """The output has size / stride rows."""
        return (self.kernel - 1) // 2


@dataclass(frozen=True, slots=True)
class Elementwise:
    """Sum of two tensors, both scaled and requantised, or a function of one through a table."""

    shape: tuple[int, ...]
    operands: int = 2


Shape = Gemm | Conv | Depthwise | Pool | Elementwise


@dataclass(frozen=True, slots=True)
class Workload:
    """A shape with its name and the network or benchmark it comes from."""

    name: str
    network: str
    shape: Shape


# --- A: GEMM already in the L1 --------------------------------------------------------------------
# SNAX: its accfg artifact (compiler optimisations against the configuration wall), targets.md A.


@dataclass(frozen=True, slots=True)
class Resident:
    """Row of table A: size^3, cycles of SNAX and the goal."""

    size: int
    snax_cycles: int
    goal_cycles: int

    @property
    def workloads(self) -> tuple[Workload, ...]:
        """With int32 results as SNAX has them, and requantised to int8."""
        return tuple(
            Workload(f"resident_{self.size}_{result}", "accfg", self._shape(result))
            for result in ("int32", "int8")
        )

    def _shape(self, result: str) -> Gemm:
        return Gemm(self.size, self.size, self.size, result, stored=False)


RESIDENT = (
    Resident(16, 91, 60),
    Resident(32, 224, 120),
    Resident(64, 968, 570),
    Resident(128, 6036, 4170),
)

# --- B: GEMM streamed from and to DRAM ------------------------------------------------------------
# SNAX: its roofline benchmark, best run before publication, targets.md B.


@dataclass(frozen=True, slots=True)
class Streamed:
    """Row of table B: M, N, K, multiply-accumulates per cycle of SNAX and the goal."""

    m: int
    n: int
    k: int
    snax: int
    goal: int

    @property
    def workload(self) -> Workload:
        """Both operands are inputs, the result is requantised to int8."""
        name = f"streamed_{self.m}x{self.n}x{self.k}"
        return Workload(name, "roofline", Gemm(self.m, self.n, self.k, stored=False))


STREAMED = (
    Streamed(512, 1024, 256, 452, 490),
    Streamed(512, 512, 384, 431, 490),
    Streamed(256, 512, 512, 434, 490),
    Streamed(256, 256, 768, 391, 486),
    Streamed(128, 256, 1024, 351, 480),
    Streamed(128, 128, 1536, 239, 480),
    Streamed(64, 128, 2048, 185, 460),
)

# --- D: layers of networks ------------------------------------------------------------------------
# Every layer of different shape once. Names: r18_l2_3x3s2 is a 3x3 of stride 2 in stage 2.

_RESNET18 = (
    # He et al., Deep Residual Learning, table 1 (18 layers), input 224x224
    ("conv1", Conv(3, 224, 64, 7, 2)),
    ("l1_3x3", Conv(64, 56, 64, 3)),
    ("l2_3x3s2", Conv(64, 56, 128, 3, 2)),
    ("l2_1x1s2", Conv(64, 56, 128, 1, 2)),
    ("l2_3x3", Conv(128, 28, 128, 3)),
    ("l3_3x3s2", Conv(128, 28, 256, 3, 2)),
    ("l3_1x1s2", Conv(128, 28, 256, 1, 2)),
    ("l3_3x3", Conv(256, 14, 256, 3)),
    ("l4_3x3s2", Conv(256, 14, 512, 3, 2)),
    ("l4_1x1s2", Conv(256, 14, 512, 1, 2)),
    ("l4_3x3", Conv(512, 7, 512, 3)),
)


def _resnet50() -> list[tuple[str, Conv]]:
    """He et al., table 1 (50 layers); the stride is in the 3x3 as in torchvision's resnet50. The
    first block of stage 1 has its projection in the shape of its last 1x1."""
    layers = [
        ("conv1", Conv(3, 224, 64, 7, 2)),
        ("l1_1x1_first", Conv(64, 56, 64, 1)),
        ("l1_3x3", Conv(64, 56, 64, 3)),
        ("l1_1x1_up", Conv(64, 56, 256, 1)),
        ("l1_1x1_down", Conv(256, 56, 64, 1)),
    ]
    for stage in (2, 3, 4):
        width, size = 64 << stage - 1, 112 >> stage
        layers += [
            (f"l{stage}_1x1_first", Conv(2 * width, 2 * size, width, 1)),
            (f"l{stage}_3x3s2", Conv(width, 2 * size, width, 3, 2)),
            (f"l{stage}_1x1_up", Conv(width, size, 4 * width, 1)),
            (f"l{stage}_1x1s2", Conv(2 * width, 2 * size, 4 * width, 1, 2)),
            (f"l{stage}_1x1_down", Conv(4 * width, size, width, 1)),
            (f"l{stage}_3x3", Conv(width, size, width, 3)),
        ]
    return layers


_MOBILENETV2 = (
    # Sandler et al., MobileNetV2, table 2: expansion, channels, blocks, stride; input of the first
    # block 112x112x32
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _mobilenetv2() -> list[tuple[str, Conv]]:
    """The 1x1 convolutions of all blocks and the last one, every shape once."""
    shapes: list[Conv] = []
    channels, size = 32, 112
    for expansion, filters, blocks, first_stride in _MOBILENETV2:
        for block in range(blocks):
            wide = channels * expansion
            if expansion > 1:
                shapes.append(Conv(channels, size, wide, 1))
            size //= first_stride if block == 0 else 1
            shapes.append(Conv(wide, size, filters, 1))
            channels = filters
    shapes.append(Conv(channels, size, 1280, 1))
    return [(f"{s.channels}_{s.filters}_at_{s.size}", s) for s in dict.fromkeys(shapes)]


_BERT_BASE = (
    # Devlin et al., BERT-base: hidden size 768, 12 heads of 64, feed-forward 3072; sequence length
    # 128; products of attention of one head, both operands computed
    ("qkvo", Gemm(128, 768, 768)),
    ("ffn1", Gemm(128, 3072, 768)),
    ("ffn2", Gemm(128, 768, 3072)),
    ("scores", Gemm(128, 128, 64, stored=False)),
    ("context", Gemm(128, 64, 128, stored=False)),
)

_VIT_B = (
    # Dosovitskiy et al., ViT-B/16 at 224x224: 196 patches and a class token
    ("qkvo", Gemm(197, 768, 768)),
    ("ffn1", Gemm(197, 3072, 768)),
    ("ffn2", Gemm(197, 768, 3072)),
)

LAYERS: tuple[Workload, ...] = tuple(
    Workload(f"{short}_{name}", network, shape)
    for short, network, layers in (
        ("r18", "ResNet-18", _RESNET18),
        ("r50", "ResNet-50", _resnet50()),
        ("mbv2", "MobileNetV2 1x1", _mobilenetv2()),
        ("bert", "BERT-base", _BERT_BASE),
        ("vit", "ViT-B", _VIT_B),
    )
    for name, shape in layers
)

# --- V: layers of the vector node -----------------------------------------------------------------


def _mobilenetv2_depthwise() -> list[tuple[str, Depthwise]]:
    """The 3x3 convolutions of all blocks, every shape once."""
    shapes: list[Depthwise] = []
    channels, size = 32, 112
    for expansion, filters, blocks, first_stride in _MOBILENETV2:
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            shapes.append(Depthwise(channels * expansion, size, 3, stride))
            size, channels = size // stride, filters
    return [
        (f"dw_{s.channels}_at_{s.size}{'s2' if s.stride == 2 else ''}", s)
        for s in dict.fromkeys(shapes)
    ]


_RESNET_VECTOR = (
    # He et al., table 1 (18 layers): the pool after conv1, the sum of every stage, the last pool
    ("max_pool", Pool(64, 112, 3, 2)),
    ("l1_add", Elementwise((1, 64, 56, 56))),
    ("l2_add", Elementwise((1, 128, 28, 28))),
    ("l3_add", Elementwise((1, 256, 14, 14))),
    ("l4_add", Elementwise((1, 512, 7, 7))),
    ("average_pool", Pool(512, 7)),
)

_BERT_VECTOR = (
    # Devlin et al., BERT-base, sequence length 128: residual, activation between ffn1 and ffn2
    ("add", Elementwise((128, 768))),
    ("activation", Elementwise((128, 3072), operands=1)),
)

VECTOR_LAYERS: tuple[Workload, ...] = tuple(
    Workload(f"{short}_{name}", network, shape)
    for short, network, layers in (
        ("mbv2", "MobileNetV2 3x3", _mobilenetv2_depthwise()),
        ("r18", "ResNet-18", _RESNET_VECTOR),
        ("bert", "BERT-base", _BERT_VECTOR),
    )
    for name, shape in layers
)

QUICK = frozenset(
    (
        *(w.name for row in RESIDENT for w in row.workloads),
        "streamed_128x128x1536",
        "streamed_64x128x2048",
        "r18_l2_1x1s2",
        "r18_l4_3x3s2",
        "mbv2_384_96_at_14",
        "mbv2_160_960_at_7",
        "bert_scores",
        "bert_context",
    )
)
"""What `--quick` and tests/rtl/test_cycles.py measure."""
