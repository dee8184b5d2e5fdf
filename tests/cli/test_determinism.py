"""The same input gives the same bytes, whatever the hash seed, the cache and the processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import chain, covenant_process

COMMANDS = [
    ("compare", "--arch", "snax", "--arch", "ARCH", "--csv"),
    ("compare", "--arch", "snax", "--arch", "ARCH", "--objective", "edp", "--json"),
    ("map", "--arch", "snax", "--objective", "energy,latency", "--dump-after", "mapping"),
    ("explain", "--arch", "snax", "--layer", "first", "--json"),
]


@pytest.mark.solver
@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: f"{c[0]} {c[-1]}")
def test_output_is_equal_whatever_hash_seed_and_cache(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    model = chain(unsupported=True).save(tmp_path)
    arch = tmp_path / "small.yaml"
    arch.write_text("extends: snax\nname: small\nmemories: {l1: {size: 8KiB}}\n")
    name, *rest = (str(arch) if word == "ARCH" else word for word in command)
    answers = []
    for seed, more in (("0", ["--no-cache", "--jobs", "0"]), ("1", []), ("77", ["--jobs", "1"])):
        environment = {"PYTHONHASHSEED": seed, "COVENANT_CACHE_DIR": str(tmp_path / "cache")}
        answers.append(covenant_process(name, model, *rest, *more, environment=environment))
    assert {a.code for a in answers} == {0}, answers[0].err
    assert len({a.out for a in answers}) == 1
