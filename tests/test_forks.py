"""A process forked after TensorFlow has run says that it has no TensorFlow, instead of standing still."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")

PROGRAM = """
import multiprocessing
import joblib, numpy as np
from sklearn.model_selection import cross_val_score
import dualnn as dn

x = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
y = (x[:, 0] > 0).astype(int)
model = dn.Sequential([dn.layers.Dense(1)]).on("{backend}")
dn.use("{backend}")
if {has_run}:
    model.predict(x)

def predict(i):
    return float(model.predict(x)[i, 0]) if {has_run} else 1.0

def tell(f):
    try:
        print("works", bool(np.all(np.isfinite(f()))))
    except RuntimeError as error:
        print(str(error).partition(",")[0])

def search():
    with joblib.parallel_backend("multiprocessing"):
        return cross_val_score(dn.sklearn.Classifier(epochs=1), x, y, n_jobs=2, cv=2, error_score="raise")

tell(lambda: multiprocessing.get_context("fork").Pool(2).map(predict, range(2)))
tell(search)
"""


@pytest.mark.parametrize(
    ("backend", "has_run", "says"),
    [
        ("tensorflow", True, "TensorFlow had run before this process was forked from another one"),
        ("tensorflow", False, "works True"),
        ("torch", True, "works True"),
    ],
)
def test_forked_processes(backend, has_run, says):
    code = PROGRAM.format(backend=backend, has_run=has_run)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines() == [says, says], done.stderr[-500:]
