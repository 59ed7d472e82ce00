"""What is taken for arrays of numbers, and what is said of all that is not."""

from __future__ import annotations

import array
import collections
import decimal

import numpy as np
import pytest

import dualnn as dn
from dualnn.training.arrays import as_array, as_arrays

X = np.eye(32, 4, dtype="float32")
Y = X[:, :1].copy()


def trained(backend, x, y=Y):
    model = dn.Sequential([dn.layers.Dense(1)]).on(backend)
    model.compile("sgd", "mse")
    losses = model.fit(x, y, epochs=2, seed=1, verbose=0).history["loss"]
    return losses, model.predict(x), model.evaluate(x, y)


def pandas():
    return pytest.importorskip("pandas")


def sparse():
    return pytest.importorskip("scipy.sparse")


class Polars:
    """A frame with the methods of one of polars, whose dtypes are not NumPy's."""

    columns = ("a", "b")
    dtypes = ("Float32", "Float32")

    def __init__(self, values):
        self.values = np.asarray(values)

    def __getitem__(self, name):
        return self.values[:, self.columns.index(name)]

    def to_numpy(self):
        return self.values

    def __array__(self, dtype=None, copy=None):
        return self.values


class Column(collections.abc.Sequence):
    """A column with the methods of one of Hugging Face's data sets."""

    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, i):
        return self.values[i]


def ml_dtypes(name):
    return X.astype(getattr(pytest.importorskip("ml_dtypes"), name))


SAME = {
    "csr_matrix": lambda: sparse().csr_matrix(X),
    "coo_array": lambda: sparse().coo_array(X),
    "dok_matrix": lambda: sparse().dok_matrix(X),
    "a frame": lambda: pandas().DataFrame(X),
    "a sparse frame": lambda: pandas().DataFrame.sparse.from_spmatrix(sparse().csr_matrix(X)),
    "nullable columns": lambda: pandas().DataFrame(X).convert_dtypes(),
    "categories of numbers": lambda: pandas().DataFrame(X).astype("category"),
    "boolean columns": lambda: pandas().DataFrame(X > 0),
    "arrays in a series": lambda: pandas().Series(list(X)),
    "objects": lambda: X.astype(object),
    "decimals": lambda: [[decimal.Decimal(float(value)) for value in row] for row in X],
    "a column of lists": lambda: Column(X.tolist()),
    "a deque": lambda: collections.deque(X.tolist()),
    "a memoryview": lambda: memoryview(X),
    "another byte order": lambda: X.astype(">f4"),
    "long double": lambda: X.astype(np.longdouble),
    "float16": lambda: X.astype("float16"),
    "bfloat16": lambda: ml_dtypes("bfloat16"),
    "float8": lambda: ml_dtypes("float8_e5m2"),
    "columns first": lambda: np.asfortranarray(X),
    "reversed twice": lambda: X[::-1].copy()[::-1],
    "read only": lambda: np.broadcast_to(X, X.shape),
    "a masked array without a mask": lambda: np.ma.masked_array(X, mask=False),
    **{
        dtype: (lambda dtype=dtype: X.astype(dtype))
        for dtype in ("uint8", "uint16", "uint32", "uint64", "int8")
    },
}


@pytest.mark.parametrize("kind", SAME)
def test_what_is_taken(backend, kind):
    expected, found = trained(backend, X), trained(backend, SAME[kind]())
    assert found[0] == pytest.approx(expected[0], rel=1e-5)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-5)
    assert found[2] == pytest.approx(expected[2], rel=1e-5)


def test_sequences_of_numbers(backend):
    for numbers in (range(32), array.array("f", range(32)), Column(list(range(32)))):
        with pytest.raises(
            ValueError, match=rf"x: .* got a {type(numbers).__name__} of shape \(32,\).*x\[:, None\]"
        ):
            trained(backend, numbers)
        assert trained(backend, X, numbers)[0] == trained(backend, X, np.arange(32.0))[0]


def test_numbers_where_features_are_wanted(backend):
    numbers = np.ones(60, "float32")
    model = dn.Sequential([dn.layers.Dense(1)]).on(backend)
    model.compile("sgd", "mse")
    for _ in range(2):  # before the model is built, and after
        for use in (
            lambda: model.fit(numbers, numbers),
            lambda: model.predict(numbers),
            lambda: model.evaluate(numbers, numbers),
            lambda: model.train_on_batch(numbers, numbers),
            lambda: model.predict_on_batch(numbers),
        ):
            with pytest.raises(ValueError, match=r"of shape \(60,\); x\[:, None\] .* shape \(60, 1\)"):
                use()
        model.fit(numbers[:, None], numbers, verbose=0)
    assert dn.Sequential([dn.layers.Embedding(3, 2)]).on(backend).predict(np.ones(5, "int64")).shape == (5, 2)


def test_targets_with_an_axis_more(backend, caplog):
    model = dn.Sequential([dn.layers.Dense(1)]).on(backend)
    model.compile("sgd", "mse", engine="epoch")
    for y in (Y[:, 0], Y, Y[:, 0]):
        model.fit(X, y, epochs=2, verbose=0)
        model.evaluate(X, y)
    assert "cannot be compiled" not in caplog.text


