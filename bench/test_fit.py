"""The contenders of `dualnn bench` under pytest-benchmark: a warm step of training, a group for each model.

pytest bench/test_fit.py --benchmark-group-by=group --benchmark-sort=median

Here one contender is done before the next begins; `dualnn bench` has them work in turn, and its ratios
are the ones to quote.
"""

from __future__ import annotations

import os

import pytest

import dualnn as dn
from dualnn.benchmark.contenders import field_of
from dualnn.benchmark.job import Job
from dualnn.benchmark.models import MODELS, QUICK
from dualnn.benchmark.pool import Contender, ContenderError
from dualnn.benchmark.suite import WARM_UP
from dualnn.benchmark.tasks import FIT

JOBS = [
    job
    for model in QUICK
    for backend in dn.available()
    for job in field_of(Job("dualnn", backend, model, MODELS[model].batch_size))
]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: f"{job.model}, {job.backend}, {job.contender}")
def test_an_epoch(benchmark, job):
    benchmark.group = f"{job.model} on {job.backend}, {MODELS[job.model].steps} steps"
    with Contender(job, os.cpu_count() or 1) as contender:
        try:
            if FIT not in contender.answer()["tasks"]:
                pytest.skip("does not train epoch by epoch")
            contender.ask(FIT, WARM_UP[FIT])
        except ContenderError as error:
            pytest.skip(str(error))
        benchmark.pedantic(contender.ask, args=(FIT, 1), rounds=7, warmup_rounds=1)
