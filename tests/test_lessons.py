"""The lessons run from top to bottom as notebooks, on each backend, and find what their text says."""

from __future__ import annotations

import json
import re
import resource
from pathlib import Path

import pytest

import dualnn as dn
from tests.conftest import BACKENDS

jupytext = pytest.importorskip("jupytext", reason="needs the extra 'lessons'")
nbclient = pytest.importorskip("nbclient", reason="needs the extra 'lessons'")
for module in ("ipykernel", "matplotlib", "sklearn"):
    pytest.importorskip(module, reason="needs the extra 'lessons'")

FOLDER = Path(__file__).parent.parent / "lessons"
LESSONS = {int(path.name[0]): path for path in FOLDER.glob("[0-9]*.py")}
PICTURES = {1: 7, 2: 10, 3: 4, 4: 13, 5: 7}
SECONDS = 60
QUICK = {(1, "tensorflow"), (2, "torch"), (3, "torch"), (4, "torch"), (5, "torch")}

# Of each lesson: expressions over its own variables that its text states as facts.
CLAIMS = {
    1: [
        # three standard errors: the points scatter by 0.4, and the variance of x is 1/3
        "abs(slope - 2) < 3 * 0.4 / (60 / 3) ** 0.5",
        "abs(intercept + 1) < 3 * 0.4 / 60**0.5",
        "abs(slope - best[0]) < 0.01",  # gradient descent arrives at the exact solution
        "abs(losses[0] - np.log(2)) < 1e-6",
        "accuracy > 0.9",
        "mini[-1, 2] < full[-1, 2]",  # minibatches are further down after as many epochs
        "descents[0.3][-1] < descents[0.005][-1] < descents[0.005][0] < descents[1.05][-1]",
    ],
    2: [
        "abs(line.get_weights()[0][0, 0] - 2) < 3 * 0.4 / (60 / 3) ** 0.5",
        "0.8 < share_right(one_layer, 0.12) < 0.92",
        "abs(share_right(two_linear, 0.12) - share_right(one_layer, 0.12)) < 0.02",
        "share_right(hidden, 0.12) > 0.97",
        "history.history['val_accuracy'][-1] > 0.97",
        "digits.evaluate(*tuple(dn.datasets.digits())[1])[1] > 0.95",
        "networks['no regularisation'].evaluate(x_train, y_train[:, None])[1] == 1.0",
        "all(share_right(networks[name], 0.3) > share_right(networks['no regularisation'], 0.3)"
        " for name in ('L2 penalty', 'dropout'))",
    ],
    3: [
        "sum(voice > 0 for voice in voices) >= 2",
        "all(np.hypot(*(centres_found - disc).T).min() < 0.4 for disc in centres)",  # a unit in each disc
        "own[-1] < 0.3 and history.history['loss'][-1] < 0.3",
        "np.abs(snapshots[steps] - exact).max() < 0.03",
        "0.05 < below < 0.15",
    ],
    4: [
        "np.mean((values(curve, first_x) - first_y) ** 2) < 1e-12",
        "np.mean((values(line, first_x) - first_y) ** 2) > 1e-3",
        "np.mean((values(curve, x_new) - y_new) ** 2) > 3 * np.mean((values(line, x_new) - y_new) ** 2)",
        "np.argmin(new_errors) < 10 and new_errors[-1] > 3 * min(new_errors)",
        "np.abs(snapshots[500] - values(curve, between)).max() < 0.1",  # training finds the same curve
        "complexity.best in (3, 4)",
        "(np.diff(complexity.training[:, 0]) < 0).all()",
        "complexity.validation[-1] > 2 * complexity.validation.min()",
        "bias2[0] > 10 * bias2[-1] and (np.diff(variance) > 0).all()",
        "(curves[6].validation - curves[6].training).mean(axis=1)[0] > 0.1",
        "(curves[6].validation - curves[6].training).mean(axis=1)[-1] < 0.05",
        "curves[1].validation[-1].mean() > 2 * curves[6].validation[-1].mean()",
        "verdict.verdict == 'overfitting'",
        "stopped.evaluate(*test)[0] < 0.5 * patient.evaluate(*test)[0]",
    ],
    5: [
        "as_torch.shape == as_tensorflow.shape and not np.allclose(as_torch, as_tensorflow)",
        "difference.ulp < 10",
        "means_torch[50] > 0.9 and means_keras[50] < 0.5",
        "(norm_torch.running_var.item(), float(norm_keras.moving_variance[0])) == (2.0, 1.0)",
        "np.allclose(way_torch[:30], way_keras[:30], rtol=1e-5) and way_torch[-1] - way_keras[-1] > 5",
        "abs(linear.weight.abs().max().item() - 1 / 16) < 1e-3 and not dense.bias.numpy().any()",
        "np.allclose(*(run.history['loss'] for run in histories.values()), rtol=1e-4)",
        "all(median > 0 for median in medians.values()) and len(medians) == 5",
    ],
}
HELPERS = {
    2: (
        "def share_right(model, noise):\n"
        "    points, label = moons(2000, noise, seed=1)\n"
        "    return ((model.predict(points)[:, 0] > 0) == (label == 1)).mean()\n"
    ),
    4: "first_x, first_y = measure(5, seed=2)\n",
}


