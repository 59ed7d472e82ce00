"""Fixtures: every test that takes `nn` or `backend` runs once on each backend."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# threads that spin while they wait for each other make small steps ten times slower on a busy machine
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pytest

import dualnn as dn
from dualnn.defaults import defaults

BACKENDS = ("torch", "tensorflow")
collect_ignore = ["array_api", "numpy_backend"]  # for processes of their own


@pytest.fixture(params=BACKENDS)
def backend(request):
    """The name of a backend, which is the default one during the test."""
    dn.use(request.param)
    return request.param


@pytest.fixture
def nn(backend):
    """A backend: its array namespace and primitives."""
    return dn.backend(backend)


@pytest.fixture(autouse=True)
def _fresh_defaults():
    before = (defaults.backend, dict(defaults.devices), defaults.dtype)
    yield
    defaults.backend, defaults.devices, defaults.dtype = before
