"""The benchmark's machinery. No test looks at how long anything takes."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest

import dualnn as dn
from dualnn import cli
from dualnn.benchmark import contenders, export, html, pool, suite, tables, worker
from dualnn.benchmark.goals import Goal, goals
from dualnn.benchmark.job import Job
from dualnn.benchmark.models import MODELS
from dualnn.benchmark.pool import Contender, ContenderError
from dualnn.benchmark.report import Report, Result
from dualnn.benchmark.tasks import FIT, LATENCY, OWN_LOOP, PREDICT, PREDICT_BATCH, TASKS, Tasks, in_batches
from dualnn.benchmark.workload import workload

USER_MODEL = """
import dualnn as dn

def build():
    model = dn.Sequential([dn.layers.Dense(3, activation="relu"), dn.layers.Dense(2)])
    model.compile("adam", "mse")
    return model

def uncompiled():
    return dn.Sequential([dn.layers.Dense(1)])

def broken():
    raise RuntimeError("out of ideas")
"""


@pytest.fixture
def user_model(tmp_path, monkeypatch):
    """The name of a module with models of a user, which this process and the workers find."""
    (tmp_path / "my_benchmarked_models.py").write_text(USER_MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "my_benchmarked_models"
    sys.modules.pop("my_benchmarked_models", None)


def small(backend, model="mlp-4-16-3", maker="dualnn", **settings):
    return Job(maker, backend, model, batch_size=4, epochs=3, **settings)


# ------------------------------------------------------------------ who takes part


def test_the_field_of_a_model(backend):
    field = contenders.field_of(Job("dualnn", backend, "mlp-4-16-3", 16))
    native = contenders.native_loops(backend)
    makers = [job.maker for job in field]
    assert makers[0] == "dualnn"
    assert set(makers) == {"dualnn", "native", "keras", *native.PEERS}
    assert {job.loop for job in field if job.maker == "native"} == {*native.LOOPS, *native.OWN_LOOPS}
    assert len({job.contender for job in field}) == len(field)


def test_a_backend_without_native_loops(monkeypatch):
    monkeypatch.setattr(contenders.backends, "backend", lambda name: json)
    with pytest.raises(ValueError, match="'abacus' has no native loops to compare with"):
        contenders.native_loops("abacus")


def test_both_adapters_write_every_model_natively():
    for backend in ("torch", "tensorflow"):
        assert set(contenders.native_loops(backend).NETWORKS) == set(MODELS)


@pytest.mark.parametrize("model", MODELS)
def test_native_networks_have_the_size_of_ours(nn, backend, model):
    try:
        ours = MODELS[model].build(dn).on(backend)
    except AttributeError as error:
        pytest.skip(str(error))
    ours.build((None, *MODELS[model].input_shape))
    count = sum(math.prod(variable.shape) for variable in ours.trainable_variables)
    for make in contenders.native_loops(backend).NETWORKS[model].values():
        network = make()
        variables = getattr(network, "trainable_variables", None) or list(network.parameters())
        # torch.nn.LSTM adds two biases where one would do
        extra = 4 * 64 if (model, backend) == ("lstm", "torch") else 0
        assert sum(math.prod(variable.shape) for variable in variables) == count + extra


def _loops(backend):
    native = contenders.native_loops(backend)
    slow = [pytest.mark.slow] if backend == "torch" else []
    return [
        pytest.param(backend, loop, marks=[] if loop.startswith("eager") else slow, id=f"{backend}, {loop}")
        for loop in {**native.LOOPS, **native.OWN_LOOPS}
    ]


@pytest.mark.parametrize(("backend", "loop"), [*_loops("torch"), *_loops("tensorflow")])
def test_native_loops_train(backend, loop):
    native = contenders.native_loops(backend)
    work = workload(small(backend)).first(40)
    train = {**native.LOOPS, **native.OWN_LOOPS}[loop]
    epoch = train(native.NETWORKS["mlp-4-16-3"][""](), native.cross_entropy, work.x, work.y, 4)
    losses = [epoch() for _ in range(20)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("model", ["cnn", "cnn-batch-norm", "lstm", "transformer"])
def test_native_networks_map_samples_to_logits(backend, model):
    native = contenders.native_loops(backend)
    forward = next(iter(native.FORWARDS.values()))
    x = workload(small(backend, model)).x[:3]
    for make in native.NETWORKS[model].values():
        assert forward(make())(x).shape == (3, 10)


# ------------------------------------------------------------------ what they do


def test_predicting_in_batches():
    x = np.arange(2 * PREDICT_BATCH + 3, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(in_batches(lambda batch: 2 * batch, x), 2 * x)


def test_dualnn_does_all_tasks(backend):
    job = small(backend)
    tasks = contenders.prepare(job, workload(job).first(8))
    assert tasks.names == list(TASKS)
    losses = []
    tasks.fit(lambda loss: losses.append(loss) or len(losses) < 2)
    assert len(losses) == 2  # of the three epochs of the job
    assert tasks.others[OWN_LOOP]()() > 0
    assert tasks.others[LATENCY]()().shape == (1, 3)
    assert set(tasks.about()) <= {"engine"}


class Channel:
    """Requests from a list, answers to another."""

    def __init__(self, *requests):
        self.requests = [{"task": task, "times": times} for task, times in requests]
        self.answers = []

    def receive(self):
        return self.requests.pop(0) if self.requests else worker.END

    def send(self, **answer):
        self.answers.append(answer)


def test_a_worker_trains_on_between_requests():
    began, epochs, predicted = [], [], []

    def fit(more):  # three epochs at most, as a job may have it
        began.append(len(epochs))
        for _ in range(3):
            epochs.append(1.0 / (1 + len(epochs)))
            if not more(epochs[-1]):
                return

    tasks = Tasks(fit, {PREDICT: lambda: lambda: predicted.append(1)}, lambda: {"engine": "step"})
    channel = Channel((FIT, 2), (FIT, 2), (PREDICT, 5), (FIT, 1))
    worker.Worker(tasks, 7, channel).run()
    ready, *answers = channel.answers
    assert ready == {"tasks": [FIT, PREDICT], "steps": 7}
    assert len(epochs) == 2 + 2 + 1
    assert began == [0, 3, 4]  # the second run follows the first, the third begins after the prediction
    assert len(predicted) == 5
    assert [answer.get("loss") for answer in answers] == [1 / 2, 1 / 4, None, 1 / 5]
    assert answers[0]["about"] == {"engine": "step"}
    assert all(answer["seconds"] >= 0 for answer in answers)


# ------------------------------------------------------------------ processes


def test_a_contender_in_a_process_of_its_own(user_model, backend):
    job = small(backend, f"{user_model}:build", data="8,5")
    with Contender(job, threads=1) as contender:
        assert contender.answer() == {"tasks": list(TASKS), "steps": 2}
        answer = contender.ask(FIT, 2)
        assert answer["seconds"] > 0
        assert answer["peak"] > 2**20
        assert math.isfinite(answer["loss"])
        assert contender.ask(LATENCY, 3)["seconds"] > 0


def test_a_contender_that_fails_says_why(user_model):
    with Contender(small("torch", f"{user_model}:broken", data="8,5"), threads=1) as contender:
        with pytest.raises(ContenderError, match="RuntimeError: out of ideas"):
            contender.answer()
        with pytest.raises(ContenderError, match="ended with status"):
            contender.ask(FIT, 1)


def test_a_contender_that_never_answers(user_model, monkeypatch):
    monkeypatch.setattr(pool, "LIMIT", 0.01)
    with (
        Contender(small("torch", f"{user_model}:build", data="8,5"), threads=1) as contender,
        pytest.raises(ContenderError, match="no answer within"),
    ):
        contender.answer()


# ------------------------------------------------------------------ the suite


class Fake:
    """A contender that takes the seconds it is told to, in the place of a process."""

    log: list[tuple[str, str, int]] = []  # noqa: RUF012 (cleared by the fixture)
    seconds = {"dualnn": 0.1, "native: eager": 0.1, "native: compiled": 0.3, "keras": 0.5}  # noqa: RUF012

    def __init__(self, job, threads):
        self.job = job

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def end(self):
        self.log.append((self.job.contender, "end", 0))

    def answer(self):
        if self.job.contender == "lightning":
            raise ContenderError("ImportError: no lightning")
        return {"tasks": [FIT, LATENCY] if self.job.maker == "dualnn" else [FIT], "steps": 10}

    def ask(self, task, times):
        self.log.append((self.job.contender, task, times))
        if self.job.contender == "native: compiled step":
            raise ContenderError("RuntimeError: it does not compile")
        seconds = self.seconds.get(self.job.contender, 0.9)
        return {"seconds": seconds, "loss": 0.5, "peak": 2**20, "about": {"engine": None}}


@pytest.fixture
def fake(monkeypatch):
    """Contenders without processes; the log of what they were asked."""
    Fake.log.clear()
    monkeypatch.setattr(suite, "Contender", Fake)
    monkeypatch.setattr(suite, "import_times", lambda repetitions: {"numpy": [0.1], "dualnn": [0.15]})
    return Fake.log


def measured(**settings):
    return suite.bench(["mlp-4-16-3"], on=["torch"], repetitions=3, threads=1, **settings)


def test_contenders_take_turns(fake):
    measured(tasks=[FIT])
    asked = [name for name, task, _ in fake if task == FIT]
    # the slow native loops are measured once, the others are in every round
    slow, in_turn = ["native: compiled", "native: compiled epoch"], ["dualnn", "native: eager", "keras"]
    assert asked[-11:] == ["dualnn", "native: eager", *slow, "keras", *in_turn, *in_turn]


def test_repetitions_last_long_enough(fake):
    measured(tasks=[FIT])
    assert ("dualnn", FIT, 2) in fake  # 0.1 s an epoch
    assert ("keras", FIT, 1) in fake


def test_failures_are_results(fake):
    report = measured()
    errors = {result.job.contender: result.error for result in report.failed}
    assert errors["lightning"] == "ImportError: no lightning"
    assert errors["native: compiled step"] == "fit: RuntimeError: it does not compile"
    times = {result.job.contender: result.times for result in report.results}
    assert len(times["dualnn"][FIT]) == len(times["dualnn"][LATENCY]) == 3
    assert times["dualnn"][FIT][0] == pytest.approx(0.01)  # a step, of ten in an epoch
    assert times["native: compiled step"] == {}


def test_progress_comes_to_its_end(fake):
    told = []
    measured(progress=lambda what, done, total: told.append((done, total)))
    assert told[0][0] == 0
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1]


@pytest.mark.parametrize(
    ("models", "settings", "message"),
    [
        (["cmn"], {}, "unknown model 'cmn'; did you mean 'cnn'?"),
        (["cnn"], {"tasks": ["predcit"]}, "unknown task 'predcit'; did you mean 'predict'?"),
        (["my_benchmarked_models:build"], {}, "needs inputs"),
        (["my_benchmarked_models:build"], {"data": "8;5"}, "expected a file .npy or a shape"),
        (["my_benchmarked_models:biuld"], {"data": "8,5"}, "biuld"),
    ],
)
def test_mistakes_are_told_before_the_work(user_model, fake, models, settings, message):
    with pytest.raises((ValueError, AttributeError), match=message.replace("?", r"\?")):
        suite.bench(models, **settings)
    assert fake == []


def test_a_model_that_is_not_compiled_needs_a_loss(user_model):
    with pytest.raises(ValueError, match="is not compiled, so a loss is needed: --loss mse"):
        workload(small("torch", f"{user_model}:uncompiled", data="8,5"))
    assert workload(small("torch", f"{user_model}:uncompiled", data="8,5", loss="mse")).y.shape == (8, 1)


def test_less_than_a_batch(user_model):
    with pytest.raises(ValueError, match="at least one batch of 4 samples, got 3"):
        workload(small("torch", f"{user_model}:build", data="3,5"))


# ------------------------------------------------------------------ the report


@pytest.fixture
def report():
    """A report with a failure, a sweep, goals met and goals missed."""
    results = []
    for batch_size in (16, 64):
        for maker, seconds in {"dualnn": 1e-5, "native": 2e-5, "keras": 1e-3, "lightning": 1e-5}.items():
            job = Job(maker, "torch", "mlp-4-16-3", batch_size, loop="eager" if maker == "native" else "")
            times = {FIT: [seconds, 1.1 * seconds, 0.9 * seconds], PREDICT: [seconds]}
            results.append(Result(job, times, 2.5, 300 * 2**20, 0.5, {"engine": "epoch"}))
    failed = Job("native", "torch", "mlp-4-16-3", 16, loop="<compiled>")
    results.append(Result(failed, error="RuntimeError: <no> compiler"))
    imports = {"numpy": [0.1, 0.1], "dualnn": [0.3, 0.5]}
    return Report(tuple(results), imports, "a machine", {"dualnn": "0.1.0"}, {"threads": 1}, 12.0)


def test_goals(report):
    found = {(goal.what, goal.where): goal for goal in goals(report)}
    where = "mlp-4-16-3, torch, batch 16"
    assert found["fit over native", where].met
    assert found["memory over native", where].measured == 1
    assert found["Keras over fit", where] == Goal("Keras over fit", where, pytest.approx(100), 25, True)
    assert not found["Lightning over fit", where].met
    assert not found["import, seconds over NumPy's", ""].met
    assert ("Keras over fit", "mlp-4-16-3, torch, batch 64") not in found  # only for a model's own batch


def test_tables(report, capsys):
    tables.show(report, tables.Console(width=200))
    out = capsys.readouterr().out
    for part in ("native: eager *", "(epoch)", "keras", "missed", "met", "300", "a machine"):
        assert part in out
    assert "native: <compiled> failed: RuntimeError: <no> compiler" in out


def test_the_page_needs_no_other_file(report, tmp_path):
    html.save(report, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert text.count("<svg") == 3  # training, the sweep, predict
    assert "RuntimeError: &lt;no&gt; compiler" in text
    assert "src=" not in text
    assert "<script" not in text


def test_json(report, tmp_path):
    export.save_json(report, tmp_path / "report.json")
    document = json.loads((tmp_path / "report.json").read_text())
    assert document["results"][0]["over_native"][FIT] == pytest.approx(0.5)
    assert document["results"][0]["job"]["batch_size"] == 16
    assert {goal["met"] for goal in document["goals"]} == {True, False}


def test_the_command(fake, monkeypatch, capsys, tmp_path):
    page, data = tmp_path / "b.html", tmp_path / "b.json"
    arguments = ["bench", "--model", "mlp-4-16-3", "--on", "torch", "--repetitions", "2"]
    arguments += ["--report", str(page), "--json", str(data)]
    monkeypatch.setattr(sys, "argv", ["dualnn", *arguments])
    with pytest.raises(SystemExit) as exited:
        cli.main()
    out, err = capsys.readouterr()
    assert exited.value.code == 0  # peers and native loops may fail, dualnn may not
    assert "mlp-4-16-3 on torch, batch 16: training" in out
    assert err == ""
    assert page.read_text().startswith("<!doctype html>")
    assert json.loads(data.read_text())["settings"]["repetitions"] == 2


def test_the_command_fails_with_dualnn(fake, monkeypatch, capsys):
    def fail(self, task, times):
        raise ContenderError("RuntimeError: out of ideas")

    monkeypatch.setattr(Fake, "ask", fail)
    monkeypatch.setattr(sys, "argv", ["dualnn", "bench", "--model", "mlp-4-16-3", "--on", "torch"])
    with pytest.raises(SystemExit) as exited:
        cli.main()
    assert exited.value.code == 1
    assert "dualnn failed: fit: RuntimeError: out of ideas" in capsys.readouterr().out
