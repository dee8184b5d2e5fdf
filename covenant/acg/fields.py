"""Types of the values of an architecture file, and what its sections have in common.

In: plain values. Out: types that `acg.sections` and `acg.control_sections` build models of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from covenant.acg import notation


def _checked(parse: Callable[[str], object], kind: str) -> AfterValidator:
    """A validator that accepts text the notation accepts, and keeps the text."""

    def check(text: str) -> str:
        try:
            parse(text)
        except notation.NotationError as error:
            context = {"problem": str(error), "column": error.column}
            raise PydanticCustomError(kind, "{problem}", context) from error
        return text

    return AfterValidator(check)


def _size(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return notation.parse_size(value)
    except notation.NotationError as error:
        context = {"problem": str(error), "column": 0}
        raise PydanticCustomError("size", "{problem}", context) from error


def _field_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


MAX_ITEMS = 256
"""Most entries of a table or registers of a unit; bounds the work that a file can ask for."""
_LARGEST = 1 << 50
_SIZE_PATTERN = {"type": "string", "pattern": r"^\d+ ?(B|KiB|MiB|GiB|TiB)?$"}

Count = Annotated[int, Field(ge=1, le=1 << 20)]
Whole = Annotated[int, Field(ge=0, le=1 << 40)]
Loops = Annotated[int, Field(ge=0, le=16)]
Size = Annotated[
    int,
    BeforeValidator(_size),
    Field(ge=1, le=_LARGEST),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, _SIZE_PATTERN]}),
]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]
LaneGroup = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(/[1-9][0-9]{0,3})?$", max_length=64)
]
UnitName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\[\d+\.\.\d+\])?$", max_length=64),
    _checked(notation.parse_range, "range"),
]
PortKey = Annotated[str, Field(pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$", max_length=64)]
Semantics = Annotated[str, _checked(notation.parse_semantics, "statement")]
RegisterText = Annotated[str, _checked(notation.parse_register, "register")]
FieldText = Annotated[
    str,
    BeforeValidator(_field_text),
    _checked(notation.parse_field, "bit_field"),
    WithJsonSchema({"type": ["string", "integer"]}),
]
ConditionText = Annotated[str, _checked(notation.parse_condition, "condition")]
DTypeName = Literal["int8", "uint8", "int16", "uint16", "int32", "float32"]
Ability = Literal["fill", "windows", "sums", "tail", "wrap"]
Share = Literal["centre", "pad", "rescale", "arrange", "evaluate"]
Rounding = Literal["ort_f32", "double_round", "half_up"]
Stall = Literal["none", "launch", "write", "barrier"]
Effect = Literal[
    "write",
    "write_high",
    "add",
    "add_high",
    "reverse_subtract",
    "launch",
    "post",
    "loop",
    "halt",
    "start",
]
Quantity = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*(\[(\d+|i)\])?$", max_length=64)]
Defaults = dict[str, object]
"""Keys of a section that are looked at where they end up."""
CText = Annotated[str, Field(min_length=1, max_length=400)]


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, no type is guessed."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=False, frozen=True)


class Entry(Section):
    """Base of the sections that a table of names holds."""

    like: Name | None = Field(
        None,
        description="another entry of the same table, whose keys it has unless it says otherwise; "
        "null removes one, `key+` adds to a list",
    )
