"""Proven mappings kept on disk, so that a layer is solved once per machine and compiler.

In: a codelet, an architecture, solver options. Out: the mapping proven for them before, or None.
Keys are digests of everything a proven mapping depends on; names and the time limit are not among
it. Only proven mappings are kept: any other may still improve. A file that is damaged or that
`verify` rejects counts as absent and is written anew. Nothing here ever fails a command.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import covenant
from covenant.acg.dump import resolved_yaml
from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.codelets.printer import print_codelet
from covenant.core.resources import cache_directory, write_whole
from covenant.mapper.mapping import Mapping
from covenant.mapper.printer import from_json, to_json
from covenant.mapper.verify import verify

_SOURCES = ("acg", "codelets", "core", "mapper")
"""Packages whose code decides what a mapping is: the mapper and all that it imports."""


@cache
def compiler_digest() -> str:
    """Digest of the version, of the solver's version and of the sources that decide mappings."""
    found = hashlib.sha256()
    package = Path(covenant.__file__).parent
    for text in _versions():
        found.update(text.encode() + b"\n")
    for name in _SOURCES:
        for path in sorted((package / name).rglob("*.py")):
            found.update(path.relative_to(package).as_posix().encode() + b"\n")
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _versions() -> Iterator[str]:
    yield covenant.__version__
    yield importlib.metadata.version("ortools")


def architecture_digest(acg: Acg) -> str:
    """Digest of an architecture without its name and description."""
    return _digest(resolved_yaml(replace(acg, name="", description="")))


def mapping_key(codelet: Codelet, architecture: str, **options: int | str) -> str:
    """Key of a codelet, whatever its name, on the architecture of that digest. options: those of
    the solver that can change a proven mapping."""
    parts = {
        "codelet": print_codelet(replace(codelet, name="")),
        "architecture": architecture,
        "options": options,
        "compiler": compiler_digest(),
    }
    return _digest(json.dumps(parts, sort_keys=True))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class MappingCache:
    """Mappings by key, one file each; `directory` None keeps and finds nothing."""

    directory: Path | None

    @classmethod
    def of_user(cls) -> MappingCache:
        """The cache in the user's cache directory."""
        return cls(cache_directory() / "mappings")

    def load(self, key: str, codelet: Codelet, acg: Acg) -> Mapping | None:
        """The proven mapping of that key under the names of this codelet and architecture."""
        if self.directory is None:
            return None
        try:
            entry = json.loads(self._file(self.directory, key).read_text("utf-8"))
            if entry["digest"] != _digest(_text(entry["mapping"])):
                return None
            mapping = from_json(entry["mapping"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        mapping = replace(mapping, codelet=codelet.name, architecture=acg.name)
        if not mapping.proof.status.proven or verify(mapping, codelet, acg):
            return None
        return mapping

    def store(self, key: str, mapping: Mapping) -> None:
        """Keep a proven mapping; any other, or one that cannot be written, is left out."""
        if self.directory is None or not mapping.proof.status.proven:
            return
        tree = to_json(replace(mapping, codelet="", architecture=""))
        text = json.dumps({"digest": _digest(_text(tree)), "mapping": tree})
        try:
            file = self._file(self.directory, key)
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, text.encode())
        except OSError:
            return

    @staticmethod
    def _file(directory: Path, key: str) -> Path:
        return directory / key[:2] / f"{key}.json"


def _text(tree: object) -> str:
    return json.dumps(tree, sort_keys=True)
