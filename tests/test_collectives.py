"""Operations that do more than return a result stay in compiled loops, in their order."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
import torch

import dualnn as dn

WORKER = """
import os, sys
import torch, torch.distributed as dist
import torch.distributed._functional_collectives as functional
import dualnn as dn

rank, size, port = map(int, sys.argv[1:])
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
dist.init_process_group("gloo", rank=rank, world_size=size)
nn = dn.backend("torch")

def of_functions(carry, constants, x):
    return carry + functional.all_reduce(x, "sum", dist.group.WORLD)

def in_place(carry, constants, x):
    total = x * 1.0
    dist.all_reduce(total)
    return carry + total

def waited_for(carry, constants, x):
    total = x * 1.0
    dist.all_reduce(total, async_op=True).wait()
    return carry + total

for body in (of_functions, in_place, waited_for):
    loop = nn.compile_loop(body)
    for _ in range(2):
        got = loop(torch.zeros(2), torch.ones(1), torch.ones(100, 2))
        assert got.tolist() == [100.0 * size] * 2, (body.__name__, loop.runs_as, got)
dist.destroy_process_group()
"""


@pytest.mark.parametrize("size", [1, 3])
def test_sums_over_processes(size):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    command = [sys.executable, "-c", WORKER]
    workers = [
        subprocess.Popen(
            [*command, str(rank), str(size), str(port)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for rank in range(size)
    ]
    try:
        said = [worker.communicate(timeout=300)[0].decode() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0] * size, said


def test_operations_of_others_are_called_though_nobody_uses_their_results():
    calls = []

    @torch.library.custom_op("dualnn_tests::noted", mutates_args=())
    def noted(x: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return x.clone()

    def step(carry, constants, x):
        noted(x)
        return carry + x

    loop = dn.backend("torch").compile_loop(step)
    for _ in range(2):
        assert float(loop(torch.tensor(0.0), torch.tensor(0.0), torch.ones(4))) == 4.0
    assert loop.runs_as == "graph"
    assert len(calls) == 8


def test_operations_that_write_and_checks_stay():
    counter = torch.zeros(())

    @torch.library.custom_op("dualnn_tests::count", mutates_args=("counter",))
    def count(counter: torch.Tensor) -> None:
        counter.add_(1)

    def step(carry, constants, x):
        count(counter)
        torch._assert_async(x < 5)
        return carry + x

    loop = dn.backend("torch").compile_loop(step)
    assert float(loop(torch.tensor(0.0), torch.tensor(0.0), torch.ones(4))) == 4.0
    assert (loop.runs_as, float(counter)) == ("graph", 4.0)
    with pytest.raises(RuntimeError):
        loop(torch.tensor(0.0), torch.tensor(0.0), torch.tensor([1.0, 9.0]))
