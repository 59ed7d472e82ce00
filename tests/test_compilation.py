"""`compile` changes nothing but the speed."""

from __future__ import annotations

import logging

import numpy as np
import pytest

import dualnn as dn


def values(nn, x):
    return nn.to_numpy(x).tolist()


@pytest.fixture
def messages(caplog):
    """What the logger "dualnn" has said during the test."""
    caplog.set_level(logging.INFO, logger="dualnn")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "dualnn"]


def test_trees_go_in_and_come_out(nn, messages):
    @nn.compile
    def fun(tree, scale, none):
        assert none is None
        return {"z": [tree["a"] * scale, None], "a": (tree["b"][0] + 1.0, (tree["b"][1],))}

    tree = {"b": [nn.asarray([1.0]), nn.asarray([2.0])], "a": nn.asarray([3.0, 4.0])}
    for _ in range(2):
        result = fun(tree, scale=nn.asarray(2.0), none=None)
        assert set(result) == {"z", "a"}
        assert isinstance(result["z"], list)
        assert isinstance(result["a"], tuple)
        assert values(nn, result["z"][0]) == [6.0, 8.0]
        assert result["z"][1] is None
        assert values(nn, result["a"][0]) == [2.0]
        assert values(nn, result["a"][1][0]) == [2.0]
    assert messages() == []


def test_numpy_arrays_are_taken(nn):
    assert values(nn, nn.compile(lambda x: nn.asarray(x) * 2.0)(np.ones(2))) == [2.0, 2.0]


def test_variables_from_outside_are_read_at_every_call(nn):
    w = nn.Variable(2.0)
    times = nn.compile(lambda x: w * x)
    assert values(nn, times(nn.asarray(3.0))) == 6.0
    nn.assign(w, 5.0)
    assert values(nn, times(nn.asarray(3.0))) == 15.0


def test_variables_say_whether_they_are_trained(nn):
    trained, constant = nn.Variable([1.0]), nn.Variable([1.0], trainable=False)
    compiled = nn.compile(lambda x: [x * (10 if v.trainable else 1) for v in (trained, constant)])
    assert [nn.to_numpy(y).tolist() for y in compiled(nn.asarray([2.0]))] == [[20.0], [2.0]]


def test_batch_sizes_may_change(nn, messages):
    @nn.compile
    def mean(x):
        return nn.sum(x) / nn.astype(nn.asarray(nn.shape(x)[0]), x.dtype)

    for size in (4, 3, 7, 1, 64):
        assert float(mean(nn.ones((size, 2)))) == 2.0
    assert messages() == []


def by_bool(nn, x):
    return x if nn.sum(x) > 0 else -x


def by_float(nn, x):
    return x if float(nn.sum(x)) > 0 else -x


def by_int(nn, x):
    return x * (1.0 if int(nn.astype(nn.sum(x), "int64")) > 0 else -1.0)


def by_range(nn, x):
    for _ in range(nn.astype(nn.sum(x) < 0, "int64")):
        x = -x
    return x


def by_iteration(nn, x):
    return nn.stack([row if row > 0 else -row for row in x])


def by_numpy(nn, x):
    return x if np.sum(nn.to_numpy(x)) > 0 else -x


@pytest.mark.parametrize("look", [by_bool, by_float, by_int, by_range, by_iteration, by_numpy])
def test_python_control_flow_on_values(nn, look, messages):
    absolute = nn.compile(lambda x: look(nn, x))
    for sign in (1.0, -1.0, 1.0):
        assert values(nn, absolute(nn.asarray([sign, 2.0 * sign]))) == [1.0, 2.0]
    said = messages()
    assert len(said) <= 1  # once, if at all
    assert all("cannot be compiled" in message for message in said)


def test_control_flow_on_values_below_other_transforms(nn):
    inner = nn.compile(lambda x: by_bool(nn, x))
    outer = nn.compile(lambda x: nn.grad(lambda x: inner(x) * x)(x) + inner(x))
    for sign in (1.0, -1.0):
        assert float(outer(nn.asarray(3.0 * sign))) == 9.0  # 2 |x| + |x|


def test_a_function_that_compiles_is_traced_once(backend):
    nn, calls = dn.backend(backend), []

    @nn.compile
    def fun(x):
        calls.append(None)
        return x * 2.0

    for _ in range(10):
        fun(nn.ones(3))
    assert len(calls) == 1


class OwnError(Exception):
    pass


