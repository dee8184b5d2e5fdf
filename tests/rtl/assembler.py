"""A small assembler for hand-written test programs, independent of the emitter.

In: an `Acg`; calls that name units and quantities. Out: instruction words.
"""

from __future__ import annotations

from collections.abc import Mapping

from covenant.acg.control import ControlUnit
from covenant.acg.graph import Acg


class Assembler:
    """Collects the words of a program."""

    def __init__(self, acg: Acg) -> None:
        assert acg.control is not None
        self.control = acg.control
        self.words: list[int] = []

    def unit(self, name: str) -> ControlUnit:
        """The control unit of that name."""
        return next(unit for unit in self.control.units if unit.name == name)

    def mask(self, semaphores: str) -> int:
        """Bits of semaphores named in one string, separated by blanks."""
        return sum(1 << self.control.semaphores.index(name) for name in semaphores.split())

    def word(self, effect: str, **fields: int) -> None:
        """Appends the word of the mnemonic with that effect."""
        mnemonic = next(m for m in self.control.mnemonics if m.effect == effect)
        word = 0
        for field in mnemonic.fields:
            value = field.constant if field.constant is not None else fields.pop(field.name)
            width = field.high - field.low + 1
            word |= (value & ((1 << width) - 1)) << field.low
        assert not fields, fields
        self.words.append(word)

    def write(self, unit: str, values: Mapping[str, int], effect: str = "write") -> None:
        """Writes registers by quantity."""
        target = self.unit(unit)
        for quantity, value in values.items():
            register = target.register(quantity)
            assert register is not None, f"{unit} has no register {quantity}"
            self.word(effect, unit=target.id, register=register.index, value=value)

    def loops(self, unit: str, prefix: str, loops: list[tuple[int, int]], stride: str = "") -> None:
        """Writes bounds and strides, innermost first; `stride` is the prefix of strides if they
        have one of their own (`src.`)."""
        for index, (bound, step) in enumerate(loops):
            self.write(unit, {f"{prefix}bound[{index}]": bound})
            self.write(unit, {f"{stride or prefix}stride[{index}]": step})

    def launch(self, unit: str, wait: str = "", post: str = "") -> None:
        """Launches a unit."""
        self.word("launch", unit=self.unit(unit).id, wait=self.mask(wait), post=self.mask(post))

    def post(self, semaphores: str) -> None:
        """Posts semaphores from the command processor."""
        self.word("post", post=self.mask(semaphores))

    def loop(self, length: int, count: int) -> None:
        """Repeats the next `length` words `count` times."""
        self.word("loop", length=length, count=count)

    def halt(self) -> None:
        """Ends the program."""
        self.word("halt")
