"""Long runs hold no more memory, threads or files in the end than soon after the beginning."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

import dualnn as dn

GROWTH = 10  # MB from the third tenth of a run to its end; 1,000 lost models of the smallest kind are more


def grown(backend, kind, steps):
    """Return what the process held after the third and after the last tenth of a run."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.long_run", backend, kind, str(steps)],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    held = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(held) == 10
    return held[2], held[-1]


def check(backend, kind, steps):
    before, after = grown(backend, kind, steps)
    assert after["megabytes"] - before["megabytes"] < GROWTH
    assert {name: after[name] for name in ("threads", "tasks", "files")} == {
        name: before[name] for name in ("threads", "tasks", "files")
    }


@pytest.mark.parametrize("engine", ["eager", "step", "epoch"])
def test_a_thousand_epochs_of_iris(backend, engine):
    check(backend, engine, 5_000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "steps"),
    [("eager", 200_000), ("step", 200_000), ("epoch", 2_000_000), ("generator", 200_000), ("models", 200)],
)
def test_as_many_steps_as_in_hours_of_a_larger_model(backend, kind, steps):
    check(backend, kind, steps)


@pytest.mark.parametrize("engine", ["eager", "step"])
def test_a_model_is_freed_when_nobody_has_it(backend, engine):
    def run():
        model = dn.Sequential([dn.layers.Dense(2), dn.layers.Dropout(0.5), dn.layers.Dense(1)]).on(backend)
        model.compile("adam", "mse", engine=engine)
        model.fit(np.ones((8, 3)), np.ones((8, 1)), validation_split=0.5, verbose=0)
        model.predict(np.ones((8, 3)))
        return weakref.ref(model), weakref.ref(model.layers[0])

    run()
    references = run()
    gc.collect()
    assert [reference() for reference in references] == [None, None]
