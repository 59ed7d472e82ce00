"""The classification assignments reach their goals, and what is said of two results is right."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import dualnn as dn
from dualnn import assignments, plots
from dualnn.assignments import Result


def history(**numbers):
    made = dn.History()
    made.history = numbers
    made.epoch = list(range(len(next(iter(numbers.values())))))
    return made


RESULT = Result(
    assignment="iris",
    backend="torch",
    version="1",
    device="cpu",
    seed=0,
    accuracy=0.5,
    seconds=1.0,
    history=history(loss=[2.0, 1.0]),
    initial_weights=[np.ones(2, np.float32)],
    weights=[np.array([1.0, -4.0]), np.zeros(2)],
    probabilities=np.array([[0.75, 0.25], [0.5, 0.5]]),
)


@pytest.mark.parametrize(
    ("name", "goal"), [("iris", 0.95), pytest.param("digits", 0.97, marks=pytest.mark.slow)]
)
def test_the_goal_is_reached(backend, name, goal):
    result = assignments.run(name, backend)
    assert result.backend == backend
    assert result.accuracy >= goal


def test_the_same_seed_gives_the_same_result(backend):
    first, second = (assignments.run("iris", backend, epochs=2, seed=5) for _ in range(2))
    agreement = assignments.agreement(first, second)
    assert agreement == assignments.Agreement(True, 0.0, 0.0, 0.0, 1.0)
    other = assignments.run("iris", backend, epochs=2, seed=6)
    assert not assignments.agreement(first, other).same_initial_weights


def test_the_backends_start_from_the_same_weights():
    a, b = (assignments.run("digits", name, epochs=1) for name in ("torch", "tensorflow"))
    assert assignments.agreement(a, b).same_initial_weights


def test_a_folder_of_images(backend, tmp_path):
    from tests.test_datasets import small_files, write

    result = assignments.run("fashion-mnist", backend, epochs=1, folder=write(tmp_path, small_files()))
    assert result.probabilities.shape == (10, 10)
    np.testing.assert_allclose(result.probabilities.sum(axis=1), 1, rtol=1e-12)


def test_an_unknown_assignment():
    with pytest.raises(ValueError, match=r"unknown assignment 'irsi'; did you mean 'iris'\?"):
        assignments.run("irsi")


def test_what_agreement_measures():
    other = dataclasses.replace(
        RESULT,
        initial_weights=[np.array([1, 1 + 2**-23], np.float32)],
        weights=[np.array([1.5, -4.0]), np.zeros(2)],
        history=history(loss=[2.0, 1.25]),
        probabilities=np.array([[0.625, 0.375], [0.25, 0.75]]),
    )
    assert assignments.agreement(RESULT, other) == assignments.Agreement(
        same_initial_weights=False,
        weights=0.5 / 4,
        losses=0.25,
        probabilities=0.25,
        same_predictions=0.5,
    )


def test_zeros_of_different_sign_are_not_the_same_bits():
    minus = dataclasses.replace(RESULT, initial_weights=[np.array([-0.0], np.float32)])
    plus = dataclasses.replace(RESULT, initial_weights=[np.array([0.0], np.float32)])
    assert not assignments.agreement(minus, plus).same_initial_weights


class TestFigure:
    def test_panels(self):
        run = history(loss=[2.0, 1.0], accuracy=[0.5, 1.0], val_loss=[2.0, 1.5], val_accuracy=[0.5, 0.75])
        other = history(loss=[2.0, 1.5], accuracy=[0.5, 1.0], val_loss=[2.0, 1.5], val_accuracy=[0.5, 0.75])
        figure = plots.history({"torch": run, "tensorflow": other})
        titles = [axes.get_title("left") for axes in figure.axes]
        assert titles == ["loss", "accuracy", "loss: relative difference from torch"]
        difference = figure.axes[2].lines[0].get_ydata()
        np.testing.assert_array_equal(difference, [np.nan, 0.5])

    def test_runs_that_agree_to_the_last_bit(self, tmp_path):
        run = history(loss=[2.0, 1.0])
        plots.history({"torch": run, "tensorflow": run}).savefig(tmp_path / "curves.png")
        assert (tmp_path / "curves.png").stat().st_size > 0

    def test_runs_of_different_length(self):
        figure = plots.history({"a": history(loss=[2.0, 1.0]), "b": history(loss=[1.0])})
        assert len(figure.axes) == 2

    def test_nothing_to_draw(self):
        with pytest.raises(ValueError, match="at least one history of at least one epoch"):
            plots.history({})
        with pytest.raises(ValueError, match="at least one history of at least one epoch"):
            plots.history({"torch": history(loss=[])})
