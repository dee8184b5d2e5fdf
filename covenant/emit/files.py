"""Images on disk: a directory with one folder per layer, written whole or not at all.

In: images with their text forms. Out: `manifest.json` (schema_version, caller's details, layers)
and per layer `image.json`, `program.bin`, `program.txt`, `constants.bin`, `mapping.txt`.
`read_images` gives back what a run needs; text files are for people only.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from covenant.core.diagnostics import CovenantError, Span, fail
from covenant.core.dtypes import DType
from covenant.emit.image import Image, ImageTensor, Segment
from covenant.mapper.mapping import Layout, LayoutAxis, Role

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class SavedLayer:
    """A layer as it is saved: image, listing of its program, text form of its mapping."""

    name: str
    image: Image
    listing: str
    mapping: str


@dataclass(frozen=True, slots=True, eq=False)
class SavedImages:
    """What a directory held. details: what the caller saved; images: by layer name, in order."""

    details: Map[str, Any]
    images: Map[str, Image]
    files: Map[str, bytes] = field(default_factory=dict)


def write_images(
    directory: Path,
    layers: Sequence[SavedLayer],
    details: Map[str, Any],
    extra: Map[str, bytes] | None = None,
) -> None:
    """Write a directory in one step, replacing one of the same name that this function wrote.

    details: JSON values for the manifest; extra: further files by relative name.
    """
    names = [f"{i:02d}_{_safe(layer.name)}" for i, layer in enumerate(layers)]
    listed = [{"name": layer.name, "directory": n} for layer, n in zip(layers, names, strict=True)]
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "details": dict(details),
        "extra": sorted(extra or {}),
        "layers": listed,
    }
    files = dict(extra or {})
    for layer, name in zip(layers, names, strict=True):
        files.update({f"{name}/{file}": content for file, content in _layer_files(layer).items()})
    files["manifest.json"] = _json(manifest)
    write_directory(directory, files)


def read_images(directory: Path) -> SavedImages:
    """Read back a directory; CovenantError when it is not one, or damaged."""
    manifest = directory / "manifest.json"
    try:
        content = json.loads(manifest.read_bytes())
        if content["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema_version is {content['schema_version']}")
        images = {e["name"]: _read_layer(directory / e["directory"]) for e in content["layers"]}
        files = {name: (directory / name).read_bytes() for name in content["extra"]}
        return SavedImages(content["details"], images, files)
    except FileNotFoundError as error:
        raise _damaged(manifest, f"{Path(error.filename).name} is missing") from error
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise _damaged(manifest, str(error)) from error


def write_directory(directory: Path, files: Map[str, bytes]) -> None:
    """Write files by relative name into a new directory, then put it in place by renaming."""
    ours = (directory / "manifest.json").is_file()
    if directory.exists() and not ours and (not directory.is_dir() or any(directory.iterdir())):
        raise fail(
            "EMI007",
            f"'{directory}' exists and holds other files",
            Span(str(directory)),
            "name a new directory",
        )
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    except OSError as error:
        raise _unwritable(directory, error) from error
    try:
        for name, content in files.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        fresh.chmod(0o755)
        _swap(fresh, directory)
    except OSError as error:
        raise _unwritable(directory, error) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _unwritable(directory: Path, error: OSError) -> CovenantError:
    repair = "name a new directory in a place that exists and can be written"
    message = f"the directory cannot be written: {error.strerror}"
    return fail("EMI007", message, Span(str(directory)), repair)


def _swap(fresh: Path, directory: Path) -> None:
    """Put `fresh` in place; the old directory goes only when the new one is there."""
    if not directory.exists():
        fresh.rename(directory)
        return
    old = fresh.with_name(fresh.name + ".old")
    directory.rename(old)
    try:
        fresh.rename(directory)
    except OSError:
        old.rename(directory)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _layer_files(layer: SavedLayer) -> dict[str, bytes]:
    image = layer.image
    size = (image.word_bits + 7) // 8
    return {
        "image.json": _json(_described(image)),
        "program.bin": b"".join(word.to_bytes(size, "little") for word in image.words),
        "program.txt": layer.listing.encode(),
        "mapping.txt": layer.mapping.encode(),
        "constants.bin": b"".join(s.content.tobytes() for s in image.segments),
    }


def _described(image: Image) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "architecture": image.architecture,
        "codelet": image.codelet,
        "word_bits": image.word_bits,
        "words": len(image.words),
        "dram_bytes": image.dram_bytes,
        "segments": [{"address": s.address, "bytes": s.content.size} for s in image.segments],
        "tensors": [_tensor(t) for t in image.tensors],
    }


def _tensor(entry: ImageTensor) -> dict[str, Any]:
    return {
        "tensor": entry.tensor,
        "port": entry.port,
        "role": entry.role.value,
        "dtype": entry.dtype.value,
        "shape": list(entry.shape),
        "address": entry.address,
        "bytes": entry.layout.bytes,
        "layout": [[a.axis, a.step, a.extent, a.stride] for a in entry.layout.axes],
        "padding": entry.padding,
        **({} if entry.stored is None else {"stored": entry.stored.value}),
    }


def _read_layer(directory: Path) -> Image:
    content = json.loads((directory / "image.json").read_bytes())
    size = (content["word_bits"] + 7) // 8
    program = (directory / "program.bin").read_bytes()
    if len(program) != size * content["words"]:
        raise ValueError(f"{directory.name}/program.bin has {len(program)} bytes")
    words = [int.from_bytes(program[i : i + size], "little") for i in range(0, len(program), size)]
    constants = np.frombuffer((directory / "constants.bin").read_bytes(), np.uint8)
    segments = []
    at = 0
    for segment in content["segments"]:
        piece = constants[at : at + segment["bytes"]]
        if piece.size != segment["bytes"]:
            raise ValueError(f"{directory.name}/constants.bin is too short")
        segments.append(Segment(segment["address"], piece))
        at += segment["bytes"]
    return Image(
        content["architecture"],
        content["codelet"],
        content["word_bits"],
        tuple(words),
        content["dram_bytes"],
        tuple(segments),
        tuple(_read_tensor(t) for t in content["tensors"]),
    )


def _read_tensor(entry: Map[str, Any]) -> ImageTensor:
    axes = tuple(LayoutAxis(*axis) for axis in entry["layout"])
    return ImageTensor(
        entry["tensor"],
        entry["port"],
        Role(entry["role"]),
        DType(entry["dtype"]),
        tuple(entry["shape"]),
        entry["address"],
        Layout(axes, entry["bytes"]),
        entry["padding"],
        DType(entry["stored"]) if "stored" in entry else None,
    )


def _json(value: Map[str, Any]) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


def _safe(name: str) -> str:
    """A layer name as part of a file name."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name)[:60].strip("._") or "layer"


def _damaged(path: Path, reason: str) -> CovenantError:
    return fail(
        "EMI007",
        f"no saved program can be read here: {reason}",
        Span(str(path)),
        "write one with `covenant run MODEL.onnx -o DIR`",
    )
