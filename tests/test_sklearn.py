"""Networks as estimators of scikit-learn: its own checks, its tools, and what training adds to them."""

from __future__ import annotations

import copy
import functools
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

import dualnn as dn
from dualnn.sklearn import Classifier, Regressor
from tests.conftest import BACKENDS

# The checks ask for some 150 trainings of each estimator; eager ones need no compiler.
QUICK = {"hidden": 16, "epochs": 10, "batch_size": 64, "learning_rate": 0.05, "engine": "eager"}
FOLDS = StratifiedKFold(5, shuffle=True, random_state=0)


@pytest.fixture
def flowers():
    return load_iris(return_X_y=True)


def small(estimator=Classifier, **settings):
    return estimator(**{"hidden": 8, "epochs": 3, "random_state": 0, "engine": "eager", **settings})


# ---------------------------------------------------------------------- scikit-learn's own checks


@parametrize_with_checks([Classifier(**QUICK), Regressor(**QUICK)])
def test_scikit_learns_checks(estimator, check, backend):
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [Classifier(), Regressor()])
def test_scikit_learns_checks_with_the_default_parameters(estimator, backend):
    results = check_estimator(estimator, on_skip=None)  # raises the first failure
    skipped = [result["check_name"] for result in results if result["status"] != "passed"]
    assert skipped in ([], ["check_array_api_input"])  # which runs where SCIPY_ARRAY_API is set


# ---------------------------------------------------------------------- its tools


def test_a_pipeline_is_cross_validated(backend, flowers):
    pipeline = make_pipeline(StandardScaler(), Classifier(learning_rate=0.01, epochs=30, random_state=0))
    assert cross_val_score(pipeline, *flowers, cv=FOLDS).mean() >= 0.93


def test_predictions_are_cross_validated(backend, flowers):
    X, y = flowers
    pipeline = make_pipeline(StandardScaler(), small(epochs=20, learning_rate=0.02))
    probabilities = cross_val_predict(pipeline, X, y, cv=FOLDS, method="predict_proba")
    assert probabilities.shape == (150, 3)
    assert np.mean(probabilities.argmax(axis=1) == y) >= 0.93


def test_a_grid_is_searched(backend, flowers):
    grid = {"network__hidden": [(), (16,), (16, 8)], "network__learning_rate": [1e-6, 0.05]}
    pipeline = Pipeline([("scaler", StandardScaler()), ("network", small(epochs=10))])
    search = GridSearchCV(pipeline, grid, cv=3).fit(*flowers)
    scores = search.cv_results_["mean_test_score"]
    rates = np.asarray([settings["network__learning_rate"] for settings in search.cv_results_["params"]])
    # at a rate of 1e-6 the networks stay what they are by chance
    assert scores[rates == 0.05].min() > scores[rates == 1e-6].max()
    assert search.best_params_["network__learning_rate"] == 0.05
    widths = [layer.units for layer in search.best_estimator_["network"].model_.layers]
    assert widths == [*search.best_params_["network__hidden"], 3]


def wide(n_features, n_outputs, width):
    return dn.Sequential([dn.layers.Dense(width, activation="relu"), dn.layers.Dense(n_outputs)])


def test_a_grid_of_models_of_ones_own_is_searched(backend, flowers):
    X, y = flowers
    builds = [functools.partial(wide, width=width) for width in (1, 16)]
    search = GridSearchCV(small(epochs=20, learning_rate=0.05), {"build": builds}, cv=3).fit(X - X.mean(0), y)
    assert search.best_params_["build"] is builds[1]
    assert search.best_estimator_.model_.layers[0].units == 16


@pytest.mark.slow
def test_processes_share_the_work(backend, flowers):
    pipeline = make_pipeline(StandardScaler(), small(epochs=10, learning_rate=0.05, backend=backend))
    alone = cross_val_score(pipeline, *flowers, cv=4)
    together = cross_val_score(pipeline, *flowers, cv=4, n_jobs=2)
    np.testing.assert_array_equal(alone, together)