def test_errors_of_the_function_come_out_as_themselves(nn, messages):
    error = OwnError("mine")

    @nn.compile
    def fun(x):
        raise error

    for _ in range(2):
        with pytest.raises(OwnError) as caught:
            fun(nn.ones(3))
        assert caught.value is error
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
    assert messages() == []


def test_an_error_does_not_end_compilation(backend):
    nn, calls = dn.backend(backend), []

    @nn.compile
    def fun(x):
        calls.append(None)
        if nn.shape(x) == (2,):
            raise OwnError
        return x * 2.0

    fun(nn.ones(3))
    with pytest.raises(OwnError):
        fun(nn.ones(2))
    calls.clear()
    for _ in range(3):
        fun(nn.ones(3))
    assert calls == []


def test_an_error_that_depends_on_a_value(nn):
    @nn.compile
    def fun(x):
        if nn.sum(x) < 0:
            raise OwnError
        return x

    with pytest.raises(OwnError):
        fun(-nn.ones(2))
    assert values(nn, fun(nn.ones(2))) == [1.0, 1.0]
    with pytest.raises(OwnError):
        fun(-nn.ones(2))


def test_wrong_shapes_raise_what_the_framework_raises(nn):
    wrong = (nn.ones((2, 3)), nn.ones((2, 3)))
    with pytest.raises(Exception) as eager:  # noqa: PT011
        nn.matmul(*wrong)
    with pytest.raises(type(eager.value)) as compiled:
        nn.compile(nn.matmul)(*wrong)
    assert str(compiled.value) == str(eager.value)


def test_gradients_flow_through(nn):
    cube = nn.compile(lambda x: x**3)
    x = nn.asarray(2.0)
    with nn.GradientTape() as outer:
        outer.watch(x)
        with nn.GradientTape() as inner:
            inner.watch(x)
            y = cube(x)
        first = inner.gradient(y, x)
    assert values(nn, first) == 12.0
    assert values(nn, outer.gradient(first, x)) == 12.0
    assert values(nn, nn.compile(nn.grad(nn.grad(cube)))(x)) == 12.0


def test_a_training_step_gives_what_it_gives_uncompiled(nn):
    def step(params, x, y):
        def mean_squared_error(params):
            return nn.mean((nn.matmul(x, params["w"]) + params["b"] - y) ** 2)

        loss, gradient = nn.value_and_grad(mean_squared_error)(params)
        return {name: params[name] - 0.1 * gradient[name] for name in params}, loss

    rng = np.random.default_rng(0)
    batch = nn.asarray(rng.normal(size=(32, 4))), nn.asarray(rng.normal(size=(32, 1)))
    start = {"w": nn.asarray(rng.normal(size=(4, 1))), "b": nn.zeros(1, dtype="float64")}
    results = []
    for run in (step, nn.compile(step)):
        params = start
        for _ in range(10):
            params, loss = run(params, *batch)
        results.append([*params.values(), loss])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(nn.to_numpy(a), nn.to_numpy(b), rtol=1e-12)
    assert values(nn, start["b"]) == [0.0]


TAKEN_OUT = {
    "a number": lambda x: float(x[0]),
    "numpy": lambda x: float(x.detach().numpy()[0]),
    "asarray": lambda x: float(np.asarray(x.detach())[0]),
    "a list": lambda x: x.tolist()[0],
    "to_numpy": lambda x: float(dn.backend("torch").to_numpy(x)[0]),
}


@pytest.mark.parametrize("look", TAKEN_OUT.values(), ids=TAKEN_OUT)
def test_torch_values_taken_out_of_the_framework(look, messages):
    torch = pytest.importorskip("torch")
    calls = []

    def fun(x):
        calls.append(1)
        return x * look(x)

    compiled = dn.backend("torch").compile(fun)
    for number in (2.0, 3.0):
        x = torch.tensor([number, 4.0, number])
        assert torch.equal(compiled(x), x * look(x))
    assert len(calls) == 2  # each call is one run, also that in which it turns out
    assert compiled.runs_as == "eager"
    assert len(messages()) == 1


@pytest.mark.parametrize(
    ("size", "runs_as"), [(lambda x: len(x[x > 1.0]), "eager"), (lambda x: x.nonzero().shape[0], "graph")]
)
def test_torch_sizes_that_depend_on_values(size, runs_as):
    torch = pytest.importorskip("torch")
    compiled = dn.backend("torch").compile(lambda x: x * size(x))
    for numbers in ([2.0, 0.0, 0.0], [2.0, 3.0, 0.0]):
        x = torch.tensor(numbers)
        assert torch.equal(compiled(x), x * size(x))
    assert compiled.runs_as == runs_as  # Python's len() needs a number, a shape can be one of the graph


