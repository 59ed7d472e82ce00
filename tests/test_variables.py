"""Variables: what they are made of, and assignment in place."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import dualnn as dn
from dualnn import moving
from dualnn.layers import tree
from dualnn.sklearn.pickling import portable


def _other(nn):
    return dn.backend("tensorflow" if nn.name == "torch" else "torch")


def test_what_it_is(nn):
    w = nn.Variable([[1.0, 2.0]], name="weights")
    assert isinstance(w, nn.Variable)
    assert nn.is_variable(w)
    assert nn.is_tensor(w)
    assert w.trainable
    assert w.name.split(":")[0] == "weights"
    assert nn.dtype_name(w.dtype) == "float32"
    assert nn.shape(w) == (1, 2)
    for no_variable in (nn.ones(2), np.ones(2), 1.0, None):
        assert not nn.is_variable(no_variable)
        assert not isinstance(no_variable, nn.Variable)


def test_operations_give_plain_tensors(nn):
    w = nn.Variable([1.0, 2.0])
    for y in (w * 2, 2 - w, nn.exp(w), nn.sum(w), nn.matmul(w, w), nn.reshape(w, (2, 1)), w[0]):
        assert nn.is_tensor(y)
        assert not nn.is_variable(y)
        assert type(y) is type(nn.ones(2))


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "int32", "int64", "bool", "complex64"])
def test_dtypes(nn, dtype):
    floating = dtype not in ("int32", "int64", "bool")
    w = nn.Variable([1, 0], dtype=dtype)
    assert nn.dtype_name(w.dtype) == dtype
    assert w.trainable is floating
    assert nn.Variable([1, 0], trainable=False, dtype=dtype).trainable is False
    if not floating:
        with pytest.raises(ValueError, match=f"expected a floating-point dtype .*{dtype}"):
            nn.Variable([1, 0], trainable=True, dtype=dtype)


def test_values(nn):
    values = ([1.0, 2.0], np.array([1.0, 2.0], np.float32), nn.asarray([1.0, 2.0]), nn.Variable([1.0, 2.0]))
    for value in (*values, _other(nn).asarray([1.0, 2.0])):
        w = nn.Variable(value)
        assert nn.to_numpy(w).tolist() == [1.0, 2.0]
        assert nn.dtype_name(w.dtype) == "float32"
    dn.use(nn.name, dtype="float64")
    assert nn.dtype_name(nn.Variable(1.0).dtype) == "float64"


def test_the_value_is_copied(nn):
    array = np.array([1.0, 2.0])
    for value in (array, nn.asarray(array), nn.Variable(array)):
        w = nn.Variable(value)
        nn.assign(w, [5.0, 6.0])
        assert array.tolist() == [1.0, 2.0]
        assert nn.to_numpy(nn.asarray(value)).tolist() == [1.0, 2.0]
        array[0] = 1.0


def test_gradients(nn):
    w, frozen = nn.Variable([1.0, 2.0]), nn.Variable([3.0, 4.0], trainable=False)
    with nn.GradientTape() as tape:
        y = nn.sum(w * frozen)
    gradient, none = tape.gradient(y, [w, frozen])
    assert nn.to_numpy(gradient).tolist() == [3.0, 4.0]
    assert none is None


def test_deepcopy(nn):
    for trainable in (True, False):
        w = nn.Variable([1.0, 2.0], trainable=trainable, name="w")
        twin = copy.deepcopy(w)
        nn.assign_add(w, 1.0)
        assert isinstance(twin, nn.Variable)
        assert twin.trainable is trainable
        assert twin.name == w.name
        assert nn.to_numpy(twin).tolist() == [1.0, 2.0]


SHAPES = [(3,), (4, 3), (3, 3, 2, 5), (1, 3, 1, 2)]


@pytest.mark.parametrize("shape", SHAPES)
def test_memory_with_the_last_axis_first(nn, shape):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    w = nn.Variable(values, outputs_first=True)
    pickled = pickle.loads(pickle.dumps(portable({"w": w})))["w"]
    # a copy of a variable of TensorFlow does not know it any more, which costs torch time and no more
    copied = copy.deepcopy(w) if nn.name == "torch" else w
    for variable in (w, copied, pickled, nn.Variable(values, **moving.about(w))):
        assert variable.outputs_first
        np.testing.assert_array_equal(nn.to_numpy(variable), values)
        if nn.name == "torch":
            assert variable.movedim(-1, 0).is_contiguous()
    nn.assign(w, -values)
    np.testing.assert_array_equal(nn.to_numpy(nn.value(w) * 2), -2 * values)


def test_kernels_lie_as_the_layers_of_torch_have_them():
    pytest.importorskip("torch")
    model = dn.Sequential(
        [
            dn.layers.Conv2D(4, 3),
            dn.layers.Reshape((4, -1)),
            dn.layers.LSTM(6),
        ]
    )
    model.build((None, 5, 6, 2))
    there = model.on("tensorflow").on("torch")  # TensorFlow has one order only, and knows of the other
    for one in (model.on("torch"), there):
        for slot in tree.slots(one):
            if slot.path.endswith("kernel"):
                assert slot.variable.movedim(-1, 0).is_contiguous(), slot.path


def test_assign(nn):
    w = nn.Variable([1.0, 2.0])
    for value in ([3, 4], np.array([3.0, 4.0]), nn.asarray([3, 4]), nn.Variable([3.0, 4.0], dtype="float64")):
        nn.assign(w, [0.0, 0.0])
        assert nn.assign(w, value) is w
        assert nn.to_numpy(w).tolist() == [3.0, 4.0]
        assert nn.dtype_name(w.dtype) == "float32"
    scalar = nn.Variable(1.0)
    assert nn.to_numpy(nn.assign(scalar, 2)) == 2.0


def test_assign_add_and_sub_broadcast(nn):
    w = nn.Variable([[1.0, 2.0], [3.0, 4.0]])
    assert nn.assign_add(w, 1) is w
    assert nn.to_numpy(w).tolist() == [[2.0, 3.0], [4.0, 5.0]]
    assert nn.assign_sub(w, np.array([1.0, 2.0])) is w
    assert nn.to_numpy(w).tolist() == [[1.0, 1.0], [3.0, 3.0]]
    nn.assign_add(w, nn.asarray([[1], [2]]))
    assert nn.to_numpy(w).tolist() == [[2.0, 2.0], [5.0, 5.0]]
    nn.assign_sub(w, w)
    assert nn.to_numpy(w).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    count = nn.Variable(1)
    assert nn.to_numpy(nn.assign_add(count, 2)) == 3


def test_wrong_shapes(nn):
    w = nn.Variable([1.0, 2.0])
    for value in (0.0, nn.ones(3), nn.ones((1, 2))):
        with pytest.raises(ValueError, match=r"expected a value of the variable's shape \(2,\), got \("):
            nn.assign(w, value)
    for assign in (nn.assign_add, nn.assign_sub):
        for value in (nn.ones(3), nn.ones((2, 2))):
            with pytest.raises(ValueError, match=r"expected a value of the variable's shape \(2,\), got \("):
                assign(w, value)
    assert nn.to_numpy(w).tolist() == [1.0, 2.0]


def test_wrong_types(nn):
    w, theirs = nn.Variable([1.0, 2.0]), _other(nn).ones(2)
    for assign in (nn.assign, nn.assign_add, nn.assign_sub):
        with pytest.raises(TypeError, match=f"got a tensor of {_other(nn).name}; convert it"):
            assign(w, theirs)
        for no_variable in (nn.ones(2), _other(nn).Variable([1.0, 2.0]), [1.0, 2.0]):
            with pytest.raises(TypeError, match=f"expected a {nn.name} variable to assign to"):
                assign(no_variable, nn.ones(2))


def test_in_compiled_code(nn):
    w = nn.Variable([1.0, 2.0])
    step = nn.compile(lambda x: nn.sum(w * x))
    assert nn.to_numpy(step(nn.ones(2))) == 3.0
    nn.assign_add(w, 1.0)
    assert nn.to_numpy(step(nn.ones(2))) == 5.0
