"""`like`, `defaults`, `key+` and braces: short files are the same machines as long ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from covenant.acg.dump import resolved_yaml
from covenant.acg.graph import Acg
from covenant.acg.notation import NotationError, parse_register
from covenant.acg.reader import read_architecture, shipped_architectures
from covenant.core.diagnostics import CovenantError

BASE = Path(__file__).resolve().parents[2] / "errors" / "base.yaml"
_PORTS = """
          a: {dtypes: [int8, uint8], stream: stream_a, tile: [m, k]}
          b: {dtypes: [int8], stream: stream_b, tile: [n, k]}
          acc: {dtypes: [int32], tile: [m, n]}"""
_LONG = f"""
compute:
  gemm:
    capabilities:
      deep:
        semantics: acc[m,n] += (a[m,k] - za) * b[k,n]
        extents: {{m: 2, n: 4, k: 16}}
        stationary: acc
        ports:{_PORTS}
        scalars: [za]
      plain:
        semantics: acc[m,n] += a[m,k] * b[k,n]
        extents: {{m: 4, n: 4, k: 8}}
        stationary: acc
        ports:{_PORTS}
"""
_LIKE = """
compute:
  gemm:
    capabilities:
      deep: {like: matmul, extents: {m: 2, k: 16}}
      plain:
        {like: deep, semantics: "acc[m,n] += a[m,k] * b[k,n]", extents: {m: 4, k: 8}, scalars: null}
"""
_DEFAULTS = """
compute:
  gemm:
    defaults: {stationary: acc, scalars: [za], extents: {m: 4, n: 4, k: 8}, ports: {
      a: {dtypes: [int8, uint8], stream: stream_a, tile: [m, k]}, b: {dtypes: [int8], tile: [n, k]},
      acc: {dtypes: [int32], tile: [m, n]}}}
    capabilities:
      deep:
        semantics: acc[m,n] += (a[m,k] - za) * b[k,n]
        extents: {m: 2, k: 16}
        ports: {b: {stream: stream_b}}
      plain:
        semantics: acc[m,n] += a[m,k] * b[k,n]
        ports: {b: {stream: stream_b}}
        scalars: null
