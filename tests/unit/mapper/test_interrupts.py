"""Ctrl-C while a search runs in a thread of its own, at any moment."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from covenant.mapper import interrupts
from covenant.mapper import model as solving
from covenant.mapper.interrupts import Watch, abandoned
from covenant.mapper.mapping import Status
from covenant.mapper.model import Model
from covenant.mapper.objective import parse_objective
from covenant.mapper.solve import solve
from covenant.mapper.space import Space
from covenant.mapper.verify import verify
from mapper_samples import gemm, snax


@pytest.fixture(autouse=True)
def _listening() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Interrupting(threading.Thread):
    """A thread whose start Ctrl-C interrupts."""

    def start(self) -> None:
        super().start()
        signal.raise_signal(signal.SIGINT)


def test_interrupt_while_the_thread_starts_ends_the_search_with_its_best(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(interrupts.threading, "Thread", Interrupting)
    asked, watch = threading.Event(), Watch()
    ended: list[bool] = []
    watch.until(lambda: ended.append(asked.wait(20)), asked.set)
    assert watch.stopped
    assert ended == [True]
    assert not abandoned()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_second_interrupt_abandons_the_search_until_it_ends() -> None:
    go, watch = threading.Event(), Watch()

    def work() -> None:
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.2)
        signal.raise_signal(signal.SIGINT)
        go.wait(20)

    with pytest.raises(KeyboardInterrupt):
        watch.until(work, lambda: None)
    assert watch.stopped
    assert abandoned()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    go.set()
    deadline = time.monotonic() + 20
    while abandoned() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not abandoned()


def test_handler_of_somebody_else_is_given_back_and_ignoring_stays(
    request: pytest.FixtureRequest,
) -> None:
    before = signal.getsignal(signal.SIGINT)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    heard: list[Any] = []
    for handler in (lambda *_: heard.append(0), signal.SIG_IGN):
        signal.signal(signal.SIGINT, handler)
        seen: list[Any] = []
        Watch().until(lambda s=seen: s.append(signal.getsignal(signal.SIGINT)), lambda: None)
        assert (seen[0] is handler) == (handler is signal.SIG_IGN)
        assert signal.getsignal(signal.SIGINT) is handler


def test_failure_of_the_work_is_raised_and_a_flag_is_heard() -> None:
    with pytest.raises(ValueError, match="no"):
        Watch().until(lambda: int("no"), lambda: None)  # type: ignore[arg-type, return-value]
    flag, asked = threading.Event(), threading.Event()
    flag.set()
    watch = Watch(flag)
    watch.until(lambda: asked.wait(20), asked.set)  # type: ignore[arg-type, return-value]
    assert watch.stopped
    assert asked.is_set()


def test_interrupt_before_the_search_gives_the_first_mapping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupted: list[bool] = []

    def build(space: Space, words: int) -> Model:
        if not interrupted:
            interrupted.append(True)
            signal.raise_signal(signal.SIGINT)
        return solving.build(space, words)

    monkeypatch.setattr("covenant.mapper.solve.build", build)
    codelet, acg, watch = gemm(200, 160, 120), snax(memories__l1__size="16KiB"), Watch()
    mapping = solve(codelet, acg, objective=parse_objective("edp"), watch=watch)
    assert watch.stopped
    assert mapping.proof.status is Status.FEASIBLE
    assert verify(mapping, codelet, acg) == ()
