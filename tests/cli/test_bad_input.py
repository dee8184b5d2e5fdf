"""Bad models, architectures and options: one located line, its repair, the right exit code."""

from __future__ import annotations

import random
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from cluster_runs import assert_equal
from command_line import ROOT, assert_told, chain, covenant, covenant_process, small_conv
from covenant.acg.reader import read_architecture
from covenant.codelets.registry import build
from covenant.core.diagnostics import CovenantError, ExitCode
from covenant.frontend import read_model
from covenant.mapper.solve import solve
from covenant.mapper.verify import check
from covenant.sim.interpret import with_sizes
from onnx_nodes import IR_VERSION, OPSETS, matmul_integer, qlinear_conv

SNAX = ("--arch", "snax")
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chain().save(tmp_path_factory.mktemp("models"))


def _product(a: list[int | str], b: list[int | str]) -> bytes:
    """A MatMulInteger of two graph inputs with these dims."""
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT8, shape)
        for name, shape in (("a", a), ("b", b))
    ]
    node = helper.make_node("MatMulInteger", ["a", "b"], ["y"], name="product")
    output = helper.make_tensor_value_info("y", TensorProto.INT32, None)
    graph = helper.make_graph([node], "product", inputs, [output])
    model = helper.make_model(graph, opset_imports=OPSETS[:1], ir_version=IR_VERSION)
    return bytes(model.SerializeToString())


# --- files that are no models --------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_model_is_told(share: float, model: Path, tmp_path: Path) -> None:
    content = model.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(content[: int(len(content) * share)])
    assert_told(covenant("map", path, *SNAX), 3, f"{path}: error[ONX001]", "export or download")


@pytest.mark.parametrize("command", ["map", "run"])
def test_files_that_are_no_models_are_told(command: str, tmp_path: Path) -> None:
    contents = {
        "empty.onnx": b"",
        "junk.onnx": random.Random(1).randbytes(5000),
        "zeros.onnx": bytes(100_000),
        "text.onnx": b"layer: conv\n" * 100,
        "latin.onnx": "höher".encode("latin-1"),
        "zip.onnx": b"PK\x03\x04" + bytes(100),
    }
    for name, content in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert_told(covenant(command, path, *SNAX), 3, f"{path}: error[ONX001]")


def test_paths_that_are_no_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "modell.onnx").write_bytes(b"")
    assert_told(
        covenant("map", tmp_path / "model.onnx", *SNAX),
        3,
        "error[ONX002]: there is no such file",
        "did you mean 'modell.onnx'?",
    )
    assert_told(covenant("map", tmp_path, *SNAX), 3, "error[ONX002]", "directory")
    assert_told(covenant("map", "a" * 300, *SNAX), 3, "error[ONX002]", "name too long")
    assert_told(covenant("map", tmp_path / "modell.onnx" / "x", *SNAX), 3, "error[ONX002]")
    assert_told(covenant("run", tmp_path, *SNAX[:0]), 3, "error[EMI007]", "manifest.json")
    assert_told(covenant("check", tmp_path), 3, "error[EMI007]", "manifest.json")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs /proc")
def test_files_that_cannot_be_read_are_told(model: Path) -> None:
    unreadable = "/proc/self/mem"  # a file whose first byte cannot be read, even by root
    assert_told(covenant("map", unreadable, *SNAX), 3, "error[ONX002]: the file cannot be read")
    assert_told(covenant("map", model, "--arch", unreadable), 3, "error[YAML001]")
    on = ("--on", "interpreter")
    assert_told(covenant("run", model, *SNAX, *on, "--input", unreadable), 3, "error[RUN001]")


def test_files_without_permission_are_told(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert_told(covenant("map", model, *SNAX), 3, "error[ONX002]", "Permission denied")


def test_missing_external_data_is_told(tmp_path: Path) -> None:
    case = small_conv()
    path = tmp_path / "model.onnx"
    onnx.save(case.model, path, save_as_external_data=True, location="data.bin", size_threshold=0)
    assert covenant("map", path, *SNAX).code == 0
    (tmp_path / "data.bin").unlink()
    answer = covenant("map", path, *SNAX)
    assert_told(answer, 3, "error[ONX003]", "data.bin' of ", "put it beside the model")


# --- models that cannot be used ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (["n", 4], [4, 5], ("[n, 4]", "type --shape a=1,4")),
        ([-3, 4], [4, 5], ("type --shape a=1,4",)),
        ([0, 4], [4, 5], ("type --shape a=1,4",)),
    ],
    ids=str,
)
def test_dims_that_are_not_known_are_told(
    a: list[int | str], b: list[int | str], words: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_product(a, b))
    assert_told(covenant("map", path, *SNAX), 3, "error[ONX004]", *words)
    assert covenant("map", path, *SNAX, "--shape", "a=1,4").code == 0


