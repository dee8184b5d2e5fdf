"""The README's sample output is what its command prints (solve time apart)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.rtl
def test_readme_sample_is_what_the_command_prints() -> None:
    text = (ROOT / "README.md").read_text()
    sample = re.search(r"^```text\n(layer.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert sample is not None, "README shows no sample output"
    command = [sys.executable, "-m", "covenant", "run", "examples/resnet18_layer1.onnx"]
    done = subprocess.run(
        [*command, "--arch", "snax"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert _timeless(done.stdout) == _timeless(sample[1])


def _timeless(text: str) -> str:
    return re.sub(r"solved +.*", "solved", text).strip()