def _lessons_on_backends():
    for number in sorted(LESSONS):
        for backend in BACKENDS:
            marks = [] if (number, backend) in QUICK else [pytest.mark.slow]
            yield pytest.param(number, backend, marks=marks, id=f"{LESSONS[number].stem}-{backend}")


@pytest.mark.parametrize(("number", "backend"), list(_lessons_on_backends()))
def test_a_lesson_runs_and_its_claims_hold(number, backend, monkeypatch):
    needed = set(BACKENDS) if number == 5 else {backend}
    if missing := needed - set(dn.available()):
        pytest.skip(f"needs {' and '.join(sorted(missing))}")
    monkeypatch.setenv("DUALNN_BACKEND", backend)
    notebook = jupytext.read(LESSONS[number])
    notebook.cells.append(_claims_cell(number, notebook))

    before = _seconds_of_children()
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=600).execute()
    # of the processor and not of the clock, which other tests beside this one would make run longer
    seconds = _seconds_of_children() - before

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    warned = [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    drawn = sum("image/png" in output.get("data", {}) for output in outputs)
    found = json.loads(printed.splitlines()[-1])
    assert [claim for claim, holds in found.items() if not holds] == []
    assert warned == []
    assert drawn == PICTURES[number]
    assert seconds < SECONDS
    if number == 5:  # the table of one thing in two languages
        assert set(re.findall(r" (True|False)$", printed, flags=re.MULTILINE)) == {"True"}
    else:
        assert f"on {backend}" in printed


@pytest.mark.parametrize("number", sorted(LESSONS))
def test_a_lesson_is_paired_and_has_exercises_with_answers(number):
    notebook = jupytext.read(LESSONS[number])
    assert notebook.metadata["jupytext"]["formats"] == "ipynb,py:percent"
    text = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert "### Questions to think about" in text
    questions, answers = text.split("### Exercises")[1].split("<details>")
    assert questions.count("\n1. ") == 1
    for exercise in range(1, 4):
        assert f"\n{exercise}. " in questions
        assert f"**Exercise {exercise}.**" in answers
    assert answers.rstrip().endswith("</details>")


def _claims_cell(number, notebook):
    claims = ",\n".join(f"    {claim!r}: bool({claim})" for claim in CLAIMS[number])
    source = f"import json\n{HELPERS.get(number, '')}print(json.dumps({{\n{claims}\n}}))"
    return type(notebook.cells[-1])(
        cell_type="code", id="claims", metadata={}, source=source, outputs=[], execution_count=None
    )


def _seconds_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