"""


def _read(folder: Path, text: str, *more: str, base: str = str(BASE)) -> Acg:
    for index, content in enumerate((text, *more)):
        path = folder / f"m{index}.yaml"
        path.write_text(f"extends: {base}\nname: short\n{content}", "utf-8")
        base = str(path)
    return read_architecture(path)


def _fault(folder: Path, text: str, *more: str) -> str:
    with pytest.raises(CovenantError) as caught:
        _read(folder, text, *more)
    return str(caught.value)


def _same(one: Acg, other: Acg) -> bool:
    return resolved_yaml(one) == resolved_yaml(other) and one == other


@pytest.fixture(autouse=True)
def _function_register(tmp_path: Path) -> None:
    """A machine that chooses between capabilities holds the choice in a register."""
    (tmp_path / "base.yaml").write_text(
        f"extends: {BASE}\ncontrol: {{units: {{gemm: {{registers+: [function]}}}}}}\n", "utf-8"
    )


@pytest.mark.parametrize("text", [_LIKE, _DEFAULTS], ids=["like", "defaults"])
def test_short_capabilities_are_those_of_the_long_file(tmp_path: Path, text: str) -> None:
    base = str(tmp_path / "base.yaml")
    assert _same(_read(tmp_path, text, base=base), _read(tmp_path, _LONG, base=base))


def test_an_extending_file_changes_what_others_are_like(tmp_path: Path) -> None:
    base = str(tmp_path / "base.yaml")
    wider = "compute: {gemm: {capabilities: {matmul: {startup_cycles: 9}}}}"
    acg = _read(tmp_path, _LIKE, wider, base=base)
    assert [c.startup_cycles for c in acg.compute("gemm").capabilities] == [9, 9, 9]
    wider = (
        "compute: {gemm: {defaults: {extents: {n: 8}}, capabilities: {matmul: {extents: {n: 8}}}}}"
    )
    acg = _read(tmp_path, _DEFAULTS, wider, base=base)
    assert [c.extents["n"] for c in acg.compute("gemm").capabilities] == [8, 8, 8]


def test_an_extending_file_removes_what_a_default_or_another_entry_gives(tmp_path: Path) -> None:
    base = str(tmp_path / "base.yaml")
    for text in (_LIKE, _DEFAULTS):
        gone = "compute: {gemm: {capabilities: {plain: {ports: {acc: {dtypes: null}}}}}}"
        assert "'acc' lacks the key 'dtypes'" in _fault(tmp_path, text.replace("base", base), gone)
    absent = "compute: {gemm: {capabilities: {deep: {ports: {z: null}}}}}"
    assert "null removes 'z'" in _fault(tmp_path, _LIKE, absent)
    assert "null removes 'z'" in _fault(tmp_path, _DEFAULTS, absent)


def test_a_list_grows_by_what_an_extending_file_adds(tmp_path: Path) -> None:
    acg = _read(tmp_path, "control: {units: {gemm: {registers+: [y.run = 1]}}}")
    assert acg.control is not None
    before = read_architecture(BASE).control
    assert before is not None
    unit = acg.control.units[0]
    assert unit.registers[:-1] == before.units[0].registers
    assert (unit.registers[-1].quantity, unit.registers[-1].reset) == ("y.run", 1)


def test_any_entry_may_be_like_another(tmp_path: Path) -> None:
    text = "memories: {l2: {like: l1, latency: 3}}\ntransfers: {refill: {like: load, to: l2}}"
    message = _fault(tmp_path, text)  # all that is missing is a unit that starts it
    assert "ACG058" in message
    assert "refill" in message


def test_copies_are_like_copies(tmp_path: Path) -> None:
    short = "transfers: {stream_b: {like: stream_a, abilities: null}}"
    twice = 'copies: {"2": [gemm, post, stream_a, stream_b, stream_p, stream_y]}'
    acg = _read(tmp_path, short, twice)
    assert acg.transfer("stream_b2").target == "gemm2"


def test_settings_reach_what_is_shared(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(f"extends: {tmp_path / 'base.yaml'}\nname: s\n{_DEFAULTS}", "utf-8")
    acg = read_architecture(path, {"gemm.deep.acc.tile": "[n, m]", "gemm.defaults.extents.n": "4"})
    ports = {p.name: p.tile for p in acg.compute("gemm").capabilities[1].ports}
    assert ports["acc"] == ("n", "m")


def test_braces_stand_for_registers_of_streams() -> None:
    short = parse_register("{x, w}.{base, lane_stride = 8, bound[0..1] = 1 <= 9}")
    long = [
        *("x.base", "x.lane_stride = 8", "x.bound[0..1] = 1 <= 9"),
        *("w.base", "w.lane_stride = 8", "w.bound[0..1] = 1 <= 9"),
    ]
    assert short == tuple(form for text in long for form in parse_register(text))
    assert parse_register("{src, dst}.stride[0..1]") == (
        *parse_register("src.stride[0..1]"),
        *parse_register("dst.stride[0..1]"),
    )


@pytest.mark.parametrize(
    "text",
    ["{x", "{x}.", "{}.base", "{x}{y}", "x.{base,}", "{x,w}.{base}.y", "{a.b}.{c.d}", "x}.a"],
)
def test_malformed_braces_are_refused(text: str) -> None:
    with pytest.raises(NotationError):
        parse_register(text)


@pytest.mark.parametrize("name", shipped_architectures())
def test_shipped_files_keep_to_the_lengths_that_they_promise(name: str) -> None:
    """A family member in 20 lines, a machine with its own instruction set in 200."""
    path = Path(read_architecture(name).file)
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= (20 if "\nextends:" in text else 200)


_WRITES = "effect: write, unit: gemm"
_RANGE = f"""
control:
  mnemonics:
    set_a[0..1]:
      {{{_WRITES}, fields: {{op: "63:60=8+i", "a.bound[i]": "31:16", "a.stride[i]": "15:0"}}}}
"""
_WRITTEN_OUT = f"""
control:
  mnemonics:
    set_a0: {{{_WRITES}, fields: {{op: "63:60=8", "a.bound[0]": "31:16", "a.stride[0]": "15:0"}}}}
    set_a1: {{{_WRITES}, fields: {{op: "63:60=9", "a.bound[1]": "31:16", "a.stride[1]": "15:0"}}}}
"""


def test_forms_of_a_range_are_those_written_out(tmp_path: Path) -> None:
    """Compared by what is said of them: this machine cannot use them, but for the same reasons."""
    short, long = (_fault(tmp_path, text) for text in (_RANGE, _WRITTEN_OUT))
    found, expected = (
        [line.partition("error")[2] for line in text.splitlines() if "error[" in line]
        for text in (short, long)
    )
    assert found == expected
    assert any("set_a1" in line for line in found)


def test_a_range_that_is_none_is_found(tmp_path: Path) -> None:
    message = _fault(tmp_path, _RANGE.replace("0..1", "1..0"))
    assert "range 1..0 is empty" in message