def test_missing_numbers_are_nan():
    pd = pandas()
    frame = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": [1.0, 2.0]})
    np.testing.assert_array_equal(as_array(frame, "x"), [[1, 1], [np.nan, 2]])


def test_batches_of_frames_and_of_mappings(backend):
    pd = pandas()
    expected = trained(backend, X)[2]
    model = dn.Sequential([dn.layers.Dense(1)]).on(backend)
    model.compile("sgd", "mse")
    model.fit(X, Y, epochs=2, seed=1, verbose=0)
    frames = [(pd.DataFrame(X[i : i + 8]), pd.Series(Y[i : i + 8, 0])) for i in range(0, 32, 8)]
    matrices = [(sparse().csr_matrix(X[i : i + 8]), Column(Y[i : i + 8].tolist())) for i in range(0, 32, 8)]
    for batches in (frames, matrices):
        assert model.evaluate(lambda batches=batches: iter(batches)) == pytest.approx(expected, rel=1e-5)
    named = collections.UserDict(a=X.tolist())
    assert set(as_arrays(named, "x")) == {"a"}


def test_a_sparse_matrix_is_not_made_dense_as_a_whole(backend):
    tall = sparse().random_array(
        (300_000, 4096), density=1e-6, format="csr", dtype="float32", rng=1
    )  # 4.9 GB
    model = dn.Sequential([dn.layers.Dense(1)]).on(backend)
    model.compile("sgd", "mse")
    model.fit(tall, np.zeros(300_000), batch_size=64, steps_per_epoch=3, verbose=0, validation_split=0.1,
              validation_steps=2, validation_batch_size=64)  # fmt: skip
    tall.data[0] = np.nan
    row = int(np.searchsorted(tall.indptr, 0, side="right")) - 1
    with pytest.raises(ValueError, match=f"in 1 of 300000 samples, first in sample {row}"):
        model.fit(tall, np.zeros(300_000), steps_per_epoch=1, check_finite=True)


def text_column():
    return pandas().DataFrame({"a": X[:, 0], "city": ["u"] * 32})


def time_column():
    return pandas().DataFrame({"a": X[:, 0], "when": pandas().date_range("2020", periods=32)})


def category_column():
    return pandas().DataFrame({"a": X[:, 0], "kind": pandas().Categorical(["u"] * 32)})


def ragged():
    return pytest.importorskip("tensorflow").ragged.constant([[1.0]] * 32)


def sparse_tensor():
    return pytest.importorskip("torch").eye(32, 4).to_sparse()


REFUSED = {
    "text": (text_column, r"x\['city'\]: expected numbers, got 'u', a str"),
    "times": (time_column, r"x\['when'\]: expected numbers, got a Series of dtype datetime"),
    "categories": (category_column, r"x\['kind'\]: expected numbers, got 'u'"),
    "ragged": (ragged, "got a RaggedTensor; make them equal with x.to_tensor"),
    "a sparse tensor": (sparse_tensor, "x: expected a dense tensor"),
    "masked": (lambda: np.ma.masked_array(X, X > 0), r"a masked array; fill what is masked: x\.filled"),
    "complex": (lambda: X.astype(complex), "dtype complex128; give real and imaginary parts"),
    "fields": (lambda: np.zeros(32, [("a", "f4"), ("b", "i4")]), "with the fields a, b; give a dictionary"),
    "a missing object": (lambda: np.asarray([[1, None]] * 32, object), "got None, a NoneType, at"),
    "a text": (lambda: "1 2 3", "expected numbers, got a str"),
    "texts": (lambda: ["1"] * 32, "make numbers of the texts"),
    "times of NumPy": (lambda: np.zeros((32, 2), "m8[s]"), "make numbers of the times"),
    "a number": (lambda: np.float32(3), "batch axis"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused(backend, kind):
    make, message = REFUSED[kind]
    with pytest.raises((TypeError, ValueError), match=message):
        trained(backend, make())


VALIDATION = {
    "features": (lambda: (X[:, :3], Y), "expected size 4 on axis -1"),
    "no features": (lambda: (X[:, 0], Y), r"x\[:, None\]"),
    "two inputs": (lambda: ([X, X], Y), "expected one tensor, got a structure of 2"),
    "targets": (lambda: (X, np.ones((32, 3))), "y_true"),
    "batches": (lambda: lambda: iter([(X[:, :2], Y)]), "expected size 4 on axis -1"),
}


@pytest.mark.parametrize("kind", VALIDATION)
def test_wrong_validation_data_is_found_before_the_first_step(backend, kind):
    make, message = VALIDATION[kind]
    model = dn.Sequential([dn.layers.Dense(1)]).on(backend)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=message) as caught:
        model.fit(X, Y, validation_data=make(), verbose=0)
    assert "(in validation_data)" in caught.value.__notes__
    assert model.optimizer.iterations == 0
