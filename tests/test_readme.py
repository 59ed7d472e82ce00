"""The code of the README runs as it stands, on each backend."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text()
CODE = "\n".join(re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))


def test_the_code_of_the_readme_runs(backend, tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    code = CODE.replace('dn.backend("torch")', f'dn.backend("{backend}")')
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["model"].backend == backend
    assert names["twin"].backend == "tensorflow"
    assert (tmp_path / "iris.safetensors").exists()
    assert "ULP" in capsys.readouterr().out
    assert names["history"].history["loss"][-1] < names["history"].history["loss"][0]
