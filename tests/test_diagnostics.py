"""Diagnostics: trainings whose result is known beforehand; verdicts on runs that do and do not overfit."""

from __future__ import annotations

import numpy as np
import pytest

import dualnn as dn


def classifier(units=16, rate=0.02, classes=2, activation="tanh", dropout=0.0):
    model = dn.Sequential(
        [dn.layers.Dense(units, activation=activation), dn.layers.Dropout(dropout), dn.layers.Dense(classes)]
    )
    loss = dn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(dn.optimizers.Adam(rate), loss, metrics=["accuracy"])
    return model


def moons(n, noise, seed=0):
    rng = np.random.default_rng(seed)
    angle, y = rng.uniform(0, np.pi, n), rng.integers(0, 2, n)
    upper, lower = np.c_[np.cos(angle), np.sin(angle)], np.c_[1 - np.cos(angle), 0.5 - np.sin(angle)]
    x = np.where(y[:, None] == 1, lower, upper) + rng.normal(0, noise, (n, 2))
    return x.astype("float32"), y


class Constant(dn.Layer):
    """Predicts the same for every input: after one step of SGD(0.5) on all data, the mean of the targets."""

    def build(self, input_shape):
        self.value = self.add_weight((1,), "zeros", name="value")

    def call(self, x):
        return self.nn.zeros_like(x[:, :1]) + self.value


def constant():
    model = dn.Sequential([Constant()])
    model.compile(dn.optimizers.SGD(0.5), "mse", metrics=["mae"], run_eagerly=True)  # one step needs no graph
    return model


class Seeds(dn.callbacks.Callback):
    """Collects the seed of each training."""

    def __init__(self):
        self.seen = []

    def on_train_end(self, logs=None):
        self.seen.append(self.model.seed)