@pytest.mark.parametrize("shapes", [([], []), ([3, 4], [5, 6]), ([4], [])], ids=str)
def test_operands_that_cannot_be_multiplied_are_told(
    shapes: tuple[list[int | str], list[int | str]], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_product(*shapes))
    answer = covenant("map", path, *SNAX)
    assert answer.code in (3, 4)
    assert "error[ONX016]" in answer.err
    assert "'product' (MatMulInteger)" in answer.err


@pytest.mark.parametrize("shapes", [([4], [4]), ([4], [4, 5]), ([3, 4], [4])], ids=str)
def test_vectors_are_multiplied(shapes: tuple[list[int], list[int]], tmp_path: Path) -> None:
    case = matmul_integer(np.random.default_rng(1), *shapes)
    path = case.save(tmp_path)
    outputs = tmp_path / "y.npz"
    np.savez(tmp_path / "x.npz", **case.inputs)
    options = ("--input", tmp_path / "x.npz", "--output", outputs)
    assert covenant("run", path, *SNAX, "--on", "interpreter", *options).code == 0
    with np.load(outputs) as found:
        assert_equal(dict(found), case.expected())


@pytest.mark.parametrize(
    "shapes",
    [([1 << 40, 8], [8, 8]), ([1 << 62, 1 << 62], [1 << 62, 4]), ([8, 1 << 31], [1 << 31, 8])],
    ids=str,
)
def test_huge_dims_end_in_an_error(
    shapes: tuple[list[int | str], list[int | str]], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_product(*shapes))
    answer = covenant_process("map", path, *SNAX, timeout=30)
    assert answer.code in (3, 4, 5, 6)
    assert "error[" in answer.err


@pytest.mark.parametrize(
    ("option", "word"),
    [
        ("x", "NAME=D,D"),
        ("x=", "NAME=D,D"),
        ("x=1,-2", "NAME=D,D"),
        ("x=1,b", "NAME=D,D"),
        ("=1,2", "names ''"),
        ("x=1,2", "gives 'x' 2 dims, it has 4"),
        ("z=1,4,6,6", "known: x"),
    ],
)
def test_a_shape_that_does_not_fit_is_told(option: str, word: str, model: Path) -> None:
    answer = covenant("map", model, *SNAX, "--shape", option)
    assert answer.code in (2, 3)
    assert word in answer.err
    assert "help: " in answer.err


def test_a_damaged_model_is_never_an_internal_error(tmp_path: Path) -> None:
    """200 seeded mutants of three models: bytes changed, dropped, inserted, bits flipped."""
    rng = np.random.default_rng(3)
    originals = [
        case.model.SerializeToString()
        for case in (
            qlinear_conv(rng, (1, 3, 5, 5), (4, 3, 3, 3)),
            small_conv("QDQ"),
            small_conv("QOperator"),
        )
    ]
    path = tmp_path / "mutant.onnx"
    codes = set()
    for seed in range(200):
        path.write_bytes(_mutated(originals[seed % 3], random.Random(seed)))
        answer = covenant("map", path, *SNAX, "--time-limit", "0.1")
        assert answer.code in (0, 3, 4, 5, 6), (seed, answer)
        codes.add(answer.code)
    assert codes >= {0, 3, 4}


def _mutated(original: bytes, chosen: random.Random) -> bytes:
    content = bytearray(original)
    place = chosen.randrange(len(content))
    match chosen.randrange(4):
        case 0:
            content[place : place + 4] = chosen.randbytes(4)
        case 1:
            del content[place : place + chosen.randint(1, 20)]
        case 2:
            content[place:place] = chosen.randbytes(chosen.randint(1, 8))
        case _:
            content[place] ^= 1 << chosen.randrange(8)
    return bytes(content)


# --- architectures and their options -------------------------------------------------------------


def test_a_misspelt_key_is_told_at_its_place(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: snax\nmemories:\n  l1:\n    bankss: 16\n")
    answer = covenant("map", model, "--arch", path)
    assert_told(answer, 3, f"{path}:4:5: error[ACG010]", "'bankss'", "did you mean 'banks'?")
    assert "      bankss: 16\n      ^^^^^^\n" in answer.err


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"acg: [", b"\x00\x01", b"- 1\n", b"&a [*a]\n" * 3]
)
def test_files_that_are_no_architectures_are_told(
    content: bytes, model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "arch.yaml"
    path.write_bytes(content)
    for answer in (covenant("map", model, "--arch", path), covenant("arch", "check", path)):
        assert answer.code == 3
        assert f"{path}" in answer.err
        assert "error[" in answer.err
        assert "help: " in answer.err


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ("garbage", 2),
        ("=", 2),
        ("l1.size=", 2),
        ("l1.siz=64KiB", 3),
        ("l1.size=0", 3),
        ("l1.size=-1", 3),
        ("l1.size=1e30", 3),
        ("l1.size=300", 3),
        ("l1.size={", 3),
        ("l1.size=\x00", 3),
        ("l1=5", 3),
        ("nosuch.size=5", 3),
        ("...=5", 3),
        ("l1.size.deeper=5", 3),
        ("gemm.matmul.extents.m=0", 3),
        ("gemm.matmul.extents.m=99999999999999999999", 3),
    ],
)
def test_a_setting_that_makes_no_sense_is_told(setting: str, code: int, model: Path) -> None:
    answer = covenant("map", model, *SNAX, "--set", setting)
    assert answer.code == code, answer
    assert answer.err.startswith("--set"), answer.err
    assert "error[" in answer.err
    assert "help: " in answer.err