def test_a_regressor_learns_a_function(backend):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(400, 2))
    y = 100 + 50 * X[:, 0] * X[:, 1]  # what no linear function comes near
    network = Regressor(hidden=(32, 32), learning_rate=0.01, epochs=60, random_state=0)
    regressor = TransformedTargetRegressor(network, transformer=StandardScaler())
    assert regressor.fit(X[:300], y[:300]).score(X[300:], y[300:]) > 0.98
    linear = TransformedTargetRegressor(clone(network).set_params(hidden=()), transformer=StandardScaler())
    assert linear.fit(X[:300], y[:300]).score(X[300:], y[300:]) < 0.1


def test_a_regressor_has_one_output_or_several(backend):
    X = np.random.default_rng(0).uniform(-1, 1, size=(100, 3))
    weights = np.asarray([[1.0, 2.0], [0.0, -1.0], [3.0, 0.5]])
    linear = small(Regressor, hidden=(), learning_rate=0.05, epochs=100, engine="auto")
    np.testing.assert_allclose(linear.fit(X, X @ weights).predict(X), X @ weights, atol=1e-3)
    np.testing.assert_allclose(linear.model_.get_weights()[0], weights, atol=1e-3)
    assert small(Regressor).fit(X, X[:, 0]).predict(X).shape == (100,)
    assert small(Regressor).fit(X, X[:, :1]).predict(X).shape == (100,)


def test_what_they_are():
    assert is_classifier(Classifier())
    assert is_regressor(Regressor())
    settings = {"hidden": [3, 2], "dropout": 0.5, "callbacks": [dn.callbacks.TerminateOnNaN()], "verbose": 2}
    classifier = Classifier(**settings)
    assert all(classifier.get_params()[name] is value for name, value in settings.items())
    twin = clone(classifier.set_params(dropout=0.25))
    assert (twin.hidden, twin.dropout) == ([3, 2], 0.25)


# ---------------------------------------------------------------------- both backends, and random numbers


def test_both_backends_predict_the_same(flowers):
    # 150 samples in batches of 32 are 5 steps an epoch, so 20 epochs are 100 steps. In float64 a rounding is
    # 1.1e-16; Adam divides by sqrt(v) + 1e-7, so where a gradient vanishes it magnifies its rounding by at
    # most 1e7, times its rate of 1e-3: weights differ by at most 100 * 1.1e-16 * 1e7 * 1e-3 = 1.1e-10.
    # A logit sums 64 products of a weight and a hidden unit, each of these of order one and a sum of 4, so
    # it is off by at most 64 * 5 * 1.1e-10 = 3.5e-8, and a probability by a quarter of what two logits are.
    X, y = flowers
    X = StandardScaler().fit_transform(X)
    models = [
        Classifier(backend=backend, epochs=20, dropout=0.1, random_state=3).fit(X, y) for backend in BACKENDS
    ]
    probabilities = [model.predict_proba(X) for model in models]
    np.testing.assert_allclose(*probabilities, rtol=0, atol=0.25 * 2 * 3.5e-8)
    assert [model.model_.backend for model in models] == list(BACKENDS)
    assert models[0].score(X, y) > 0.8
    assert np.ptp(probabilities[0], axis=0).min() > 0.5  # so it is no agreement of constants


@pytest.mark.parametrize("estimator", [Classifier, Regressor])
def test_one_random_state_is_one_result(backend, flowers, estimator):
    fitted = small(estimator, dropout=0.3, validation_split=0.2).fit(*flowers)
    first = fitted.model_.get_weights()
    for again in (fitted.fit(*flowers), clone(fitted).fit(*flowers)):
        for a, b in zip(first, again.model_.get_weights(), strict=True):
            assert a.tobytes() == b.tobytes()
    other = clone(fitted).set_params(random_state=1).fit(*flowers)
    assert not np.array_equal(first[0], other.model_.get_weights()[0])


def test_random_states_are_drawn_from(backend, flowers):
    def weights(random_state):
        classifier = small(random_state=random_state)
        return [classifier.fit(*flowers).model_.get_weights()[0] for _ in range(2)]

    first, second = weights(np.random.RandomState(0))
    again, _ = weights(np.random.RandomState(0))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, again)
    first, second = weights(None)
    assert not np.array_equal(first, second)