class TestBiasVariance:
    SLOPE, NOISE, N = 2.0, 0.25, 20

    def shrunk(self, share):
        """y = a x, x = ±1: SGD goes this share of the way from 0 to the least squares in one step."""
        model = dn.Sequential([dn.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
        model.compile(dn.optimizers.SGD(share / 2), "mse", run_eagerly=True)
        return model

    def sample(self, rng):
        x = rng.choice([-1.0, 1.0], (self.N, 1))
        return x, self.truth(x) + rng.normal(0, np.sqrt(self.NOISE), x.shape)

    def truth(self, x):
        return self.SLOPE * np.asarray(x)

    @pytest.mark.parametrize("share", [1.0, 0.5])
    def test_shrunken_least_squares(self, backend, share):
        # the weight is share * (a + N(0, noise / n)): bias² = ((1 - share) a)², variance = share² noise / n
        found = dn.diagnostics.bias_variance(
            lambda: self.shrunk(share),
            self.sample,
            x_test=[[-1.0], [1.0]],
            truth=self.truth,
            resamples=60,
            seed=1,
            epochs=1,
            batch_size=self.N,
        )
        variance = share**2 * self.NOISE / self.N
        bias2 = ((1 - share) * self.SLOPE) ** 2
        # what 60 trainings leave uncertain, by theory: a variance of normal numbers, and a squared mean
        of_mean = np.sqrt(variance / 60)
        uncertain = {
            "variance": variance * np.sqrt(2 / 59),
            "bias2": np.sqrt((2 * np.sqrt(bias2) * of_mean) ** 2 + 2 * of_mean**4),
        }
        assert abs(found.variance - variance) < 4 * uncertain["variance"]
        assert abs(found.bias2 - bias2) < 4 * uncertain["bias2"]
        # y - truth of 60 sets of 20
        assert abs(found.noise - self.NOISE) < 4 * self.NOISE * np.sqrt(2 / (60 * self.N))
        assert found.error == pytest.approx(found.bias2 + found.variance + found.noise)
        assert 0.5 < found.standard_errors["variance"] / uncertain["variance"] < 2
        if share < 1:
            assert 0.5 < found.standard_errors["bias2"] / uncertain["bias2"] < 2

    def test_without_a_truth_the_noise_is_in_the_bias(self, backend):
        x, y = self.sample(np.random.default_rng(5))

        def run(noise):
            return dn.diagnostics.bias_variance(
                lambda: self.shrunk(1.0), self.sample, x, y, noise=noise, resamples=5, epochs=1, batch_size=20
            )

        found, told = run(None), run(0.2)
        assert found.noise is None
        assert told.noise == 0.2
        assert told.bias2 == pytest.approx(found.bias2 - 0.2)
        assert told.error == pytest.approx(found.error)
        assert found.error == pytest.approx(found.bias2 + found.variance)
        assert str(found).startswith("bias² and noise")

    def test_bootstrap_of_a_mean(self, backend):
        # The mean of a resample that lacks sample i: n draws from the n - 1 others. Its expectation is their
        # mean, its variance theirs over n.
        rng = np.random.default_rng(2)
        n, resamples = 12, 150
        y = rng.normal(3, 1, (n, 1))
        others = [np.delete(y, i) for i in range(n)]
        variance = np.mean([other.var() for other in others]) / n
        bias2 = np.mean([(other.mean() - y[i, 0]) ** 2 for i, other in enumerate(others)])
        found = dn.diagnostics.bias_variance(
            constant, (np.zeros((n, 1)), y), resamples=resamples, epochs=1, batch_size=n, seed=3
        )
        assert found.noise is None
        assert found.resamples == resamples
        assert abs(found.variance - variance) < 4 * found.standard_errors["variance"] < variance
        assert abs(found.bias2 - bias2) < 4 * found.standard_errors["bias2"] < bias2

    def test_given_test_data_are_predicted_by_every_model(self, backend):
        x, y = np.zeros((8, 1)), np.arange(8.0)
        found = dn.diagnostics.bias_variance(
            constant, (x, y), [[0.0]], [100.0], resamples=4, epochs=1, batch_size=8
        )
        assert found.error == pytest.approx((100 - y.mean()) ** 2, rel=0.1)

    def test_seed(self, backend):
        def run(seed):
            return dn.diagnostics.bias_variance(
                constant, self.sample, truth=self.truth, resamples=3, epochs=1, batch_size=5, seed=seed
            )

        assert run(0) == run(0)
        assert run(0).variance != run(1).variance

    def test_classes_are_refused(self, backend):
        x, y = moons(20, 0.1)
        with pytest.raises(ValueError, match=r"expected targets of shape \(samples, 2\).*one-hot"):
            dn.diagnostics.bias_variance(classifier, (x, y))

    def test_one_hot_classes_are_not(self, backend):
        def build():
            model = dn.Sequential([dn.layers.Dense(2, activation="softmax")])
            model.compile("adam", "mse")
            return model

        x, y = moons(20, 0.1)
        found = dn.diagnostics.bias_variance(build, (x, np.eye(2)[y]), resamples=12, epochs=1)
        assert 0 < found.error < 1

    def test_wrong_arguments(self):
        x, y = np.zeros((8, 1)), np.zeros(8)
        with pytest.raises(ValueError, match="resamples: expected a whole number of at least 3, got 2"):
            dn.diagnostics.bias_variance(constant, (x, y), resamples=2)
        with pytest.raises(ValueError, match="y_test: expected x_test too"):
            dn.diagnostics.bias_variance(constant, (x, y), y_test=y)
        with pytest.raises(ValueError, match="expected y_test too, or the truth"):
            dn.diagnostics.bias_variance(constant, self.sample, x)
        with pytest.raises(ValueError, match="expected arrays \\(x, y\\), or a function"):
            dn.diagnostics.bias_variance(constant, x)
        with pytest.raises(ValueError, match="noise: expected a variance, at least 0"):
            dn.diagnostics.bias_variance(constant, (x, y), noise=-1.0)


def run_of(loss, val_loss):
    return {"loss": list(loss), "val_loss": list(val_loss)}


EPOCHS = np.arange(40)
FALLING = np.exp(-EPOCHS / 4)


class TestVerdictOnCurves:
    def test_overfitting_by_how_much(self):
        # the validation is best in epoch 13 and rises by 0.02 an epoch from there
        validation = 0.5 + 0.02 * np.abs(EPOCHS - 12)
        found = dn.diagnostics.overfitting(run_of(FALLING, validation))
        assert (found.verdict, found.best_epoch, found.since) == ("overfitting", 13, 14)
        # the median of the last three epochs less that of the five in the valley
        assert found.by == pytest.approx(0.02 * (26 - 1))
        assert str(found).startswith("overfitting since epoch 14")
        assert "best in epoch 13" in str(found)

    def test_fitting(self):
        found = dn.diagnostics.overfitting(run_of(FALLING, 0.2 + FALLING))
        assert (found.verdict, found.since) == ("fitting", None)

    def test_a_single_bad_last_epoch_is_no_overfitting(self):
        validation = 0.2 + FALLING
        validation[-1] = 1.2
        assert dn.diagnostics.overfitting(run_of(FALLING, validation)).verdict == "fitting"

    def test_a_rise_of_four_percent_is_no_overfitting(self):
        validation = 1 + FALLING + np.where(EPOCHS > 20, 0.002 * (EPOCHS - 20), 0)
        assert dn.diagnostics.overfitting(run_of(FALLING, validation)).verdict == "fitting"

    def test_a_large_first_loss_hides_nothing(self):
        # from 1000 to 1 and up to 3
        validation = 1000 * np.exp(-EPOCHS) + 1 + 2 * EPOCHS / 39
        assert dn.diagnostics.overfitting(run_of(1000 * np.exp(-EPOCHS), validation)).verdict == "overfitting"

    def test_both_still_falling(self):
        found = dn.diagnostics.overfitting(run_of(1 - EPOCHS / 100, 1.1 - EPOCHS / 100))
        assert found.verdict == "underfitting"
        assert "train longer" in found.evidence

    @pytest.mark.parametrize("training", [np.ones(40), 1 + EPOCHS / 40])
    def test_nothing_learned(self, training):
        found = dn.diagnostics.overfitting(run_of(training, training))
        assert found.verdict == "underfitting"
        assert "nothing was learned" in found.evidence

    def test_what_a_better_model_reached(self):
        history = run_of(0.5 + FALLING / 2, 0.5 + FALLING / 2)
        assert dn.diagnostics.overfitting(history).verdict == "fitting"
        assert dn.diagnostics.overfitting(history, reachable=0.49).verdict == "fitting"
        assert dn.diagnostics.overfitting(history, reachable=0.1).verdict == "underfitting"

    def test_accuracy_is_better_when_it_rises(self):
        history = {"accuracy": list(1 - FALLING), "val_accuracy": list(0.9 - 0.01 * np.abs(EPOCHS - 10))}
        found = dn.diagnostics.overfitting(history, "accuracy")
        assert (found.verdict, found.best_epoch) == ("overfitting", 11)
        assert found.by > 0

    @pytest.mark.parametrize("epochs", [8, 30, 100])
    def test_false_alarms_on_noise_are_rare(self, epochs):
        rng, trials = np.random.default_rng(0), 200
        curve = np.exp(-np.arange(epochs) / (epochs / 15))
        alarms = sum(
            dn.diagnostics.overfitting(run_of(curve, 0.5 + rng.normal(0, 0.05, epochs))).since is not None
            for _ in range(trials)
        )
        assert alarms / trials < 0.07  # the 3 % of the docstring, and three standard deviations of 200 trials

    def test_refusals(self):
        with pytest.raises(ValueError, match=r"no val_loss.*validation_split or validation_data"):
            dn.diagnostics.overfitting({"loss": [1.0] * 9})
        with pytest.raises(ValueError, match="at least 5 epochs"):
            dn.diagnostics.overfitting(run_of([1.0] * 4, [1.0] * 4))
        with pytest.raises(ValueError, match="after each of the 8 epochs, got 4"):
            dn.diagnostics.overfitting(run_of([1.0] * 8, [1.0] * 4))
        with pytest.raises(ValueError, match="val_loss is not finite in epoch 3"):
            dn.diagnostics.overfitting(run_of([1.0] * 6, [1.0, 1.0, np.nan, 1.0, 1.0, 1.0]))
        with pytest.raises(ValueError, match="did you mean 'accuracy'"):
            dn.diagnostics.overfitting({"accuracy": [1.0] * 9, "val_accuracy": [1.0] * 9}, "acuracy")


class TestVerdictOnTrainings:
    @pytest.mark.parametrize("seed", [0, 1])
    def test_a_large_network_on_few_noisy_samples_overfits(self, backend, seed):
        x, y = moons(100, noise=0.6, seed=seed)
        model = classifier(units=64, activation="relu")
        history = model.fit(x, y, epochs=80, validation_split=0.4, seed=seed, verbose=0)
        found = dn.diagnostics.overfitting(history)
        assert found.verdict == "overfitting"
        assert found.since < 30
        assert found.by > 0.1

    @pytest.mark.parametrize("seed", [0, 1])
    def test_a_small_network_on_many_samples_fits(self, backend, seed):
        x, y = moons(1000, noise=0.2, seed=seed)
        model = classifier(units=8)
        history = model.fit(x, y, epochs=50, batch_size=64, validation_split=0.4, seed=seed, verbose=0)
        assert dn.diagnostics.overfitting(history).verdict == "fitting"
        assert dn.diagnostics.overfitting(history, "accuracy").verdict == "fitting"

    def test_a_slow_network_underfits(self, backend):
        x, y = moons(500, noise=0.2)
        model = classifier(rate=1e-4)
        history = model.fit(x, y, epochs=20, batch_size=64, validation_split=0.4, seed=0, verbose=0)
        assert dn.diagnostics.overfitting(history).verdict == "underfitting"


class TestLearningCurve:
    def test_known_answer(self, backend):
        # The model is the mean of the targets it saw, so its training loss is their variance; its validation
        # loss is the variance of the validation's targets and the squared distance of the means.
        y = np.arange(20.0)[:, None]
        curve = dn.diagnostics.learning_curve(
            constant,
            np.zeros((20, 1)),
            y,
            sizes=[1, 20],
            repeats=2,
            validation_data=(np.zeros((2, 1)), np.array([[0.0], [10.0]])),
            epochs=1,
            batch_size=20,
        )
        assert curve.sizes.tolist() == [1, 20]
        np.testing.assert_allclose(curve.training, [[0, 0], [y.var(), y.var()]], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(curve.validation[1], 25 + (y.mean() - 5) ** 2, rtol=1e-5)
        assert curve.validation[0, 0] != curve.validation[0, 1]  # each repeat has samples of its own

    def test_parts_are_prefixes_and_the_validation_stays(self, backend, monkeypatch):
        trained_on, measured_on = [], []
        fit, evaluate = dn.Model.fit, dn.Model.evaluate

        def watched_fit(self, x, y, **arguments):
            if arguments.get("epochs") != 0:
                trained_on.append((set(np.ravel(x)), arguments["seed"]))
            return fit(self, x, y, **arguments)

        def watched_evaluate(self, x, y, **arguments):
            measured_on.append(set(np.ravel(x)))
            return evaluate(self, x, y, **arguments)

        monkeypatch.setattr(dn.Model, "fit", watched_fit)
        monkeypatch.setattr(dn.Model, "evaluate", watched_evaluate)
        x = np.arange(50.0)[:, None]
        dn.diagnostics.learning_curve(constant, x, x, sizes=[0.25, 1.0], repeats=2, seed=5)
        (small, a), (small_again, b), (whole, c), (whole_again, d) = trained_on
        assert (a, b, c, d) == (5, 6, 5, 6)
        assert len(small) == 10
        assert len(whole) == 40
        assert small < whole == whole_again
        assert small != small_again
        assert measured_on[2::2] == [set(np.ravel(x)) - whole] * 4  # after the probe: training, validation
        assert measured_on[1::2] == [small, small_again, whole, whole]

    def test_dropout_is_off_in_both(self, backend):
        # on the same data both must be the same, which with dropout on they would not be
        x, y = moons(60, 0.2)
        curve = dn.diagnostics.learning_curve(
            lambda: classifier(dropout=0.9), x, y, sizes=[1.0], repeats=1, validation_data=(x, y), epochs=1
        )
        np.testing.assert_allclose(curve.training, curve.validation, rtol=1e-6)

    def test_a_metric(self, backend):
        x, y = moons(60, 0.2)
        curve = dn.diagnostics.learning_curve(classifier, x, y, sizes=[30], metric="accuracy", epochs=1)
        assert curve.metric == "accuracy"
        assert curve.validation.shape == (1, 3)
        assert ((curve.validation >= 0) & (curve.validation <= 1)).all()

    def test_several_inputs_and_weights(self, backend):
        def build():
            a, b = dn.Input((1,), name="a"), dn.Input((1,), name="b")
            model = dn.Model({"a": a, "b": b}, dn.layers.Dense(1)(dn.layers.Concatenate()([a, b])))
            model.compile("sgd", "mse")
            return model

        x = {"a": np.zeros((10, 1)), "b": np.ones((10, 1))}
        curve = dn.diagnostics.learning_curve(
            build, x, np.ones(10), sizes=[5], repeats=1, sample_weight=np.zeros(10), epochs=1
        )
        assert curve.training.item() == curve.validation.item() == 0

    def test_lines_for_verbose_2(self, backend, capsys):
        dn.diagnostics.learning_curve(
            constant, np.zeros((9, 1)), np.zeros(9), sizes=[2], repeats=2, verbose=2, epochs=1
        )
        assert capsys.readouterr().out == (
            "learning curve: training 1 of 2\nlearning curve: training 2 of 2\n"
        )

    def test_quiet_where_there_is_no_terminal(self, backend, capsys):
        dn.diagnostics.learning_curve(constant, np.zeros((9, 1)), np.zeros(9), sizes=[2], repeats=1, epochs=1)
        assert capsys.readouterr().out == ""

    def test_wrong_arguments(self, backend):
        inputs = np.zeros((10, 1))

        def curve(build=constant, x=inputs, **arguments):
            return dn.diagnostics.learning_curve(build, x, np.zeros(10), **arguments)

        for sizes in ([9], [0], [1.5], []):
            with pytest.raises(ValueError, match="whole numbers from 1 to 8"):
                curve(sizes=sizes)
        with pytest.raises(ValueError, match=r"unknown metric 'msa'; did you mean 'mae'\?"):
            curve(metric="msa")
        with pytest.raises(ValueError, match=r"validation_split=1.0 of 10 samples leaves a part empty"):
            curve(validation_split=1.0)
        with pytest.raises(TypeError, match="does it end with a return"):
            curve(lambda: None)
        with pytest.raises(TypeError, match="expected a function that returns a compiled model"):
            curve(constant())
        with pytest.raises(TypeError, match="yields batches: collect them first"):
            curve(x=iter([]))
        with pytest.raises(RuntimeError, match="call compile"):
            curve(lambda: dn.Sequential([Constant()]))
        with pytest.raises(ValueError, match="repeats: expected a whole number of at least 1"):
            curve(repeats=0)

    def test_a_model_that_is_used_twice(self, backend):
        model = constant()
        with pytest.raises(ValueError, match="has weights already; each training needs a new one"):
            dn.diagnostics.learning_curve(lambda: model, np.zeros((10, 1)), np.zeros(10), epochs=1)


class TestValidationCurve:
    def build(self, share):
        # one step of SGD goes this share of the way to the mean, which is 1
        model = dn.Sequential([Constant()])
        model.compile(dn.optimizers.SGD(share / 2), "mse", run_eagerly=True)
        return model

    def test_known_answer(self, backend):
        shares = [2.5, 0.25, 0.75]
        curve = dn.diagnostics.validation_curve(
            self.build, shares, np.zeros((8, 1)), np.ones(8), name="share", epochs=1, repeats=2
        )
        expected = (1 - np.array(shares)) ** 2
        np.testing.assert_allclose(curve.validation, np.stack([expected] * 2, axis=1), rtol=1e-5)
        np.testing.assert_allclose(curve.training, curve.validation, rtol=1e-5)
        assert (curve.name, curve.values, curve.best) == ("share", shares, 0.75)

    def test_the_best_of_accuracies_is_the_largest(self, backend):
        x, y = moons(200, 0.1)
        curve = dn.diagnostics.validation_curve(
            lambda rate: classifier(rate=rate),
            [1e-9, 0.05],
            x,
            y,
            metric="accuracy",
            epochs=10,
            validation_data=moons(200, 0.1, seed=1),
        )
        assert curve.best == 0.05
        assert curve.validation[1, 0] > curve.validation[0, 0]

    def test_a_training_that_diverges_is_the_worst(self, backend):
        curve = dn.diagnostics.validation_curve(
            self.build, [1e30, 0.5], np.zeros((8, 1)), np.ones(8), epochs=9
        )
        assert not np.isfinite(curve.validation[0, 0])
        assert curve.best == 0.5

    def test_no_values(self):
        with pytest.raises(ValueError, match="at least one value"):
            dn.diagnostics.validation_curve(self.build, [], np.zeros((8, 1)), np.zeros(8))


class TestCrossValidation:
    def test_known_answer(self, backend):
        y = np.arange(10.0)
        found = dn.diagnostics.cross_validate(constant, np.zeros((10, 1)), y, epochs=1, batch_size=10)
        for fold in range(5):
            held_out = found.fold_of == fold
            assert held_out.sum() == 2
            expected = np.mean((y[held_out] - y[~held_out].mean()) ** 2)
            assert found.scores["loss"][fold] == pytest.approx(expected, rel=1e-5)
            assert found.histories[fold].history["val_loss"][-1] == pytest.approx(expected, rel=1e-5)
        assert found.mean["loss"] == pytest.approx(found.scores["loss"].mean())
        assert found.std["mae"] == pytest.approx(np.std(found.scores["mae"], ddof=1))
        assert str(found).startswith("5 folds: loss ")

    def test_each_fold_has_its_share_of_each_class(self, backend):
        y = np.repeat([0, 1, 2], [20, 9, 4])
        found = dn.diagnostics.cross_validate(
            lambda: classifier(classes=3), np.zeros((33, 2)), y, folds=4, epochs=1
        )
        for label, (least, most) in {0: (5, 5), 1: (2, 3), 2: (1, 1)}.items():
            counts = np.bincount(found.fold_of[y == label], minlength=4)
            assert least <= counts.min() <= counts.max() <= most
        assert np.ptp(np.bincount(found.fold_of)) <= 1

    def test_numbers_are_not_classes(self, backend):
        # each is there once, so it cannot be in every fold; dealt out in order, neighbours would part
        found = dn.diagnostics.cross_validate(constant, np.zeros((40, 1)), np.arange(40), folds=2, epochs=1)
        assert np.bincount(found.fold_of).tolist() == [20, 20]
        assert (found.fold_of[::2] == found.fold_of[1::2]).any()

    def test_not_stratified(self, backend):
        y = np.repeat([0, 1], 30)
        found = dn.diagnostics.cross_validate(
            classifier, np.zeros((60, 2)), y, folds=2, stratified=False, seed=1, epochs=1
        )
        assert np.bincount(found.fold_of).tolist() == [30, 30]
        assert np.bincount(found.fold_of[:30]).tolist() != [15, 15]

    def test_seeds(self, backend):
        seeds = Seeds()
        dn.diagnostics.cross_validate(
            constant, np.zeros((6, 1)), np.zeros(6), folds=3, seed=7, epochs=1, callbacks=seeds
        )
        assert seeds.seen[-3:] == [7, 8, 9]

    def test_validation_of_ones_own(self, backend):
        # a share of the training part is then what is validated on, not the fold
        found = dn.diagnostics.cross_validate(
            constant, np.zeros((12, 1)), np.arange(12.0), folds=2, epochs=1, validation_split=0.5
        )
        assert found.histories[0].history["val_loss"][-1] != pytest.approx(found.scores["loss"][0])

    def test_wrong_arguments(self, backend):
        x, y = np.zeros((4, 1)), np.zeros(4)
        with pytest.raises(ValueError, match="folds: expected at most 4"):
            dn.diagnostics.cross_validate(constant, x, y, folds=5)
        with pytest.raises(ValueError, match="folds: expected a whole number of at least 2"):
            dn.diagnostics.cross_validate(constant, x, y, folds=1)
        with pytest.raises(ValueError, match="one label a sample"):
            dn.diagnostics.cross_validate(constant, x, np.zeros((4, 2)), folds=2, stratified=True)
        with pytest.raises(ValueError, match="expected True, False or 'auto'"):
            dn.diagnostics.cross_validate(constant, x, y, folds=2, stratified="yes")


def test_what_is_learned_by_heart_is_overfitting():
    falling, level = [2.0 * 0.8**e for e in range(30)], [4.5 + 0.05 * (-1) ** e for e in range(30)]
    found = dn.diagnostics.overfitting({"loss": falling, "val_loss": level})
    assert (found.verdict, found.since) == ("overfitting", 1)
    assert "holds for the training data only" in found.evidence
    short = dn.diagnostics.overfitting({"loss": [2.0 - 0.02 * e for e in range(30)], "val_loss": level})
    assert short.verdict != "overfitting"
