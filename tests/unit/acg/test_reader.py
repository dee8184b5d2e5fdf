"""Reading architectures: derived values, parameters, extends and overrides."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from covenant.acg.graph import Acg
from covenant.acg.reader import find_architecture, read_architecture, shipped_architectures
from covenant.core.diagnostics import CovenantError

BASE = Path(__file__).resolve().parents[2] / "errors" / "base.yaml"


def _read(
    tmp_path: Path, text: str, settings: Mapping[str, str] | None = None, name: str = "a.yaml"
) -> Acg:
    path = tmp_path / name
    path.write_text(text)
    return read_architecture(path, settings)


def _fault(tmp_path: Path, text: str, settings: Mapping[str, str] | None = None) -> str:
    with pytest.raises(CovenantError) as caught:
        _read(tmp_path, text, settings)
    return str(caught.value)


@pytest.mark.parametrize("name", shipped_architectures())
def test_shipped_architecture_is_sound(name: str) -> None:
    assert read_architecture(name).name == name
    assert find_architecture(f"{name}.yaml") == find_architecture(name)


def test_streams_derive_lanes_and_bandwidth_from_their_port() -> None:
    acg = read_architecture(BASE)
    lanes = {t.name: (t.lanes, t.bytes_per_cycle) for t in acg.transfers}
    assert lanes == {
        "load": (0, 64),
        "stream_a": (4, 32),  # m lanes of one word
        "stream_b": (4, 32),  # n * k bytes, contiguous
        "stream_p": (2, 16),  # as written
        "stream_y": (4, 32),  # m lanes of one word
    }


@pytest.mark.parametrize(("k", "lanes"), [(4, (4, 2)), (8, (4, 4)), (16, (8, 8))])
def test_strided_lanes_take_whole_words_and_packed_lanes_share_them(
    k: int, lanes: tuple[int, int]
) -> None:
    acg = read_architecture(BASE, {"gemm.matmul.extents.k": str(k)})
    assert (acg.stream_lanes("stream_a"), acg.stream_lanes("stream_b")) == lanes


def test_chained_node_inherits_extents_it_leaves_out() -> None:
    acg = read_architecture(BASE, {"gemm.matmul.extents.m": "16"})
    assert dict(acg.compute("post").capabilities[0].extents) == {"m": 16, "n": 2}
    assert [node.name for node in acg.chain("gemm")] == ["gemm", "post"]


def test_peak_counts_multiply_accumulates_per_cycle() -> None:
    assert read_architecture(BASE).peak_macs_per_cycle == 4 * 4 * 8
    assert read_architecture(BASE, {"gemm.matmul.step_cycles": "2"}).peak_macs_per_cycle == 64


def test_unit_range_counts_ids_and_channels_up() -> None:
    control = read_architecture(BASE).control
    assert control is not None
    units = control.units_of("load")
    assert [(u.name, u.id, u.channel) for u in units] == [("load0", 1, 0), ("load1", 2, 1)]
    register = control.unit("gemm").register("a.bound[0]")
    assert register is not None
    assert register.index == 4


def test_unit_without_semaphores_may_use_all_of_them() -> None:
    control = read_architecture(BASE).control
    assert control is not None
    assert control.unit("load0").waits == {"": ("full", "free")}


def test_equal_architectures_are_equal_and_hash_alike() -> None:
    one, other = read_architecture(BASE), read_architecture(str(BASE))
    assert one == other
    assert hash(one) == hash(other)
    assert one != read_architecture(BASE, {"gemm.matmul.energy": "1"})


def test_memory_rows_follow_from_size_banks_and_words() -> None:
    assert read_architecture(BASE, {"l1.size": "32KiB"}).memory("l1").rows == 512


def test_override_reaches_nested_names_and_full_paths() -> None:
    settings = {"gemm.matmul.energy": "7", "memories.dram.energy.read": "9", "name": "other"}
    acg = read_architecture(BASE, settings)
    assert acg.compute("gemm").capabilities[0].femtojoules_per_step == 7
    assert acg.memory("dram").read_femtojoules_per_word == 9 * 8
    assert acg.name == "other"


def test_override_null_removes_a_key() -> None:
    with pytest.raises(CovenantError, match="ACG025"):
        read_architecture(BASE, {"load.bytes_per_cycle": "null"})


def test_override_fault_names_the_option() -> None:
    with pytest.raises(CovenantError, match=r"--set l1\.bank=4: error\[ACG010\]"):
        read_architecture(BASE, {"l1.bank": "4"})


def test_extends_merges_tables_and_null_removes(tmp_path: Path) -> None:
    text = f"extends: {BASE}\nname: own\nmemories: {{l1: {{banks: 16}}}}\n"
    acg = _read(tmp_path, text)
    assert (acg.name, acg.memory("l1").banks, acg.memory("l1").word_bytes) == ("own", 16, 8)
    assert acg.memory("l1").span.file == str(BASE)


def test_extends_looks_beside_the_file_and_may_be_nested(tmp_path: Path) -> None:
    _read(tmp_path, f"extends: {BASE}\nmemories: {{l1: {{banks: 16}}}}\n", name="one.yaml")
    acg = _read(tmp_path, "extends: one.yaml\nmemories: {l1: {size: 64KiB}}\n", name="two.yaml")
    assert (acg.memory("l1").banks, acg.memory("l1").size_bytes) == (16, 65536)


def test_extends_cycle_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    assert "ACG002" in _fault(tmp_path, "extends: b.yaml\n")


def test_parameters_fill_values_sums_and_keys(tmp_path: Path) -> None:
    text = f"""