# ---------------------------------------------------------------------- labels, weights, dtypes


def test_labels_of_any_kind(backend, flowers):
    X, y = flowers
    kinds = [
        np.asarray(["setosa", "versicolor", "virginica"])[y],
        np.asarray(["b", "a", "c"], dtype=object)[y],
        y * 10 - 5,
        y == 1,
    ]
    for labels in kinds:
        classifier = small(epochs=10, learning_rate=0.05).fit(X, labels)
        np.testing.assert_array_equal(classifier.classes_, np.unique(labels))
        predictions = classifier.predict(X)
        assert predictions.dtype == classifier.classes_.dtype
        assert np.mean(predictions == labels) > 0.6
        assert classifier.predict_proba(X).shape == (150, len(classifier.classes_))


def test_weights_are_repetitions(backend):
    # scikit-learn checks it in a single batch; here it is in the mean over many
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 1))
    y = rng.uniform(size=400) < 0.5  # nothing to learn but how frequent the classes are
    classifier = small(hidden=(), epochs=60, learning_rate=0.02, engine="auto")
    classifier.fit(X, y, sample_weight=np.where(y, 9.0, 1.0))
    expected = 9 * y.sum() / (9 * y.sum() + (~y).sum())
    assert classifier.predict_proba(X)[:, 1].mean() == pytest.approx(expected, abs=0.03)


def test_only_ratios_of_weights_count(backend, flowers):
    X, y = flowers
    weights = np.linspace(0, 1, 150)
    # powers of two, so that nothing is rounded
    first, second = (small().fit(X, y, sample_weight=weights * factor) for factor in (1, 1024))
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert not np.array_equal(first.predict_proba(X), small().fit(X, y).predict_proba(X))


def test_it_computes_in_the_dtype_of_the_inputs(backend, flowers):
    X, y = flowers
    for dtype, expected in (("float32", "float32"), ("float64", "float64"), ("int64", "float64")):
        classifier = small().fit(X.astype(dtype), y)
        assert classifier.model_.dtype == expected
        assert classifier.predict_proba(X.astype(dtype)).dtype == expected
    assert small(dtype="float32").fit(X, y).model_.dtype == "float32"


# ---------------------------------------------------------------------- models of one's own


def compiled(n_features, n_outputs, loss, units, activation=None):
    model = dn.Sequential([dn.layers.Dense(16, "relu"), dn.layers.Dense(units, activation)])
    model.compile(dn.optimizers.Adam(0.05), loss, engine="eager")
    return model


