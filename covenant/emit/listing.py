"""The text form of a program: one line per instruction word, indented by loop.

In: a `Program`. Out: text for people, diffs and goldens. Word numbers are those of the encoding.
"""

from __future__ import annotations

from typing import assert_never

from covenant.emit.program import (
    Add,
    Halt,
    Instruction,
    Launch,
    Loop,
    Operation,
    Packet,
    Post,
    Program,
    ReverseSubtract,
    Write,
    WriteHigh,
    count_words,
)


def show(program: Program) -> str:
    """The whole listing, ending in a newline."""
    lines = [f"program {program.codelet} for {program.architecture}: {program.words} words"]
    _append(lines, program.operations, 0, 0)
    return "\n".join(lines) + "\n"


def show_operation(operation: Operation) -> str:
    """One operation without its word number; a loop without its body."""
    match operation:
        case Write(unit, register, value):
            return f"set    {unit}.{register} = {value}"
        case WriteHigh(unit, register, value, low):
            return f"high   {unit}.{register} = {value} << {low}"
        case Add(unit, register, value):
            return f"add    {unit}.{register} += {value}"
        case ReverseSubtract(unit, register, value):
            return f"rsub   {unit}.{register} = {value} - {unit}.{register}"
        case Launch(unit, waits, posts, origin):
            text = f"launch {unit}"
            text += f" wait {','.join(waits)}" if waits else ""
            text += f" post {','.join(posts)}" if posts else ""
            return text + (f"  # {origin}" if origin else "")
        case Instruction():
            given = [f"{name}={value}" for name, value in operation.values]
            values = " ".join([*given, *(f"{name}+={value}" for name, value in operation.adds)])
            text = f"{operation.mnemonic} {operation.unit}".rstrip()
            text += f": {values}" if values else ""
            return text + (f"  # {operation.origin}" if operation.origin else "")
        case Post(semaphores):
            return f"post   {','.join(semaphores)}"
        case Loop(count, body):
            return f"loop   {count} times, {count_words(body)} words"
        case Halt():
            return "halt"
        case Packet(members):
            return "; ".join(map(show_operation, members))
        case _:
            assert_never(operation)


def _append(lines: list[str], operations: tuple[Operation, ...], word: int, indent: int) -> None:
    for operation in operations:
        if isinstance(operation, Packet):
            for index, member in enumerate(operation.members):
                left = "{ " if index == 0 else "  "
                right = " }" * (index == len(operation.members) - 1)
                lines.append(f"{word:5d}  {'  ' * indent}{left}{show_operation(member)}{right}")
                word += 1
            continue
        lines.append(f"{word:5d}  {'  ' * indent}{show_operation(operation)}")
        word += 1
        if isinstance(operation, Loop):
            _append(lines, operation.body, word, indent + 1)
            word += count_words(operation.body)
