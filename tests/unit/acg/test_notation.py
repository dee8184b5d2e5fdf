"""Sizes, ranges, registers, bit fields and conditions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covenant.acg.notation import (
    FieldForm,
    NotationError,
    RegisterForm,
    in_ranges,
    parse_condition,
    parse_field,
    parse_range,
    parse_register,
    parse_size,
    show_size,
)


@given(st.integers(0, 1 << 50))
def test_size_text_reads_back(size_bytes: int) -> None:
    assert parse_size(show_size(size_bytes)) == size_bytes


@pytest.mark.parametrize(
    ("text", "size_bytes"), [("128KiB", 131072), ("1 GiB", 1 << 30), ("7", 7), ("7B", 7)]
)
def test_size_accepts_binary_units(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "KiB", "1.5KiB", "128kb", "-1", "1e3", "٣KiB"])
def test_size_refuses_other_text(text: str) -> None:
    with pytest.raises(NotationError):
        parse_size(text)


def test_register_range_stands_for_one_register_each() -> None:
    assert parse_register("a.bound[0..2] = 1") == (
        RegisterForm("a.bound[0]", 1),
        RegisterForm("a.bound[1]", 1),
        RegisterForm("a.bound[2]", 1),
    )
    assert parse_register("lo = -128") == (RegisterForm("lo", -128),)
    assert parse_register("x.tail = 0xff") == (RegisterForm("x.tail", 255),)


def test_names_of_loops_are_written_as_ranges() -> None:
    names = ["a.base", "bound[2]", "bound[0]", "lo", "bound[1]", "bound[4]"]
    assert in_ranges(names) == ["a.base", "bound[0..2]", "bound[4]", "lo"]


def test_register_has_a_largest_or_a_fixed_value() -> None:
    assert parse_register("run = 1 <= 4") == (RegisterForm("run", 1, 4),)
    assert parse_register("rows<=16") == (RegisterForm("rows", 0, 16),)
    assert parse_register("src.stride[0] == 16") == (
        RegisterForm("src.stride[0]", 16, None, fixed=True),
    )
    with pytest.raises(NotationError, match="5 is larger than the largest value 4"):
        parse_register("run = 5 <= 4")


@pytest.mark.parametrize(
    "text", ["", "a b", "a =", "a[", "a[1..0]", "a[0..99]", "a.b.c", "1a", "a[]"]
)
def test_register_refuses_other_text(text: str) -> None:
    with pytest.raises(NotationError):
        parse_register(text)


def test_range_of_plain_text_is_none() -> None:
    assert parse_range("load") is None
    assert parse_range("load[2..3]") == ("load", 2, 3)


def test_field_is_high_low_and_constant() -> None:
    assert parse_field("63:60=1") == FieldForm(63, 60, 1)
    assert parse_field("7") == FieldForm(7, 7)
    assert parse_field("29:0 / 64") == FieldForm(29, 0, granule=64)
    assert parse_field("3:2 + 128 / 128*2") == FieldForm(3, 2, None, 128, 128, 2)
    with pytest.raises(NotationError, match="as its bits"):
        parse_field("7:0=1 / 2")
    with pytest.raises(NotationError, match="at least 1"):
        parse_field("7:0 / 0")
    with pytest.raises(NotationError, match="reversed"):
        parse_field("0:7")


@pytest.mark.parametrize(
    ("text", "found", "holds"),
    [
        ("k % 16 == 0", 32, True),
        ("k % 16 == 0", 33, False),
        ("za == 0", 0, True),
        ("lo >= -128", -129, False),
        ("m<=4", 4, True),
        ("m != 4", 4, False),
        ("m < 4", 3, True),
        ("m > 4", 4, False),
    ],
)
def test_condition_decides(text: str, found: int, holds: bool) -> None:
    assert parse_condition(text).holds(found) is holds