def test_torch_functions_are_run_once_while_they_are_noted():
    torch = pytest.importorskip("torch")
    nn = dn.backend("torch")
    count, calls = nn.Variable(0.0, trainable=False), []

    def fun(x):
        calls.append(1)
        nn.assign_add(count, 1.0)
        fresh = torch.tensor([0.0, 0.0])
        fresh.add_(x)  # what a list made is new at each call
        return fresh.mul_(2.0), count + 0.0

    compiled = nn.compile(fun)
    for number in (1.0, 2.0, 3.0):
        doubled, counted = compiled(torch.tensor([1.0, 2.0]))
        assert doubled.tolist() == [2.0, 4.0]
        assert float(counted) == number
    assert calls == [1]


def test_torch_random_numbers_are_drawn_at_each_call():
    torch = pytest.importorskip("torch")
    compiled = dn.backend("torch").compile(lambda x: x + torch.rand(3))
    first, second = (compiled(torch.zeros(3)) for _ in range(2))
    assert not torch.equal(first, second)
    assert compiled.runs_as == "graph"


def test_torch_values_of_constants_and_of_variables():
    torch = pytest.importorskip("torch")
    nn = dn.backend("torch")
    constant, variable = torch.tensor([2.0]), nn.Variable([2.0])
    from_constant = nn.compile(lambda x: x * float(constant.to(torch.float64)))
    assert from_constant(torch.ones(1)).tolist() == from_constant(torch.ones(1)).tolist() == [2.0]
    assert from_constant.runs_as == "graph"
    from_variable = nn.compile(lambda x: x * float(nn.stop_gradient(variable)[0]))
    assert from_variable(torch.ones(1)).tolist() == [2.0]
    nn.assign(variable, [3.0])
    assert from_variable(torch.ones(1)).tolist() == [3.0]
    assert from_variable.runs_as == "eager"


LOOKED_AT = {
    "through a view": lambda x, torch: _put(torch.zeros(2), x.max(), x.min()).max().item(),
    "in a new tensor": lambda x, torch: float(torch.tensor([x.max(), 1.0]).sum()),
    "in one like another": lambda x, torch: float(x.new_tensor([x.max(), 1.0]).sum()),
    "copied": lambda x, torch: float(torch.zeros(3).view(-1).copy_(x).numpy()[0]),
    "where to split": lambda x, torch: len(torch.tensor_split(x, x[:1].to(torch.int64))[0]),
    "drawn by a generator": lambda x, torch: torch.rand(3, generator=torch.Generator().manual_seed(1)),
}


def _put(tensor, *values):
    for i, value in enumerate(values):
        tensor[i] = value
    return tensor


@pytest.mark.parametrize("look", LOOKED_AT.values(), ids=LOOKED_AT)
def test_torch_numbers_that_a_graph_would_freeze(look):
    torch = pytest.importorskip("torch")
    compiled = dn.backend("torch").compile(lambda x: x * look(x, torch))
    for number in (1.0, 2.0, 3.0):
        x = torch.tensor([number, 4.0 * number, number])
        assert torch.equal(compiled(x), x * look(x, torch))
    assert compiled.runs_as == "eager"


def test_torch_parameters_and_counters_change():
    torch = pytest.importorskip("torch")
    weight, count = torch.nn.Parameter(torch.tensor([3.0, 4.0])), torch.zeros(())

    def counted(x):
        count.add_(1.0)
        return x * 2.0 if int(count) % 2 else x

    normed = dn.backend("torch").compile(lambda x: x * weight / weight.norm().item())
    alternating = dn.backend("torch").compile(counted)
    x = torch.ones(2)
    for scale in (1.0, 2.0, 3.0):
        with torch.no_grad():
            weight.copy_(torch.tensor([3.0 * scale, 4.0]))
            assert torch.equal(normed(x), x * weight / weight.norm().item())
        assert alternating(x)[0] == (2.0 if scale != 2.0 else 1.0)


def test_torch_variables_with_other_memory():
    torch = pytest.importorskip("torch")
    nn = dn.backend("torch")
    w = nn.Variable([2.0])
    times = nn.compile(lambda x: w * x)
    assert times(torch.tensor([3.0])).tolist() == [6.0]
    w.data = torch.tensor([5.0])
    assert times(torch.tensor([3.0])).tolist() == [15.0]
