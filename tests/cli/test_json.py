"""The JSON documents of `map` and `run`: exactly the fields of design.md section 8, consistent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import jsonschema
import pytest

from command_line import Answer, chain, covenant, small_float_conv

INTEGER: dict[str, Any] = {"type": "integer", "minimum": 0}
NUMBER: dict[str, Any] = {"type": "number", "minimum": 0}
SHARE: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 1}
TEXT: dict[str, Any] = {"type": "string"}


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    """All of these fields and no others."""
    return {
        "type": "object",
        "properties": fields,
        "required": sorted(fields),
        "additionalProperties": False,
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _or_null(kind: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [kind, {"type": "null"}]}


def _by_name(values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


BUFFER = _object(
    {
        "port": TEXT,
        "tensor": TEXT,
        "memory": TEXT,
        "copies": {"enum": [1, 2]},
        "bytes": INTEGER,
        "addresses": _list(INTEGER),
    }
)
LAYER_FIELDS: dict[str, Any] = {
    "name": TEXT,
    "op": TEXT,
    "node": TEXT,
    "binding": _by_name(TEXT),
    "macs": INTEGER,
    "status": {"enum": ["optimal", "feasible", "pinned"]},
    "objective": INTEGER,
    "bound": INTEGER,
    "unit": TEXT,
    "goals": _list(_object({"term": TEXT, "unit": TEXT, "value": INTEGER, "bound": INTEGER})),
    "pins": INTEGER,
    "gap": SHARE,
    "cycles": INTEGER,
    "roofline_cycles": INTEGER,
    "utilization": SHARE,
    "mac_utilization": SHARE,
    "dram_bytes": INTEGER,
    "energy_pj": NUMBER,
    "solve_seconds": NUMBER,
    "first_seconds": NUMBER,
    "tiles": _by_name(INTEGER),
    "order": _list(TEXT),
    "buffers": _list(BUFFER),
    # beyond design.md
    "bound_by": TEXT,
    "same_as": TEXT,
    "assumed_int8": {"type": "boolean"},
    "processor": _list(TEXT),
    "cached": {"type": "boolean"},
}
ERROR = _object({"code": TEXT, "message": TEXT, "help": TEXT, "at": TEXT})
FAILED = _object({"name": TEXT, "op": TEXT, "status": {"const": "failed"}, "errors": _list(ERROR)})
UNSUPPORTED = _object({"node": TEXT, "op": TEXT, "reason": TEXT, "macs": INTEGER})
PROCESSED = _object({"name": TEXT, "op": TEXT, "macs": INTEGER})
TOTAL = _object(
    {
        "layers": INTEGER,
        "macs": INTEGER,
        "cycles": INTEGER,
        "roofline_cycles": INTEGER,
        "utilization": _or_null(SHARE),
        "dram_bytes": INTEGER,
        "energy_pj": NUMBER,
    }
)
MAP = _object(
    {
        "schema_version": {"const": 1},
        "arch": TEXT,
        "model": TEXT,
        "layers": _list({"anyOf": [_object(LAYER_FIELDS), FAILED]}),
        "processed": _list(PROCESSED),
        "unsupported": _list(UNSUPPORTED),
        "total": TOTAL,
    }
)
FIRST = _object({"tensor": TEXT, "index": _list(INTEGER), "expected": {}, "found": {}})
RUN_FIELDS = {
    "mismatches": INTEGER,
    "compared": INTEGER,
    "cycles": _or_null(INTEGER),
    "predicted_cycles": INTEGER,
    "utilization": _or_null(SHARE),
    "counters": _by_name(INTEGER),
}
RUN_LAYER = _object(
    {**LAYER_FIELDS, **RUN_FIELDS, "first_mismatch": _or_null(FIRST), "program_words": INTEGER}
)
RUN = _object(
    {
        "schema_version": {"const": 1},
        "arch": TEXT,
        "model": TEXT,
        "on": {"enum": ["rtl", "interpreter"]},
        "cycles_are": {"enum": ["measured", "modelled"]},
        "layers": _list({"anyOf": [RUN_LAYER, FAILED]}),
        "roofline_cycles": INTEGER,
        "processed": _list(PROCESSED),
        "unsupported": _list(UNSUPPORTED),
        **RUN_FIELDS,
    }
)
L1_BYTES, PEAK_MACS = 128 * 1024, 512


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chain(unsupported=True).save(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def mapped(model: Path) -> dict[str, Any]:
    return _document(covenant("map", model, "--arch", "snax", "--json"), MAP)


def _document(answer: Answer, schema: dict[str, Any], code: int = 0) -> Any:
    """The whole of standard output as JSON without NaN or Infinity."""

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is no JSON")

    assert answer.code == code, answer.err
    document = json.loads(answer.out, parse_constant=refuse)
    jsonschema.validate(document, schema)
    return document


def test_map_says_what_it_mapped(mapped: dict[str, Any], model: Path) -> None:
    assert (mapped["arch"], mapped["model"]) == ("snax", str(model))
    assert [layer["name"] for layer in mapped["layers"]] == ["first", "second", "third"]
    assert {layer["op"] for layer in mapped["layers"]} == {"QLinearConv"}
    assert [node["op"] for node in mapped["unsupported"]] == ["Softmax"]
    assert [layer["macs"] for layer in mapped["layers"]] == [36 * 6 * 4 * 9, 36 * 36, 36 * 36]


def test_map_objective_is_the_latency_and_no_less_than_bound_and_roofline(
    mapped: dict[str, Any],
) -> None:
    for layer in mapped["layers"]:
        assert layer["status"] == "optimal"
        assert layer["objective"] == layer["bound"] == layer["cycles"]
        assert layer["gap"] == 0
        assert layer["roofline_cycles"] <= layer["cycles"]
        assert layer["roofline_cycles"] >= -(-layer["macs"] // PEAK_MACS)
        share = layer["roofline_cycles"] / layer["cycles"]
        assert layer["utilization"] == pytest.approx(share, abs=1e-6)


def test_map_order_and_tiles_name_the_same_dims(mapped: dict[str, Any]) -> None:
    for layer in mapped["layers"]:
        assert set(layer["order"]) == set(layer["tiles"])
        assert set(layer["binding"]) <= {"m", "n", "k"}


def test_map_buffers_are_distinct_words_of_l1_and_fit_together(mapped: dict[str, Any]) -> None:
    for layer in mapped["layers"]:
        addresses = [a for buffer in layer["buffers"] for a in buffer["addresses"]]
        assert len(set(addresses)) == len(addresses)
        assert all(address % 8 == 0 for address in addresses)
        for buffer in layer["buffers"]:
            assert buffer["memory"] == "l1"
            assert len(buffer["addresses"]) == buffer["copies"]
        assert sum(b["bytes"] * b["copies"] for b in layer["buffers"]) <= L1_BYTES


def test_map_total_is_the_sum_of_the_layers(mapped: dict[str, Any]) -> None:
    total, layers = mapped["total"], mapped["layers"]
    assert total["layers"] == len(layers)
    for field in ("macs", "cycles", "roofline_cycles", "dram_bytes"):
        assert total[field] == sum(layer[field] for layer in layers)
    assert total["energy_pj"] == pytest.approx(sum(layer["energy_pj"] for layer in layers))
    share = total["roofline_cycles"] / total["cycles"]
    assert total["utilization"] == pytest.approx(share, abs=1e-6)


def test_map_solves_equal_layers_once_and_says_so(mapped: dict[str, Any]) -> None:
    first, second, third = mapped["layers"]
    assert (first["same_as"], second["same_as"], third["same_as"]) == ("", "", "second")
    own = {"name", "same_as", "cached"}
    assert {k: v for k, v in second.items() if k not in own} == {
        k: v for k, v in third.items() if k not in own
    }


def test_map_gives_the_same_document_twice(mapped: dict[str, Any], model: Path) -> None:
    again = _document(covenant("map", model, "--arch", "snax", "--json"), MAP)
    for layer in (*mapped["layers"], *again["layers"]):
        layer["solve_seconds"] = layer["first_seconds"] = 0
        layer["cached"] = False
    assert again == mapped


def test_map_of_a_layer_that_does_not_fit_names_the_error(model: Path) -> None:
    settings = ["--set", "l1.size=256"]
    answer = covenant("map", model, "--arch", "snax", *settings, "--json")
    document = _document(answer, MAP, code=5)
    failed, *mapped = document["layers"]
    assert failed["status"] == "failed"
    assert failed["errors"][0]["code"] == "MAP002"
    assert document["total"]["layers"] == len(mapped)


def test_map_of_a_float_model_marks_its_layers(tmp_path: Path) -> None:
    path = small_float_conv().save(tmp_path)
    document = _document(covenant("map", path, "--arch", "snax", "--json"), MAP)
    assert [layer["assumed_int8"] for layer in document["layers"]] == [True]


def test_run_on_the_interpreter_models_cycles(model: Path) -> None:
    answer = covenant("run", model, "--arch", "snax", "--on", "interpreter", "--json")
    document = _document(answer, RUN)
    assert document["on"] == "interpreter"
    assert document["cycles_are"] == "modelled"
    assert document["cycles"] == sum(layer["cycles"] for layer in document["layers"])
    assert document["mismatches"] == 0
    assert document["compared"] == 3 * 6 * 36
    assert document["compared"] == sum(layer["compared"] for layer in document["layers"])
    assert document["predicted_cycles"] == sum(la["predicted_cycles"] for la in document["layers"])


@pytest.mark.rtl
def test_run_on_rtl_counts_cycles(model: Path) -> None:
    document = _document(covenant("run", model, "--arch", "snax", "--json"), RUN)
    assert (document["on"], document["cycles_are"]) == ("rtl", "measured")
    for field in ("cycles", "predicted_cycles", "roofline_cycles", "mismatches", "compared"):
        assert document[field] == sum(layer[field] for layer in document["layers"])
    for part in (document, *document["layers"]):
        share = part["roofline_cycles"] / part["cycles"]
        assert part["utilization"] == pytest.approx(share, abs=1e-6)
    for layer in document["layers"]:
        assert layer["counters"]["cycles"] == layer["cycles"] > 0
    for name, value in document["counters"].items():
        assert value == sum(layer["counters"][name] for layer in document["layers"])


def test_run_of_a_float_model_names_the_error(tmp_path: Path) -> None:
    path = small_float_conv().save(tmp_path)
    answer = covenant("run", path, "--arch", "snax", "--on", "interpreter", "--json")
    (layer,) = json.loads(answer.out)["layers"]
    assert answer.code == 3
    assert layer["status"] == "failed"
    assert layer["errors"][0]["code"] == "RUN010"
