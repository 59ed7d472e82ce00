"""The classification assignments reach their goals, and what is said of two results is right."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest

import dualnn as dn
from dualnn import assignments, plots
from dualnn.assignments import CONVOLUTIONAL, MULTI, SINGLE, Result, data, html, partitions, plan
from dualnn.datasets import Dataset


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


def small_images(seed=0):
    """A data set of small images in which each class is a bright place of its own."""
    generator = np.random.default_rng(seed)
    labels = np.tile(np.arange(3), 24)
    x = generator.random((72, 8, 8, 1)).astype(np.float32) / 2
    x[np.arange(72), 2 * labels, 2 * labels] += 0.5
    return Dataset("digits", x[:48], labels[:48], x[48:], labels[48:], ("one", "two", "three"))


@functools.cache
def digits(backend):
    """A short study of small images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(data.LOADERS, "digits", lambda folder: small_images())
        return assignments.study("digits", backend, quick=True, epochs=2)


@functools.cache
def iris(backend):
    """A short study of the flowers, and all that it told of its progress."""
    told = []
    done = assignments.study("iris", backend, quick=True, epochs=5, progress=lambda *now: told.append(now))
    return done, told


class TestStudy:
    def test_the_search_and_its_choice(self, backend):
        done, _ = iris(backend)
        assert done.backend == backend
        assert [trial.architecture.kind for trial in done.trials].count(SINGLE) == 1
        accuracies = [trial.accuracy for trial in done.trials]
        assert accuracies == sorted(accuracies, reverse=True)
        assert done.best.trial is done.trials[0]
        for final in done.finals:  # the best of its kind, trained for as long as was best
            kind = [trial for trial in done.trials if trial.architecture.kind == final.kind]
            assert final.trial is kind[0]
            assert len(final.history.epoch) == final.trial.epochs <= 5
            assert final.right == np.sum(final.predictions == done.data.y_test)

    def test_the_test_examples_are_not_looked_at_before_the_end(self, backend, monkeypatch):
        first, _ = iris(backend)
        flowers = dn.datasets.iris()
        other = dataclasses.replace(flowers, x_test=-flowers.x_test[:9], y_test=flowers.y_test[:9])
        monkeypatch.setitem(data.LOADERS, "iris", lambda folder: other)
        second = assignments.study("iris", backend, quick=True, epochs=5)
        assert len(second.best.probabilities) == 9
        for a, b in zip(first.trials, second.trials, strict=True):
            assert a.architecture == b.architecture
            assert [run.history for run in a.histories] == [run.history for run in b.histories]
        for a, b in zip(first.finals, second.finals, strict=True):
            assert a.history.history == b.history.history

    def test_images_get_a_convolutional_network_too(self, backend):
        assert [final.kind for final in digits(backend).finals] == [SINGLE, MULTI, CONVOLUTIONAL]

    def test_the_same_search_on_both_backends(self):
        (a, _), (b, _) = iris("torch"), iris("tensorflow")
        of_b = {trial.architecture: trial for trial in b.trials}
        assert of_b.keys() == {trial.architecture for trial in a.trials}
        for trial in a.trials:
            for run, other in zip(trial.histories, of_b[trial.architecture].histories, strict=True):
                np.testing.assert_allclose(run.history["val_loss"], other.history["val_loss"], rtol=1e-4)

    def test_another_seed_is_another_search(self):
        a, b = (assignments.study("iris", quick=True, epochs=1, seed=seed) for seed in (0, 1))
        assert [trial.loss for trial in a.trials] != [trial.loss for trial in b.trials]
        np.testing.assert_array_equal(a.data.y_test, b.data.y_test)

    def test_a_training_that_gets_no_better_is_stopped(self, monkeypatch):
        # labels that have nothing to do with the flowers: what is learned makes the validation worse
        flowers = dn.datasets.iris()
        labels = np.random.default_rng(0).permutation(flowers.y_train)
        other = dataclasses.replace(flowers, y_train=labels)
        monkeypatch.setitem(data.LOADERS, "iris", lambda folder: other)
        done = assignments.study("iris", quick=True, epochs=60)
        lengths = [
            (len(run.epoch), best)
            for trial in done.trials
            for run, best in zip(trial.histories, trial.best_epochs, strict=True)
        ]
        assert all(length == min(60, best + done.plan.patience) for length, best in lengths)
        assert any(length < 60 for length, _ in lengths)

    def test_every_epoch_is_told(self, backend):
        done, told = iris(backend)
        counts, totals = [now[1] for now in told], {now[2] for now in told}
        assert counts == sorted(counts)
        assert totals == {5 * (3 * 3 + 2)}  # three networks in three folds, and the best of two kinds
        assert totals.pop() - 5 + done.finals[-1].trial.epochs == counts[-1]

    def test_mistakes_in_the_call(self):
        with pytest.raises(ValueError, match=r"unknown assignment 'irsi'; did you mean 'iris'\?"):
            assignments.study("irsi")
        with pytest.raises(ValueError, match="epochs: expected at least 1, got 0"):
            assignments.study("iris", epochs=0)

    @pytest.mark.slow
    @pytest.mark.parametrize(("name", "goal"), [("iris", 0.95), ("digits", 0.98)])
    def test_the_goal_is_reached(self, backend, name, goal):
        assert assignments.study(name, backend).best.accuracy >= goal


