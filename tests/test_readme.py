"""The code of the README runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import dualnn as dn

README = Path(dn.__file__).parents[1] / "README.md"


def test_the_code_runs(backend, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert blocks
    exec("".join(blocks), {"__name__": "readme"})
    assert (tmp_path / "iris.safetensors").is_file()
    assert capsys.readouterr().out