extends: {BASE}
parameters: {{channels: 3, kib: 32, last: "${{channels-1}}"}}
memories: {{l1: {{size: "${{kib}}KiB", banks: "${{2*channels+2}}"}}}}
transfers: {{load: {{channels: "${{channels}}"}}}}
control:
  units:
    load[0..1]: null
    load[0..${{last}}]:
      id: 1
      nodes: [load]
      registers: [src.base, dst.base, run, "bound[0]", "src.stride[0]", "dst.stride[0]"]
"""
    acg = _read(tmp_path, text)
    assert (acg.memory("l1").size_bytes, acg.memory("l1").banks) == (32768, 8)
    assert acg.control is not None
    assert len(acg.control.units_of("load")) == 3
    wider = _read(tmp_path, text, {"kib": "64"})
    assert wider.memory("l1").size_bytes == 65536


def test_parameter_text_without_end_is_a_finding(tmp_path: Path) -> None:
    fault = _fault(tmp_path, f"extends: {BASE}\nparameters: {{a: 1}}\nname: '${{a'\n")
    assert "no matching" in fault


def test_statement_fault_points_at_the_character(tmp_path: Path) -> None:
    text = (
        f"extends: {BASE}\n" + "compute: {gemm: {capabilities: {matmul: {semantics: 'x[m] = '}}}}"
    )
    assert "a.yaml:2:60: error[ACG016]" in _fault(tmp_path, text)


@pytest.mark.parametrize(
    "text", ["[1, 2]", "12", "acg: 2", "name: null", "acg: 1\nmemories: {}\ncompute: []"]
)
def test_any_wrong_shape_is_a_finding(tmp_path: Path, text: str) -> None:
    assert "error[ACG01" in _fault(tmp_path, text)


def test_deeply_nested_statement_is_a_finding(tmp_path: Path) -> None:
    for value in ("(" * 200, "-" * 300, "x[m] = " + "1+" * 200):
        assert "ACG016" in _fault(
            tmp_path, f"extends: {BASE}\n", {"gemm.matmul.semantics": f"'{value}'"}
        )


def test_range_faults_are_findings(tmp_path: Path) -> None:
    for name in ("load[3..1]", "load[0..999]", "load[0..", "0..1"):
        text = f"extends: {BASE}\ncontrol: {{units: {{'{name}': {{id: 5}}}}}}"
        assert "ACG015" in _fault(tmp_path, text)


@pytest.mark.parametrize("name", ["", ".", "x" * 400, "a\0b", "~nobody/a", "dir/absent.yaml"])
def test_any_name_that_is_not_found_is_a_finding(name: str) -> None:
    with pytest.raises(CovenantError, match="ACG001"):
        read_architecture(name)