class TestMnist:
    @pytest.fixture
    def no_mnist(self, monkeypatch, tmp_path):
        def missing(*arguments):
            raise OSError("no network")

        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.delenv("DUALNN_DATA", raising=False)
        monkeypatch.setattr("dualnn.datasets.images.SYSTEM_FOLDER", tmp_path)
        monkeypatch.setattr("dualnn.datasets.images.download", missing)

    @pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
    def test_another_data_set_is_never_taken_instead(self, no_mnist, tmp_path, name):
        for folder in (None, tmp_path):
            with pytest.raises(
                FileNotFoundError, match=f"'{name}' is not in .*'digits', smaller handwritten"
            ):
                assignments.study(name, folder=folder)

    def test_the_real_ones_if_they_are_there(self, tmp_path):
        from tests.test_datasets import small_files, write

        assert data.load("mnist", write(tmp_path, small_files())).name == "mnist"


@pytest.mark.parametrize("folds", [1, 2, 5])
def test_partitions(folds):
    labels = np.repeat([0, 1, 2], [60, 30, 30])
    parts = partitions.partitions(labels, folds, seed=4)
    assert len(parts) == folds
    share = 1 / 6 if folds == 1 else 1 / folds
    for train, held_out in parts:
        assert sorted([*train, *held_out]) == list(range(120))
        np.testing.assert_array_equal(np.bincount(labels[held_out]), np.array([60, 30, 30]) * share)
    if folds > 1:
        assert sorted(np.concatenate([held_out for _, held_out in parts])) == list(range(120))


@pytest.mark.parametrize("name", plan.PLANS)
def test_plans(name):
    networks = plan.PLANS[name].networks(seed=0)
    assert len(set(networks)) == len(networks)
    assert networks == plan.PLANS[name].networks(seed=0)
    kinds = {network.kind for network in networks}
    assert kinds == ({SINGLE, MULTI} if name == "iris" else {SINGLE, MULTI, CONVOLUTIONAL})
    few = plan.reduced(plan.PLANS[name]).networks(seed=0)
    assert len(few) < len(networks)
    assert {network.kind for network in few} == kinds


class TestReport:
    def test_one_page_that_needs_no_other(self, backend):
        page = html.page([digits(backend)])
        assert page.count("<svg") == 5  # pictures, search, curves, confusion, mistakes
        assert "<img" not in page
        assert "<link" not in page
        assert "<script" not in page
        assert "multi-layer" in page
        assert "convolutional" in page
        assert dn.backend(backend).__version__ in page

    def test_both_backends_side_by_side(self):
        studies = [iris(name)[0] for name in ("torch", "tensorflow")]
        page = html.page(studies)
        assert "<h3>torch</h3>" in page
        assert "<h3>tensorflow</h3>" in page
        assert "Both backends tried the same 3 networks" in page

    def test_the_verdict_on_overfitting(self):
        done, _ = iris("torch")
        assert "Overfitting? By the loss" in html.page([done])
        short = dataclasses.replace(
            done.trials[0],
            histories=(history(loss=[1.0], accuracy=[0.5], val_loss=[1.0], val_accuracy=[0.5]),),
        )
        short = dataclasses.replace(short, held_out=(35,))
        finals = tuple(
            dataclasses.replace(final, trial=short) if final is done.best else final for final in done.finals
        )
        done = dataclasses.replace(done, trials=(short, *done.trials[1:]), finals=finals)
        assert "So few epochs do not tell" in html.page([done])
