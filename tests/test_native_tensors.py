"""docs/native_tensors.md is true: what it says a native tensor cannot do fails, and what to write works."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

import dualnn as dn

PAGE = (Path(__file__).parent.parent / "docs" / "native_tensors.md").read_text()
SECTIONS = {"tensorflow": "## TensorFlow", "torch": "## PyTorch"}


def rows(backend):
    section = PAGE.split(SECTIONS[backend])[1].split("\n## ")[0]
    return re.findall(r"^\|[^|]*\| `(.+?)` \| `(.+?)` \|$", section, re.MULTILINE)


def names(nn):
    arrays = {
        "x": np.arange(6.0).reshape(2, 3),
        "v": np.array([3.0, 1.0, 2.0], "float32"),
        "f64": np.ones(3),
        "i": np.array([2, 0, 1]),
        "u8": np.array([1, 2, 3], "uint8"),
        "u16": np.array([1, 2, 3], "uint16"),
    }
    return {"nn": nn, "dn": dn, "math": math} | {name: nn.asarray(array) for name, array in arrays.items()}


def test_the_page_has_its_tables():
    assert (len(rows("tensorflow")), len(rows("torch"))) == (18, 6)


@pytest.mark.parametrize(("backend", "native"), [(b, native) for b in SECTIONS for native, _ in rows(b)])
def test_the_native_tensor_cannot(backend, native):
    with pytest.raises(Exception):  # noqa: B017, PT011 (of whatever kind the framework raises)
        exec(native, names(dn.backend(backend)))


@pytest.mark.parametrize("instead", sorted({instead for b in SECTIONS for _, instead in rows(b)}))
def test_the_function_can_on_both(instead):
    results = [eval(instead, names(dn.backend(backend))) for backend in SECTIONS]
    if instead.startswith("dn.namespace"):
        assert results == [dn.backend(backend) for backend in SECTIONS]
    elif isinstance(results[0], int):
        assert results[0] == results[1]
    else:
        first, second = (dn.backend(b).to_numpy(one) for b, one in zip(SECTIONS, results, strict=True))
        np.testing.assert_array_equal(first, second, strict=True)


def test_different_without_an_error():
    tf, torch = names(dn.backend("tensorflow")), names(dn.backend("torch"))
    assert (tf["i"] / 2).dtype == "float64"
    assert tf["nn"].dtype_name(tf["nn"].divide(tf["i"], 2).dtype) == "float32"
    inf = torch["nn"].asarray(np.array([math.inf, 1.0]))
    two = torch["nn"].asarray(np.array([2.0, -math.inf]))
    assert np.isnan((inf // two).numpy()[0]) and (inf // two)[1] == -1  # noqa: PT018 (one fact of the page)
    assert torch["nn"].to_numpy(torch["nn"].floor_divide(inf, two)).tolist() == [math.inf, 0.0]
    scalar = torch["nn"].asarray(1.0, dtype="float64")
    assert (torch["v"] + scalar).dtype == torch["nn"].float32
    assert torch["nn"].add(torch["v"], scalar).dtype == torch["nn"].float64
