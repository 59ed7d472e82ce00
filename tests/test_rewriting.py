"""Graphs of torch's operations do the same after they were rewritten, in fewer operations."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import dualnn as dn

torch = pytest.importorskip("torch")
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

RNG = np.random.default_rng(0)


class Operations(TorchDispatchMode):
    """Notes the names of the operations that run."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def compiled(fun, x):
    """`fun` as a graph, and the names of the operations that a call of the graph takes."""
    graph = dn.backend("torch").compile(fun)
    graph(x)
    with Operations() as operations:
        graph(x)
    assert graph.runs_as == "graph"
    return graph, operations.names


def tensor(*shape):
    return torch.from_numpy(RNG.normal(size=shape).astype(np.float32))


def _turned_between_views(x):
    flat = x.view(-1)
    x.transpose_(0, 1)
    return torch.relu(flat.view(x.shape)) + x


def _normalized(x):
    return torch.nn.functional.layer_norm(x, x.shape[-1:])


def _sum_of_views(x, turned=False):
    rows = x.reshape(-1, x.shape[-1])
    if turned:  # in memory, too, where the result lies as its first term does
        rows = rows.t().clone(memory_format=torch.contiguous_format).t()
    return (rows * 2.0).view(-1, 1, x.shape[-1]) + torch.relu(rows).view(-1, 1, x.shape[-1])


def _sum_of_flattened(x):
    return (x.reshape(-1, 2) * 0.5).reshape(-1) + (x.reshape(-1, 4) * 2.0).reshape(-1)


STEPS = {
    "turn": lambda x: x.permute(1, 2, 0),
    "turn back": lambda x: x.permute(2, 0, 1),
    "swap": lambda x: x.transpose(0, 1),
    "flatten": lambda x: x.reshape(x.shape[0], -1, 1),
    "unflatten": lambda x: x.reshape(2, -1, 2),
    "relu": torch.relu,
    "relu and what it was": lambda x: torch.relu(x) + x,
    "relu of a part": lambda x: torch.cat([torch.relu(x[:1]), x[1:]]),
    "in place": lambda x: (x * 1.0).add_(0.5).relu_(),
    "add what is made": lambda x: x + torch.arange(x.shape[0], dtype=x.dtype).reshape(-1, 1, 1),
    "add what was zeros": lambda x: torch.zeros_like(x).add_(x).sub_(0.25),
    "add views": lambda x: _sum_of_views(x).reshape(x.shape),
    "add views of what was turned": lambda x: _sum_of_views(x, turned=True).reshape(x.shape),
    "add a view that is broadcast": lambda x: (x.reshape(1, -1) + x.reshape(-1)[:1].view(1, 1)).view(x.shape),
    "add views of other shapes": lambda x: _sum_of_flattened(x).view(x.shape),
    "normalize": lambda x: _normalized(x.reshape(-1, x.shape[-1]).view(-1, 1, x.shape[-1])).view(x.shape),
    "normalize parts of rows": lambda x: _normalized(x.reshape(1, -1).view(x.shape)),
    "turned in place": lambda x: (x * 1.0).transpose_(0, 1),
    "an axis more, in place": lambda x: (x * 1.0).unsqueeze_(0).view(x.shape),
    "turned between two views": lambda x: _turned_between_views(
        x.clone(memory_format=torch.contiguous_format)
    ),
    "stack and select": lambda x: torch.stack([x, x - 1.0], 1)[:, 1],
    "change what is selected": lambda x: torch.stack([x, x - 1.0])[0].mul_(2.0),
}


@example(["swap", "stack and select", "turn back", "turn back", "add views"])
@given(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=7))
def test_same_bits(names):
    def fun(x):
        kept = []
        for name in names:
            x = STEPS[name](x)
            kept.append(x)
        return x, kept[len(kept) // 2]

    graph = dn.backend("torch").compile(fun)
    for _ in range(3):
        x = tensor(2, 4, 6)
        before = x.clone()
        for found, expected in zip(graph(x), fun(before.clone()), strict=True):
            assert torch.equal(found, expected)
        assert torch.equal(x, before)
    assert graph.runs_as == "graph"


def test_axes_are_not_turned_between_layers_of_images():
    model = dn.Sequential(
        [
            dn.layers.Conv2D(4, 3),
            dn.layers.BatchNormalization(),
            dn.layers.Activation("relu"),
            dn.layers.MaxPooling2D(),
        ]
    ).on("torch")
    x = tensor(2, 8, 8, 3)
    model(x)
    _, names = compiled(lambda x: model(x, training=False), x)
    assert names.count("permute") == 2  # at the beginning and at the end
    assert "relu_" in names


def test_shapes_are_not_changed_between_layers_of_sequences():
    inputs = dn.Input((5, 4))
    x = dn.layers.Dense(6)(inputs)
    for _ in range(2):
        hidden = dn.layers.Dense(6)(dn.layers.Dense(8, activation="relu")(x))
        x = dn.layers.LayerNormalization()(dn.layers.Add()([x, hidden]))
    model = dn.Model(inputs, x).on("torch")
    x = tensor(3, 5, 4)
    model(x)
    graph, names = compiled(lambda x: model(x, training=False), x)
    assert names.count("view") == 2  # at the beginning and at the end
    assert torch.equal(graph(x), model(x))


def test_what_is_made_of_numbers_is_made_once_and_what_is_given_away_each_time():
    def fun(x):
        given = torch.zeros(3)
        part = given[:2]
        return x + torch.ones(3), given, part + 1.0

    graph, names = compiled(fun, tensor(3))
    assert "ones" not in names
    for _ in range(2):
        _, given, other = graph(tensor(3))
        assert given.tolist() == [0.0, 0.0, 0.0]
        assert other.tolist() == [1.0, 1.0]
        given.add_(7.0)


def test_what_is_selected_and_given_away_is_a_copy():
    graph, _ = compiled(lambda x: torch.stack([x, x + 1.0])[0], tensor(3))
    x = tensor(3)
    graph(x).add_(7.0)
    assert torch.equal(graph(x), x)


def test_what_was_made_is_not_what_it_is_overwritten_with():
    def fun(x):
        made = torch.zeros(3)
        before = x + made
        torch.add(torch.ones(3), torch.ones(3), out=made)
        return before, x + made

    graph, _ = compiled(fun, tensor(3))
    x = tensor(3)
    before, after = graph(x)
    assert torch.equal(before, x)
    assert torch.equal(after, x + 2.0)


def test_a_recurrent_layer_makes_no_states_anew():
    model = dn.Sequential([dn.layers.LSTM(3)]).on("torch")
    x = tensor(1, 4, 2)
    model(x)
    _, names = compiled(lambda x: model(x, training=False), x)
    assert not {"zeros", "zeros_like", "stack"} & set(names)


_MAPPED_BLOCKS = """
import ctypes, torch
from dualnn_torch.memory import keep_freed_memory

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd".split()]
    _fields_ += [(f"other{i}", ctypes.c_size_t) for i in range(5)]

info = ctypes.CDLL(None).mallinfo2
info.restype = Info

def mapped():
    before = info().hblks
    block = torch.empty(2**24, dtype=torch.uint8)
    return info().hblks - before

first = mapped()
keep_freed_memory()
print(first, mapped())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="it is about glibc, 2.33 or newer")
def test_freed_memory_is_kept():
    """A block of 16 MB is mapped for itself, and given back when it is freed, but not after the call."""
    counts = subprocess.check_output([sys.executable, "-c", _MAPPED_BLOCKS], text=True)
    assert counts.split() == ["1", "0"]