@pytest.mark.parametrize(
    ("loss", "units", "activation"),
    [
        (dn.losses.SparseCategoricalCrossentropy(from_logits=True), 2, None),
        ("sparse_categorical_crossentropy", 2, "softmax"),
        (dn.losses.CategoricalCrossentropy(from_logits=True), 2, None),
        ("categorical_crossentropy", 2, "softmax"),
        (dn.losses.BinaryCrossentropy(from_logits=True), 1, None),
        ("binary_crossentropy", 1, "sigmoid"),
    ],
)
def test_the_loss_says_what_the_outputs_are(backend, flowers, loss, units, activation):
    X, y = flowers[0][50:] - flowers[0][50:].mean(0), flowers[1][50:]
    build = functools.partial(compiled, loss=loss, units=units, activation=activation)
    classifier = small(build=build, epochs=10).fit(X, y)
    assert classifier.score(X, y) > 0.9
    outputs = classifier.model_.predict(X, verbose=0)
    if activation is None:
        logits = outputs[:, 1] - outputs[:, 0] if units == 2 else outputs[:, 0]
        np.testing.assert_allclose(classifier.decision_function(X), logits, rtol=1e-12)
        expected = 1 / (1 + np.exp(-logits))
    else:
        expected = outputs[:, -1]
    np.testing.assert_allclose(classifier.predict_proba(X)[:, 1], expected, rtol=1e-12)
    np.testing.assert_allclose(classifier.predict_proba(X).sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(classifier.decision_function(X) > 0, classifier.predict(X) == 2)


def test_a_model_given_twice_is_trained_once_each_time(backend, flowers):
    model = dn.Sequential([dn.layers.Dense(3)])
    classifier = small(build=lambda n_features, n_outputs: model)
    first = classifier.fit(*flowers).model_
    assert classifier.fit(*flowers).model_ is not first
    assert classifier.n_iter_ == 3
    assert not model.built


def test_images_are_reshaped_by_the_model(backend):
    images, labels = dn.datasets.digits().x_train[:200], dn.datasets.digits().y_train[:200]

    def build(n_features, n_outputs):
        return dn.Sequential(
            [
                dn.layers.Reshape((8, 8, 1)),
                dn.layers.Conv2D(8, 3, activation="relu"),
                dn.layers.Flatten(),
                dn.layers.Dense(n_outputs),
            ]
        )

    classifier = small(build=build, epochs=15, learning_rate=0.02)
    assert classifier.fit(images.reshape(200, 64), labels).score(images.reshape(200, 64), labels) > 0.9


# ---------------------------------------------------------------------- validation, callbacks, warm starts


class Count(dn.callbacks.Callback):
    epochs = 0

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1


def test_a_share_of_each_class_is_held_out(backend, flowers):
    # the flowers are sorted by class: held out as the last share, all would be of one, and never met
    X, y = flowers
    classifier = small(validation_split=0.2, epochs=20, learning_rate=0.05)
    classifier.fit(StandardScaler().fit_transform(X), y, sample_weight=np.linspace(1, 2, 150))
    history = classifier.history_.history
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history["val_accuracy"][-1] > 0.8
    correct = 30 * np.asarray(history["val_accuracy"])  # 30 flowers are a fifth
    np.testing.assert_allclose(correct, np.round(correct), atol=1e-9)


def test_callbacks_are_copied(backend, flowers):
    stop = dn.callbacks.EarlyStopping("loss", patience=1, min_delta=1e9)
    classifier = small(callbacks=[Count(), stop], epochs=9).fit(*flowers)
    assert classifier.n_iter_ == 2
    assert classifier.callbacks_[0].epochs == 2
    assert classifier.callbacks[0].epochs == 0
    assert not hasattr(stop, "best")
    assert small(callbacks=Count()).fit(*flowers).callbacks_[0].epochs == 3


@pytest.mark.parametrize("estimator", [Classifier, Regressor])
def test_warm_starts_train_further(backend, flowers, estimator):
    X, y = flowers
    whole = small(estimator, epochs=6, dropout=0.2).fit(X, y)
    parts = small(estimator, epochs=4, dropout=0.2, warm_start=True).fit(X, y)
    parts.set_params(epochs=2).fit(X, y)
    assert (whole.n_iter_, parts.n_iter_) == (6, 6)
    assert parts.history_.epoch == [4, 5]
    for a, b in zip(whole.model_.get_weights(), parts.model_.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    with pytest.raises(ValueError, match="warm_start trains further on"):
        parts.fit(X, np.eye(3)[y] if estimator is Regressor else y + 1)
    with pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 4"):
        parts.fit(X[:, :3], y)


# ---------------------------------------------------------------------- pickles and copies


def stateful(n_features, n_outputs):
    model = dn.Sequential(
        [
            dn.layers.Dense(8, activation="relu", kernel_regularizer="l2"),
            dn.layers.BatchNormalization(),
            dn.layers.Dropout(0.2),
            dn.layers.Dense(n_outputs, activation="softmax"),
        ]
    )
    model.compile("rmsprop", dn.losses.CategoricalCrossentropy(), metrics=["accuracy"], engine="eager")
    return model


def pickled(estimator):
    return pickle.loads(pickle.dumps(estimator))


@pytest.mark.parametrize("twin_of", [copy.deepcopy, pickled])
@pytest.mark.parametrize("build", [None, stateful])
def test_pickles_and_copies_are_the_same_and_go_on_alike(backend, flowers, build, twin_of):
    X, y = flowers
    stop = dn.callbacks.EarlyStopping(patience=99, restore_best_weights=True)
    settings = {"callbacks": [stop], "validation_split": 0.2, "dropout": 0.2, "warm_start": True}
    classifier = small(build=build, **settings).fit(X, y)
    twin = twin_of(classifier.set_params(hidden=99))  # what it was built from has changed since
    assert twin.model_ is not classifier.model_
    assert twin.history_.model is twin.model_
    for _ in range(2):
        np.testing.assert_array_equal(twin.predict_proba(X), classifier.predict_proba(X))
        nn, states = classifier.model_.nn, [model.state_paths for model in (classifier.model_, twin.model_)]
        assert list(states[0]) == list(states[1])
        for a, b in zip(*(state.values() for state in states), strict=True):
            assert a is not b
            assert nn.to_numpy(a).tobytes() == nn.to_numpy(b).tobytes()
        # one more training: the optimizer's state, the masks and the shuffles have come along, too
        classifier.fit(X, y)
        twin.fit(X, y)
    assert twin.n_iter_ == 9


def test_a_shallow_copy_shares_the_model(backend, flowers):
    classifier = small().fit(*flowers)
    twin = copy.copy(classifier)
    assert twin.model_ is classifier.model_
    assert twin.set_params(epochs=9).epochs != classifier.epochs


def test_a_pickle_is_read_by_another_process(backend, flowers, tmp_path):
    X, y = flowers
    classifier = small().fit(X, y)
    (tmp_path / "classifier").write_bytes(pickle.dumps(classifier))
    np.save(tmp_path / "x.npy", X)
    program = (
        "import pickle, sys, numpy as np; folder = sys.argv[1];"
        "classifier = pickle.load(open(folder + '/classifier', 'rb'));"
        "np.save(folder + '/p.npy', classifier.predict_proba(np.load(folder + '/x.npy')));"
        "print(classifier.model_.backend)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == [backend]
    np.testing.assert_array_equal(np.load(tmp_path / "p.npy"), classifier.predict_proba(X))


# ---------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs must be a positive whole number, got 0"),
        ({"batch_size": 2.5}, "batch_size must be a positive whole number, got 2.5"),
        ({"validation_split": 1.5}, "validation_split must be a share of at least 0 and less than 1"),
        ({"hidden": (4, -1)}, "units must be a positive whole number, got -1"),
        ({"activation": "rleu"}, "did you mean 'relu'"),
        ({"build": lambda n, m: dn.Sequential([dn.layers.Dense(10)])}, r"expected .* shape \(None, 3\), got"),
        ({"build": lambda n, m: compiled(n, m, None, 3)}, "compiled with a loss, or not compiled"),
        ({"build": lambda n, m: compiled(n, m, ["mse", "mse"], 3)}, "one output and one loss, got 2 losses"),
        ({"build": lambda n, m: compiled(n, m, "binary_crossentropy", 1)}, "2 classes apart, got 3 classes"),
    ],
)
def test_errors_of_parameters_come_in_fit(backend, flowers, settings, message):
    with pytest.raises(ValueError, match=message):
        small(**settings).fit(*flowers)


def test_errors_of_types(backend, flowers):
    with pytest.raises(TypeError, match=r"expected build.* to return a model"):
        small(build=lambda n_features, n_outputs: None).fit(*flowers)
    with pytest.raises(TypeError, match="expected callbacks, got 3"):
        small(callbacks=[3]).fit(*flowers)


def test_errors_of_data(backend, flowers):
    X, y = flowers
    with pytest.raises(ValueError, match=r"at least 2 classes, got only 1 class: .*0"):
        small().fit(X[:50], y[:50])
    with pytest.raises(ValueError, match=r"sample_weight: expected no negative numbers, got -1\.0"):
        small().fit(X, y, sample_weight=-np.ones(150))
    with pytest.raises(NotFittedError):
        Regressor().predict(X)


def test_a_fit_that_failed_leaves_no_fitted_estimator(backend, flowers):
    classifier = small(activation="rleu")
    with pytest.raises(ValueError, match="unknown activation"):
        classifier.fit(*flowers)
    with pytest.raises(NotFittedError):
        classifier.predict(flowers[0])


def test_it_says_how_to_install_scikit_learn():
    program = "import sys; sys.modules['sklearn'] = None; import dualnn as dn; dn.sklearn"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.rstrip().endswith("try: pip install 'dualnn[data]'")
