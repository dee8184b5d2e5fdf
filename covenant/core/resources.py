"""Where the shipped architectures and RTL lie: beside the sources in a checkout, inside the package
once installed; where built artifacts are cached; and how a file is written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parent.parent


def _shipped(name: str) -> Path:
    installed = _PACKAGE / f"_{name}"
    return installed if installed.is_dir() else _PACKAGE.parent / name


def architectures_directory() -> Path:
    """Directory of the shipped architecture YAML files."""
    return _shipped("architectures")


def rtl_directory() -> Path:
    """Directory of the SystemVerilog sources of the reference cluster."""
    return _shipped("rtl")


def cache_directory() -> Path:
    """User cache of built simulators and solved mappings; COVENANT_CACHE_DIR overrides it."""
    override = os.environ.get("COVENANT_CACHE_DIR")
    return Path(override) if override else Path(platformdirs.user_cache_dir("covenant"))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, whatever interrupts it; several processes may write the
    same one. OSError when it cannot be written. What is no file, such as a pipe, is written to."""
    target = path.resolve()
    if target.exists() and not (target.is_file() and os.access(target, os.W_OK)):
        target.write_bytes(content)  # not to be replaced: a pipe, or refused
        return
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        partial.chmod(target.stat().st_mode if target.exists() else _usual_mode())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _usual_mode() -> int:
    """Permissions of a new file."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
