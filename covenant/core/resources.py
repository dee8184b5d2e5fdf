"""Where the shipped architectures and RTL lie: beside the sources in a checkout, inside the package
once installed; and where built artifacts are cached."""

from __future__ import annotations

import os
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
