"""Both frameworks run in one process where triton is installed, whichever is touched first."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

PROGRAM = """
{first}
import numpy as np, dualnn as dn
x = np.ones((8, 4), "float32")
for b in {backends}:
    model = dn.Sequential([dn.layers.Dense(1)]).on(b)
    model.compile("sgd", "mse")
    model.fit(x, x[:, :1], verbose=0)
import triton._C.libtriton  # as PyTorch's compiler does
import tensorflow, torch
import torch._inductor
print("alive")
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
@pytest.mark.parametrize(
    ("first", "backends"),
    [
        ("", ("torch", "tensorflow")),
        ("", ("tensorflow", "torch")),
        ("import tensorflow", ("torch",)),
        ("import torch, tensorflow", ("torch", "tensorflow")),
        ("import triton", ("tensorflow", "torch")),
    ],
)
def test_triton_beside_tensorflow(first, backends):
    code = PROGRAM.format(first=first, backends=backends)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ)
    assert (done.returncode, done.stdout.strip()) == (0, "alive"), done.stderr[-500:]


def test_triton_beside_tensorflow_before_a_backend_is_used():
    code = "import dualnn, tensorflow, torch; torch.optim.SGD([torch.zeros(2)]); print('alive')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ)
    assert (done.returncode, done.stdout.strip()) == (0, "alive"), done.stderr[-500:]
