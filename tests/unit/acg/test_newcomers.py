"""What people get wrong in a first file: each fault at its place, with its cause and a repair."""

from __future__ import annotations

from pathlib import Path

import pytest

from covenant.acg.reader import read_architecture
from covenant.acg.starter import starter
from covenant.core.diagnostics import CovenantError

# what is replaced, by what; code, text that the finding stands at, part of its help
FAULTS = {
    "misspelt key": ("banks: 16", "bank: 16", "ACG010", "bank", "did you mean 'banks'"),
    "other case": ("local: {size", "local: {Size", "ACG010", "Size", "did you mean 'size'"),
    "decimal unit": ("size: 64KiB", "size: 64 kB", "ACG014", "64 kB", "write `64KiB`"),
    "no stream": ("  read_b: {", "  read_c: {", "ACG021", "read_b", "add `read_b: {from: …"),
    "unused stream": ("stream: read_b, ", "", "ACG028", "read_b", "`stream: read_b` at 'b'"),
    "extent of 0": ("{m: 4, n: 8,", "{m: 0, n: 8,", "ACG013", "0", "write at least 1"),
    "text for a number": ("{m: 4, n", '{m: "4", n', "ACG012", '"4"', "without quotes"),
    "no extent": ("n: 8, k: 8}", "n: 8}", "ACG034", "extents", "add `k: 8`"),
    "negative": ("bytes_per_cycle: 8", "bytes_per_cycle: -8", "ACG013", "-8", "write at least 1"),
    "two nodes": ("  read_a: {", "  array: {", "ACG020", "array", "rename one of them"),
    "unknown dtype": ("a: {dtypes: [int8", "a: {dtypes: [int9", "ACG013", "int9", "'int8'"),
    "no register": ("        - za\n", "", "ACG060", "registers", "add `- za`"),
    "same opcode": ("63:60=2", "63:60=1", "ACG054", "go", "different values"),
    "overlap": ('unit: "59:56", r', 'unit: "59:55", r', "ACG051", '"55:48"', "move one"),
    "indentation": ("  local: {", "   local: {", "YAML004", "local", "check the indentation"),
    "tab": ("  local: {", "\tlocal: {", "YAML004", "\t", "indent with spaces"),
    "no colon": ("  local: {", "  local {", "YAML004", ":", "write `local: {…`"),
    "banks": ("banks: 16", "banks: 12", "ACG023", "12", "write 8 or 16"),
    "wrong way": (
        "local, to: array, loops: 8",
        "array, to: local, loops: 8",
        "ACG045",
        "read_a",
        "",
    ),
    "no scalar": ("scalars: [za, zb]", "scalars: [za]", "ACG031", "acc[m,n]", "scalar 'zb'"),
    "bracket": ("- za)", "- za", "ACG016", "", "write e.g."),
    "semaphore": ("[a_full]", "[a_ful]", "ACG062", "a_ful", "did you mean 'a_full'"),
    "nowhere to live": ("off_chip: true, ", "", "ACG029", "memories", "`off_chip: true`"),
    "key twice": ("  store: {", "  load: {", "YAML008", "load", "first given on line"),
    "no rounding": ("        rounding: ort_f32\n", "", "ACG038", "requantise", "ort_f32"),
    "tile": ("tile: [n, k]", "tile: [n, j]", "ACG035", "j", "known: k, n"),
    "no list": (
        "dim: n, groups: [[bias, scale]]",
        "dim: n, groups: bias",
        "ACG012",
        "bias",
        "`[…]`",
    ),
    "other kind": ("stream: read_b", "stream: local", "ACG021", "local", "'load'"),
    "like nothing": (
        "      write:\n",
        "      w: {like: wrte}\n      write:\n",
        "ACG008",
        "wrte",
        "",
    ),
    "tile too short": ("tile: [n, k]", "tile: [n]", "ACG035", "[n]", "write [n, k]"),
    "no packets": (
        "{effect: launch, ",
        "{effect: launch, slots: [0], ",
        "ACG070",
        "slots",
        "packet",
    ),
}


def _findings(folder: Path, *changes: tuple[str, str]) -> CovenantError:
    text = starter("first", folder / "first.yaml")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = folder / "first.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(CovenantError) as caught:
        read_architecture(path)
    return caught.value


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_at_its_place_with_a_repair(name: str, tmp_path: Path) -> None:
    old, new, code, at, repair = FAULTS[name]
    first = _findings(tmp_path, (old, new)).diagnostics[0]
    assert first.code == code
    assert first.message
    assert first.help
    assert repair in first.help
    assert first.span.source[first.span.column - 1 :].startswith(at), str(first)


def test_faults_of_several_parts_are_found_in_one_go(tmp_path: Path) -> None:
    names = ("misspelt key", "no stream", "negative", "same opcode", "no rounding")
    found = {
        d.code
        for d in _findings(tmp_path, *((FAULTS[n][0], FAULTS[n][1]) for n in names)).diagnostics
    }
    assert {FAULTS[name][2] for name in names} <= found


@pytest.mark.parametrize(
    ("edit", "code", "repair"),
    [
        ("transfers: {load: {abilities: [fill]}}", "ACG059", "add `windows` to the abilities"),
        (
            "compute: {gemm: {capabilities: {matmul: {ports: {b: {dtypes: [int8]}}}}}}",
            "ACG059",
            "all elements of 'b' are signed, or none",
        ),
        (
            "compute: {gemm: {capabilities: {matmul: {extents: {n: 12}}}}}",
            "ACG043",
            "make the extent of 'n' a multiple of 8",
        ),
    ],
)
def test_an_edit_of_a_member_is_told_once(
    edit: str, code: str, repair: str, tmp_path: Path
) -> None:
    path = tmp_path / "member.yaml"
    path.write_text(f"extends: snax\nname: m\n{edit}\n")
    with pytest.raises(CovenantError) as caught:
        read_architecture(path)
    (found,) = caught.value.diagnostics
    assert found.code == code
    assert repair in found.help


def test_a_null_that_removes_nothing_is_not_all_that_is_found(tmp_path: Path) -> None:
    path = tmp_path / "member.yaml"
    path.write_text(
        "extends: snax\nname: m\ntransfers: {stream_z: null}\nmemories: {l1: {sise: 4}}\n"
    )
    with pytest.raises(CovenantError) as caught:
        read_architecture(path)
    assert [d.code for d in caught.value.diagnostics] == ["ACG003", "ACG010"]


def test_what_a_member_of_a_family_sets_is_where_its_fault_is(tmp_path: Path) -> None:
    path = tmp_path / "member.yaml"
    shape = "compute: {gemm: {capabilities: {matmul: {extents: {k: 12}}}}}"
    path.write_text(f"extends: snax\nname: m\n{shape}\n")
    with pytest.raises(CovenantError) as caught:
        read_architecture(path)
    assert {d.span.file for d in caught.value.diagnostics} == {str(path)}
