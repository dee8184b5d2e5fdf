"""How findings look on a terminal."""

from __future__ import annotations

from covenant.core.diagnostics import Diagnostic, Span, did_you_mean


def test_diagnostic_puts_carets_under_its_span() -> None:
    span = Span("f.yaml", 3, 5, 9, "    bank: 8")
    assert str(Diagnostic("ACG010", "unknown key 'bank'", span, "did you mean 'banks'?")) == (
        "f.yaml:3:5: error[ACG010]: unknown key 'bank'\n"
        "      bank: 8\n"
        "      ^^^^\n"
        "help: did you mean 'banks'?"
    )


def test_diagnostic_without_a_line_is_one_line() -> None:
    assert str(Diagnostic("ACG006", "no such node", Span("--set x=1"))) == (
        "--set x=1: error[ACG006]: no such node"
    )


def test_diagnostic_cuts_long_lines_around_the_caret() -> None:
    source = "a" * 500 + "X" + "b" * 500
    text, carets = Span("f", 1, 501, 502, source).excerpt()
    assert len(text) < 130
    assert text[carets.index("^")] == "X"


def test_diagnostic_shows_no_control_characters() -> None:
    text = str(Diagnostic("X", "red \x1b[31m", Span("f", 1, 1, 2, "\t\x1b[0m")))
    assert text.replace("\n", "").isprintable()


def test_did_you_mean_suggests_the_closest_word_in_any_case() -> None:
    assert did_you_mean("Bank", ["banks", "size"]) == "did you mean 'banks'?"
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"
    assert did_you_mean("zzz", []) == ""


def test_lines_of_a_message_are_indented_so_that_none_can_pass_for_another_finding() -> None:
    text = str(Diagnostic("SIM003", "tool failed:\nfile:1: error[X]\n\x1b[31mred", Span("top")))
    assert text.splitlines() == [
        "top: error[SIM003]: tool failed:",
        "    file:1: error[X]",
        "    �[31mred",
    ]
