"""Figures: what they show of what they are given. How they look was looked at."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import dualnn as dn
from dualnn import plots


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def legend(figure):
    owner = figure.legends[0] if figure.legends else figure.axes[0].get_legend()
    return [text.get_text() for text in owner.get_texts()]


@pytest.fixture(autouse=True)
def _drawn(tmp_path, monkeypatch):
    """Every figure of a test is drawn, so that what only fails while drawing does."""
    figures, make = [], plots.figure

    def remembered(*size):
        figures.append(make(*size))
        return figures[-1]

    for name, module in list(sys.modules.items()):
        if name.startswith("dualnn.plots.") and hasattr(module, "figure"):
            monkeypatch.setattr(module, "figure", remembered)
    yield
    for figure in figures:
        figure.savefig(tmp_path / "figure.png")


def run(**history):
    record = dn.History()
    for epoch in range(len(history["loss"])):
        record.on_epoch_end(epoch, {name: values[epoch] for name, values in history.items()})
    return record


def test_no_figure_library_is_imported_before_a_figure_is_made():
    code = "import sys, dualnn as dn; dn.plots, dn.diagnostics; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_nothing_is_shown_or_left_open():
    import matplotlib.pyplot as plt

    plots.history(run(loss=[2.0, 1.0]))
    assert plt.get_fignums() == []


class TestHistory:
    def test_one_run_with_any_metrics(self):
        record = run(loss=[2.0, 1.0], mae=[1.0, 0.5], val_loss=[3.0, 2.0], val_mae=[2.0, 1.0])
        figure = plots.history(record)
        assert [axes.get_title("left") for axes in figure.axes] == ["loss", "mae"]
        assert legend(figure) == ["training", "held out"]

    def test_a_run_that_was_not_validated_in_each_epoch(self):
        model = dn.Sequential([dn.layers.Dense(1)])
        model.compile("sgd", "mse")
        x = np.ones((8, 1), np.float32)
        run = model.fit(x, x, epochs=5, validation_split=0.5, validation_freq=2, verbose=0)
        axes = plots.history({"one": run, "other": run}).axes[0]
        assert [line.get_xdata().tolist() for line in axes.lines[:2]] == [[1, 2, 3, 4, 5], [2, 4]]

    def test_more_panels_than_a_row_holds(self):
        record = run(loss=[2.0, 1.0], a=[2.0, 1.0], b=[2.0, 1.0], c=[2.0, 1.0])
        figure = plots.history({"first": record, "second": record})
        assert [axes.get_title("left") for axes in figure.axes] == [
            *("loss", "a", "b", "c"),
            "loss: relative difference from first",
        ]
        assert figure.get_size_inches().tolist() == pytest.approx([12.6, 7.0])

    def test_each_run_is_in_the_picture_of_differences(self):
        records = {str(k): run(loss=[2.0, 1.0 + 0.1 * k]) for k in range(6)}
        lines = plots.history(records).axes[-1].lines
        ends = [line.get_ydata()[-1] for line in lines[:-1]]
        np.testing.assert_allclose(ends, [0.1, 0.2, 0.3, 0.4, 0.5])


class TestCurves:
    def test_learning_curve(self):
        training = np.array([[0.1, 0.3], [0.2, 0.2]])
        curve = dn.diagnostics.LearningCurve(np.array([10, 20]), training, training + 1, "mae")
        figure = plots.learning_curve(curve)
        axes = figure.axes[0]
        assert axes.get_title("left") == "learning curve: mae"
        np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.2, 0.2])
        np.testing.assert_allclose(axes.lines[1].get_ydata(), [1.2, 1.2])
        assert len(axes.collections) == 2  # the bands
        assert legend(figure) == ["training, 2 repeats", "validation, 2 repeats"]

    def test_one_repeat_has_no_band(self):
        curve = dn.diagnostics.LearningCurve(np.array([1, 2]), np.ones((2, 1)), np.ones((2, 1)), "loss")
        assert not plots.learning_curve(curve).axes[0].collections

    def test_validation_curve_in_order_with_its_best(self):
        loss = np.array([[0.5], [0.9], [0.7]])
        curve = dn.diagnostics.ValidationCurve("rate", [0.1, 0.001, 1.0], loss, loss, "loss", 0.1)
        figure = plots.validation_curve(curve)
        axes = figure.axes[0]
        assert axes.get_xscale() == "log"
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.001", "0.1", "1"]
        np.testing.assert_allclose(axes.lines[1].get_xdata(), [0.001, 0.1, 1.0])
        np.testing.assert_allclose(axes.lines[1].get_ydata(), [0.9, 0.5, 0.7])
        assert legend(figure)[-1] == "best: rate 0.1, 0.5"

    def test_validation_curve_over_names(self):
        loss = np.array([[0.5], [0.4]])
        curve = dn.diagnostics.ValidationCurve("activation", ["relu", "tanh"], loss, loss, "loss", "tanh")
        axes = plots.validation_curve(curve).axes[0]
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["relu", "tanh"]


class TestOverfitting:
    EPOCHS = np.arange(1, 31)

    def test_the_epochs_that_overfit_are_shaded(self):
        loss = 1 / self.EPOCHS
        figure = plots.overfitting(run(loss=loss, val_loss=0.5 + 0.02 * np.abs(self.EPOCHS - 10)))
        axes = figure.axes[0]
        assert axes.get_title("left") == "overfitting since epoch 11"
        (shade,) = axes.patches
        assert (shade.get_x(), shade.get_x() + shade.get_width()) == (10, 30)
        assert legend(figure) == ["training", "validation", "best: epoch 10", "overfitting"]
        assert "best in epoch 10" in figure.get_supxlabel()

    def test_a_run_that_fits(self):
        loss = np.exp(-self.EPOCHS / 3)
        figure = plots.overfitting({"loss": loss, "val_loss": loss + 0.1}, reachable=0.0)
        assert figure.axes[0].get_title("left") == "fitting"
        assert not figure.axes[0].patches
        assert legend(figure)[-1] == "reachable"


class TestBiasVariance:
    def result(self, bias2=0.2, noise=0.1):
        errors = {"bias2": 0.1, "variance": 0.1, "error": 0.1}
        return dn.diagnostics.BiasVariance(bias2, 0.3, noise, bias2 + 0.3 + (noise or 0), errors, 9)

    def test_stacked(self):
        figure = plots.bias_variance({1: self.result(), 8: self.result(bias2=-0.01)}, "units")
        heights = [bar.get_height() for bar in figure.axes[0].patches]
        np.testing.assert_allclose(heights, [0.1, 0.1, 0.2, 0.0, 0.3, 0.3])
        assert legend(figure) == ["variance", "bias²", "noise"]
        assert figure.axes[0].get_xlabel() == "units"

    def test_one_result_with_its_numbers(self):
        assert legend(plots.bias_variance(self.result())) == ["variance: 0.3", "bias²: 0.2", "noise: 0.1"]

    def test_noise_that_cannot_be_told_apart(self):
        figure = plots.bias_variance({1: self.result(noise=None)})
        assert legend(figure) == ["variance", "bias² and noise"]

    def test_nothing(self):
        with pytest.raises(ValueError, match="at least one result"):
            plots.bias_variance({})


class TestConfusionMatrix:
    def test_counts_and_shares(self):
        figure = plots.confusion_matrix([0, 0, 0, 1, 1], [0, 0, 1, 1, 1], ["cat", "dog"])
        assert texts(figure) == ["2", "67 %", "1", "33 %", "2", "100 %"]
        assert figure.axes[0].get_title("left") == "4 of 5 right, 80.0 %"
        assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["cat", "dog"]

    def test_probabilities_and_one_hot(self):
        figure = plots.confusion_matrix(np.eye(3)[[0, 1, 2]], [[3.0, 1, 1], [0, 2, 1], [9, 1, 1]])
        assert figure.axes[0].get_title("left") == "2 of 3 right, 66.7 %"
        assert texts(figure) == ["1", "100 %"] * 3

    def test_names_as_classes(self):
        figure = plots.confusion_matrix(["b", "a", "b"], ["b", "a", "a"])
        assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["a", "b"]

    def test_right_is_blue_and_wrong_is_red(self):
        image = plots.confusion_matrix([0, 1, 1, 0], [0, 1, 0, 1]).axes[0].images[0].get_array()
        assert image[0, 0, 2] > image[0, 0, 0]
        assert image[0, 1, 0] > image[0, 1, 2]

    def test_refusals(self):
        with pytest.raises(ValueError, match="got 1 and 2"):
            plots.confusion_matrix([0, 1], [1])
        with pytest.raises(ValueError, match=r"give y_pred > 0\.5"):
            plots.confusion_matrix([0, 1], [0.2, 0.7])
        with pytest.raises(ValueError, match=r"labels: expected a name for each class.*from 0 to 1"):
            plots.confusion_matrix([0, 2], [0, 1], ["a", "b"])
        with pytest.raises(ValueError, match="at least one, got 0 and 0"):
            plots.confusion_matrix([], [])


class TestDecisionBoundary:
    X = np.array([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])

    def linear(self, kernel, activation=None):
        """A model whose outputs are those of a given kernel."""
        model = dn.Sequential([dn.layers.Dense(np.shape(kernel)[1], activation, use_bias=False)])
        model.build((None, 2))
        model.set_weights([np.asarray(kernel, "float32")])
        return model

    def boundary(self, figure):
        """Return the points of the drawn lines between regions."""
        from matplotlib.contour import ContourSet

        contours = [part for part in figure.axes[0].collections if isinstance(part, ContourSet)]
        return np.concatenate([path.vertices for part in contours for path in part.get_paths()])

    @pytest.mark.parametrize("activation", [None, "sigmoid"])
    def test_one_output(self, backend, activation):
        # the class is 1 where the first input is positive
        figure = plots.decision_boundary(
            self.linear([[4.0], [0.0]], activation), self.X, [0, 1, 0, 0], ["no", "yes"], resolution=41
        )
        line = self.boundary(figure)
        np.testing.assert_allclose(line[:, 0], 0, atol=1e-6)
        assert np.ptp(line[:, 1]) > 2
        assert legend(figure) == ["no", "yes", "wrong, 1 of 4"]
        image = figure.axes[0].images[0].get_array()
        surest, unsure = image[20, 0], image[20, 20]
        assert surest.min() < unsure.min()  # white at the boundary, deep where it is sure

    def test_the_same_model_as_two_logits_a_softmax_and_a_sigmoid(self, backend):
        two, one = [[0.0, 4.0], [0.0, 0.0]], [[4.0], [0.0]]
        logits, softmax, sigmoid = (
            plots.decision_boundary(self.linear(kernel, activation), self.X, [0, 1, 0, 1], resolution=21)
            .axes[0]
            .images[0]
            .get_array()
            for kernel, activation in ((two, None), (two, "softmax"), (one, "sigmoid"))
        )
        np.testing.assert_allclose(logits, softmax, atol=1e-5)
        np.testing.assert_allclose(logits, sigmoid, atol=1e-5)

    def test_three_classes(self, backend):
        kernel = np.array([[4.0, -4.0, 0.0], [0.0, 0.0, 6.0]])
        figure = plots.decision_boundary(self.linear(kernel), self.X, [1, 0, 2, 2])
        assert legend(figure) == ["0", "1", "2"]  # all four right

    def test_a_classifier_of_scikit_learn_and_ours(self, backend):
        pytest.importorskip("sklearn")
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        names = np.array(["right" if x > 0 else "left" for x in self.X[:, 0]])
        network = dn.sklearn.Classifier(
            hidden=(), epochs=100, learning_rate=0.1, backend=backend, random_state=0
        )
        for classifier in (LogisticRegression(), make_pipeline(StandardScaler(), network)):
            figure = plots.decision_boundary(classifier.fit(self.X, names), self.X, names, resolution=41)
            assert abs(self.boundary(figure)[:, 0].mean()) < 0.1  # by symmetry
            assert legend(figure) == ["left", "right"]
            with pytest.raises(ValueError, match=r"y: expected the classifier's classes.*got \['up'\]"):
                plots.decision_boundary(classifier, self.X, [*names[:3], "up"])

    def test_refusals(self, backend):
        model = self.linear([[1.0, 0.0], [0.0, 1.0]])
        with pytest.raises(ValueError, match=r"x of shape \(samples, 2\)"):
            plots.decision_boundary(model, np.zeros((4, 3)), [0, 1, 0, 1])
        with pytest.raises(ValueError, match="classes from 0 to 1"):
            plots.decision_boundary(model, self.X, [0, 1, 2, 0])
        with pytest.raises(ValueError, match="labels: expected 2 names"):
            plots.decision_boundary(model, self.X, [0, 1, 1, 0], ["a"])
        spatial = dn.Sequential([dn.layers.Reshape((2, 1))])
        with pytest.raises(ValueError, match=r"one output of shape.*got \(\d+, 2, 1\)"):
            plots.decision_boundary(spatial, self.X, [0, 1, 1, 0])
