"""`copies`: what is copied, where references lead, and what is said when it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from covenant.acg.dump import resolved_yaml
from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.core.diagnostics import CovenantError


def _read(folder: Path, copies: str, rest: str = "") -> Acg:
    path = folder / "two.yaml"
    path.write_text(f"extends: snax\nname: two\ncopies: {copies}\n{rest}")
    return read_architecture(path)


def _fault(folder: Path, copies: str) -> str:
    with pytest.raises(CovenantError) as caught:
        _read(folder, copies)
    return str(caught.value)


def test_copied_array_has_streams_unit_and_semaphores_of_its_own() -> None:
    acg = read_architecture("snax_two_gemms")
    first, second = acg.compute("gemm").capabilities[0], acg.compute("gemm2").capabilities[0]
    assert first.statement == second.statement
    assert [p.stream + "2" for p in first.ports if p.stream] == [
        p.stream for p in second.ports if p.stream
    ]
    assert acg.compute("post2").after == "gemm2"
    assert acg.transfer("stream_a2").source == acg.transfer("stream_a").source
    assert acg.transfer("stream_a2").target == "gemm2"
    assert acg.control is not None
    units = {u.name: u for u in acg.control.units}
    assert units["gemm2"].nodes == ("gemm2", "post2")
    assert units["gemm2"].waits["y"] == ("y_free2", "acc_free2")
    assert units["gemm2"].registers == units["gemm"].registers
    assert len({u.id for u in units.values()}) == len(units)


def test_copied_dma_keeps_its_channels_and_takes_the_next_ids(tmp_path: Path) -> None:
    acg = _read(tmp_path, "{b: [store]}")
    assert acg.control is not None
    ids = {u.name: u.id for u in acg.control.units if "store" in u.name}
    assert ids == {"store0": 5, "store1": 6, "storeb0": 8, "storeb1": 9}


def test_copy_is_changed_by_the_file_itself(tmp_path: Path) -> None:
    rest = "transfers: {storeb: {channels: 1}}\ncontrol: {units: {'storeb[0..1]': null, storeb: "
    rest += "{id: 8, nodes: [storeb], registers: [src.base, dst.base, run = 1, "
    rest += "'bound[0..3] = 1', 'src.stride[0..3]', 'dst.stride[0..3]']}}}"
    assert _read(tmp_path, "{b: [store]}", rest).transfer("storeb").channels == 1


def test_resolved_text_needs_no_copies(tmp_path: Path) -> None:
    acg = read_architecture("snax_two_gemms")
    path = tmp_path / "resolved.yaml"
    path.write_text(resolved_yaml(acg), "utf-8")
    assert "copies" not in path.read_text()
    assert read_architecture(path) == acg


@pytest.mark.parametrize(
    ("copies", "words"),
    [
        ("{b: [gem]}", ("ACG021", "nothing to copy is named 'gem'", "did you mean 'gemm'")),
        ("{b: []}", ("ACG012", "must be a list of names")),
        ("{b: [{gemm: 1}]}", ("ACG012", "must be a list of names")),
        ("[gemm]", ("ACG012", "table of suffixes")),
        ("{'-': [gemm]}", ("ACG015", "'-' cannot be the end of a name")),
        ("{b: [gemm], b2: [gemmx]}", ("ACG021", "'gemmx'")),
    ],
)
def test_malformed_copies_are_told(copies: str, words: tuple[str, ...], tmp_path: Path) -> None:
    text = _fault(tmp_path, copies)
    assert all(word in text for word in words), text
    assert "two.yaml:3:" in text


def test_name_of_a_copy_is_new(tmp_path: Path) -> None:
    path = tmp_path / "three.yaml"
    path.write_text('extends: snax_two_gemms\nname: three\ncopies: {"2": [gemm]}\n')
    with pytest.raises(CovenantError, match="there is a node 'gemm2' already"):
        read_architecture(path)