def test_a_missing_architecture_is_told(model: Path) -> None:
    for command in ("map", "run"):
        assert_told(
            covenant(command, model), 2, "error[CLI003]", "add --arch NAME; `covenant arch list`"
        )
        assert_told(covenant(command, model, "--arch", ""), 3, "error[ACG001]")


# --- a scratchpad that is too small --------------------------------------------------------------

SMALL = {
    "resnet18_layer1": EXAMPLES / "resnet18_layer1.onnx",
    "bert_scores": EXAMPLES / "bert_scores.onnx",
}


@pytest.mark.parametrize("name", SMALL)
def test_the_smallest_size_that_is_named_works_and_half_of_it_does_not(name: str) -> None:
    banks = ("--set", "l1.banks=8")
    options = ("map", SMALL[name], *SNAX, *banks, "--set")
    answer = covenant(*options, "l1.size=64")
    assert_told(answer, 5, "error[MAP002]", "its smallest tiles need", "64 are available")
    layer = read_model(SMALL[name]).layers[0].name
    assert f"layer '{layer}' does not fit memory 'l1'" in answer.err
    found = re.search(r"set `memories\.l1\.size` to (\d+) or more", answer.err)
    assert found is not None
    size = int(found[1])
    assert covenant(*options, f"l1.size={size}").code == 0
    assert_told(covenant(*options, f"l1.size={size // 2}"), 5, "error[MAP002]", str(size))
    # sizes between the two are no legal sizes of a memory
    assert_told(covenant(*options, f"l1.size={size * 3 // 4}"), 3, "error[ACG024]")


@pytest.mark.parametrize("name", SMALL)
def test_a_layer_fits_the_bytes_it_is_said_to_need_and_not_a_word_less(
    name: str, tmp_path: Path
) -> None:
    lines = (ROOT / "architectures" / "snax.yaml").read_text().splitlines(keepends=True)
    plain = tmp_path / "plain.yaml"  # bank groups ask for sizes that are powers of two
    plain.write_text("".join(line for line in lines if "bank_group:" not in line))
    acg = read_architecture(plain)
    codelet = build(read_model(SMALL[name]).layers[0]).codelet
    with pytest.raises(CovenantError) as caught:
        solve(codelet, with_sizes(acg, {"l1": 256 if "resnet" in name else 64}))
    assert caught.value.exit_code == ExitCode.INFEASIBLE
    found = re.search(r"smallest tiles need ([\d,]+) bytes", str(caught.value))
    assert found is not None
    needed = int(found[1].replace(",", ""))
    word = acg.memory("l1").word_bytes
    enough = with_sizes(acg, {"l1": needed})
    check(solve(codelet, enough, time_limit_seconds=30), codelet, enough)
    with pytest.raises(CovenantError, match="MAP002"):
        solve(codelet, with_sizes(acg, {"l1": needed - word}))


def test_a_case_runs_in_the_smallest_memory(tmp_path: Path) -> None:
    path = small_conv().save(tmp_path)
    small = ("--set", "l1.banks=8", "--set", "l1.size=1KiB")
    answer = covenant("run", path, *SNAX, *small, "--on", "interpreter")
    assert answer.code == 0, answer


@pytest.mark.parametrize("place", ["/dev/null/x", "/proc/x"])
@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc")
def test_a_directory_that_cannot_be_written_is_told(model: Path, place: str) -> None:
    answer = covenant("map", model, *SNAX, "-o", place)
    assert_told(answer, 3, f"{place}: error[EMI007]: the directory cannot be written", "place that")
    answer = covenant("arch", "rtl", "snax", "-o", place)
    assert_told(answer, 2, "error[CLI005]: cannot write the file", "-o")


def test_a_time_limit_that_is_no_number_is_told(model: Path) -> None:
    answer = covenant("map", model, *SNAX, "--time-limit", "nan")
    assert answer.code == 2
    assert "nan is not a number of seconds" in answer.err
