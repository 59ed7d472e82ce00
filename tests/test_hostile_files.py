"""Files that are damaged or forged: a sentence in bounded time and memory, and nothing has changed.

A file is what an enemy may send. Thousands of them are made from good ones: by changing bytes, and by
changing what the bytes say and giving them the right checksum again.
"""

import collections
import json
import os
import pickle
import random
import resource
import subprocess
import sys
import time

import numpy as np
import pytest
import safetensors.numpy

import dualnn as dn
from dualnn import layers
from dualnn.layers.tree import walk
from dualnn.saving import archive

SECONDS, MEGABYTES = 20.0, 150
"""The most that reading any of the files may take: seconds of the processor, and memory in addition.

The longest took one second; threads of other tests in the process, and their garbage, count too."""


@dn.saving.register("tests.Tower")
class Tower(dn.Model):
    def __init__(self, blocks, width=3):
        super().__init__()
        self.blocks = blocks
        self.top = layers.Dense(width)

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return self.top(x)


@dn.saving.register("tests.half")
def half(x):
    return x * 0.5


def _sequential():
    model = dn.Sequential([dn.Input((4,)), layers.Dense(5, activation="relu"), layers.Dropout(0.25)])
    model.add(layers.BatchNormalization())
    model.add(layers.Dense(2))
    return model


def _functional():
    a, b = dn.Input((4,), name="a"), dn.Input((3, 2), name="b")
    shared = layers.Dense(4, activation=half)
    attended = layers.MultiHeadAttention(1, 2)(b, value=b, use_causal_mask=True)
    inside = dn.Input((4,))
    inner = dn.Model(inside, shared(inside) * 2.0)
    y = layers.Concatenate()([inner(shared(a)), attended[:, 0, 1:]])
    return dn.Model([a, b], [layers.Dense(2, name="left")(y), layers.Dense(1, name="right")(y)])


def _tower():
    initializer = dn.initializers.Constant(np.arange(3.0))
    inside = dn.Sequential([layers.Dense(3, kernel_initializer=initializer)])
    return Tower([inside, layers.Activation("gelu")])


def _recurrent():
    both = layers.Bidirectional(layers.GRU(2, return_sequences=True, dropout=0.1))
    return dn.Sequential([dn.Input((3, 2)), both, layers.TimeDistributed(layers.Dense(2)), layers.Flatten()])


X, SEQUENCES = np.linspace(-1, 1, 24, dtype="float32").reshape(6, 4), np.ones((6, 3, 2), "float32")
MODELS = {
    _sequential: (X, dn.losses.MeanSquaredError()),
    _functional: ([X, SEQUENCES], ["mse", dn.losses.Huber(0.5)]),
    _tower: (X, "mae"),
    _recurrent: (SEQUENCES, "mse"),
}


def write_originals(folder):
    """Write a file of each model, trained for an epoch, and return their paths."""
    paths = []
    for make, (x, loss) in MODELS.items():
        model = make()
        schedule = dn.optimizers.schedules.PiecewiseConstantDecay([3, 5], [0.1, 0.05, 0.01])
        model.compile(
            dn.optimizers.Adam(schedule if make is _tower else 0.1, clipnorm=1.0), loss, metrics=None
        )
        y = model.predict(x)
        model.fit(x, y, epochs=1, seed=3, verbose=0)
        paths.append(folder / f"{make.__name__}.dualnn")
        model.save(paths[-1])
    return paths


# ------------------------------------------------------------------ taking files apart, and forging them


def parts(path):
    """Return the metadata, the description and the arrays of a file."""
    with safetensors.safe_open(path, framework="np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    return metadata, json.loads(metadata["description"]), arrays


def forged(metadata, text, arrays):
    """Return the bytes of a file with a right checksum."""
    metadata = {**metadata, "description": text, "sha256": archive._checksum(text, arrays)}
    return safetensors.numpy.save(arrays, metadata=metadata)


def places(tree, found=None):
    """Return every place in a tree of lists and dictionaries, as the container and the key."""
    found = [] if found is None else found
    for key, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
        found.append((tree, key))
        if isinstance(value, dict | list):
            places(value, found)
    return found


def copied(tree):
    return json.loads(json.dumps(tree))


DEEP = "\x00deep\x00"
"""Stands for what `json.dumps` could not write; it is put in its place in the text."""
NUMBERS = [0, 1, -1, 2, 3, 7, 255, 10**6, 10**9, 10**12, 2**31, 2**63 - 1, 2**63, 10**30, -(10**18)]
NUMBERS += [0.0, -0.5, 1e-300, 1e308, *({"__float__": text} for text in ("nan", "inf", "x", []))]
TEXTS = ["", "\ud800", "e" * 9999, "x", "relu", "float16", "../../etc/passwd", "__import__('os')"]
NAMES = [
    *("os.system", "builtins.eval", "dualnn.saving.registry.register", "tests.Tower", "tests.half"),
    *("dualnn.layers.layer.Layer", "dualnn.layers._X", "dualnn.activations.relu", "dualnn.regularizers.L2"),
    *(
        "dualnn.models.Model",
        "dualnn.models.Sequential",
        "dualnn.losses.Huber",
        "dualnn.optimizers.Optimizer",
    ),
    *(f"dualnn.layers.{name}" for name in layers.__all__),
]
TAGS = ["tuple", "object", "same", "function", "class", "slice", "unknown", 3, []]
WAYS = ["value", "value", "value", "delete", "rename", "duplicate", "repeat", "swap", "graft", "wrap"]
WAYS += ["number", "class", "tag"]
VALUES = [
    *(None, True, False, [], {}, [[]], {"": 0}, [None] * 5000, [[1, 2], [3, 4]], DEEP),
    *({"__array__": name} for name in ("variables.layers.0.kernel", "nowhere", [])),
    *({"$": "reference", "number": number} for number in (0, 1, 99)),
    *({"$": "object", "class": "dualnn.layers.Dense", "config": {"units": n}} for n in (2, 10**12, -1)),
    *({"$": "object", "class": f"dualnn.{name}", "config": {}} for name in ("layers.Add", "losses.Huber")),
    {"$": "object", "class": "dualnn.layers.Dense", "config": {"units": 3, "number": 1}, "number": 0},
    {"$": "object", "class": "dualnn.models.Sequential", "config": {"layers": []}},
    {"$": "object", "class": "dualnn.optimizers.SGD", "config": {"learning_rate": -1}},
    {"$": "function", "name": "dualnn.activations.relu"},
    {"$": "class", "name": "dualnn.layers.LSTM"},
    {"$": "dictionary", "items": [[[1], 2]]},
    {"$": "tuple", "items": [None, 4]},
    {"$": "slice", "items": [1]},
    {"$": "same", "number": 0},
    {"$": "ellipsis"},
    {"$": "tuple"},
]


def change_tree(rng, tree, others):
    """Change a description in one place, in one of a dozen ways; return what was done."""
    container, key = rng.choice(places(tree))
    value = container[key]
    way = rng.choice(WAYS)
    if way in ("class", "tag", "number"):  # where there are such
        wanted = {"class": ("class", "name", "function"), "tag": ("$",), "number": ("number",)}[way]
        chosen = [(c, k) for c, k in places(tree) if k in wanted or (way == "number" and type(c[k]) is int)]
        if chosen:
            container, key = rng.choice(chosen)
        container[key] = {
            "class": lambda: rng.choice(NAMES),
            "tag": lambda: rng.choice(TAGS),
            "number": lambda: rng.choice((-1, 0, 1, 2, 3, 5, 10**12, 2**64, 0.5, container[key])),
        }[way]()
    elif way == "delete":
        del container[key]
    elif way == "rename" and isinstance(container, dict):
        container[rng.choice(("", "name", "units", "layers", "$", "x"))] = container.pop(key)
    elif way == "duplicate" and isinstance(container, list):
        container.insert(key, copied(value))
    elif way == "repeat":
        container[key] = [value] * rng.choice((0, 2, 1000))
    elif way == "swap":
        other, place = rng.choice(places(tree))
        container[key], other[place] = copied(other[place]), copied(value)
    elif way == "graft":
        donor, place = rng.choice(places(rng.choice(others)))
        container[key] = copied(donor[place])
    elif way == "wrap":
        for _ in range(rng.choice((1, 2, 20))):
            value = rng.choice(([value], {"$": "tuple", "items": [value]}, {"x": value}))
        container[key] = value
    else:
        way, container[key] = "value", copied(rng.choice(rng.choice((VALUES, NUMBERS, TEXTS))))
    return way


def change_arrays(rng, arrays):
    name = rng.choice(sorted(arrays))
    array = arrays[name]
    way = rng.choice(("drop", "dtype", "shape", "values", "extra", "swap"))
    if way == "drop":
        del arrays[name]
    elif way == "dtype":
        with np.errstate(all="ignore"):  # numbers that the dtype has not
            arrays[name] = array.astype(rng.choice(("float16", "float64", "int8", "uint64", "bool")))
    elif way == "shape":
        arrays[name] = np.zeros(
            rng.choice([(), (0,), (1,), (2, 2), (5, 4, 3), (1,) * 40, (0, 10**15)]), array.dtype
        )
    elif way == "values":
        arrays[name] = np.full_like(array, rng.choice((0, 1, 100)))
    elif way == "extra":
        arrays[rng.choice(("", "x", "variables.layers.9.kernel"))] = array
    else:
        other = rng.choice(sorted(arrays))
        arrays[name], arrays[other] = arrays[other], array
    return f"arrays: {way}"


def change_bytes(rng, data, other):
    data = bytearray(data)
    way = rng.choice(("flip", "flip", "truncate", "splice", "cut", "insert", "zeros", "length", "noise"))
    start = rng.randrange(len(data))
    stop = min(len(data), start + rng.choice((1, 8, 100, 5000)))
    if way == "flip":
        for _ in range(rng.choice((1, 1, 3, 50))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif way == "truncate":
        del data[start:]
    elif way == "splice":
        data[start:stop] = other[start:stop]
    elif way == "cut":
        del data[start:stop]
    elif way == "insert":
        data[start:start] = rng.randbytes(stop - start)
    elif way == "zeros":
        data[start:stop] = bytes(stop - start)
    elif way == "length":
        data[:8] = rng.choice((0, 1, 2, 100, 10**8, 2**40, 2**63, 2**64 - 1)).to_bytes(8, "little")
    else:
        data = bytearray(rng.randbytes(rng.choice((0, 1, 8, 100, 10**5))))
    return f"bytes: {way}", bytes(data)


def change_header(rng, data):
    """Change what safetensors' own header says of the arrays, or the metadata."""
    size = int.from_bytes(data[:8], "little")
    header, rest = json.loads(data[8 : 8 + size]), data[8 + size :]
    entry = header[rng.choice(sorted(header))]
    key = rng.choice(sorted(entry))
    values = {
        "dtype": ("F64", "I8", "BF16", "F8_E4M3", "BOOL", "X", 3),
        "shape": ([], [0], [-1], [10**12], [2**40, 2**40], [1] * 100, "x", None),
        "data_offsets": ([0, 10**12], [8, 0], [0, 0], [-1, 8], [2**63, 2**64], [0]),
        "version": ("2", "0", "", "1e9", "one"),
        "format": ("dualnn.checkpoint", "dualnn", "pt", ""),
    }
    entry[key] = rng.choice(values.get(key, ("", "x", None, "[", '{"model": 1}', "null")))
    if rng.random() < 0.2:
        del entry[key]
    text = json.dumps(header).encode()
    return f"header: {key if key in values else 'text'}", len(text).to_bytes(8, "little") + text + rest


def mutated(rng, originals):
    """Return a new file, and in a few words what was done to a good one."""
    data, (metadata, tree, arrays) = rng.choice(originals)
    others = [other for _, (_, other, _) in originals]
    kind = rng.random()
    if kind < 0.2:
        return change_bytes(rng, data, rng.choice(originals)[0])
    if kind < 0.3:
        return change_header(rng, data)
    tree, arrays = copied(tree), dict(arrays)
    done = change_arrays(rng, arrays) if kind < 0.4 else f"description: {change_tree(rng, tree, others)}"
    if rng.random() < 0.3:
        change_tree(rng, tree, others)
        done = done.split(":")[0] + ": several"
    text = json.dumps(tree)
    if json.dumps(DEEP) in text:
        depth, (left, right) = rng.choice((50, 500, 50_000)), rng.choice((("[", "]"), ('{"a":', "}")))
        text = text.replace(json.dumps(DEEP), left * depth + "1" + right * depth)
    return done, forged(metadata, text, arrays)


# ------------------------------------------------------------------ what becomes of them


def cause_of(error):
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def outcome(path):
    """Load a file; return "loaded" or the kind of the error's cause, after judging either."""
    try:
        model = dn.load_model(path)
    except ValueError as error:
        text, cause = str(error), cause_of(error)
        assert text.startswith(str(path)), text
        assert len(text) < 1000 + len(str(path)), text
        assert "\n" not in text
        assert not isinstance(cause, MemoryError), text
        return type(cause).__name__
    _, _, arrays = parts(path)
    for variable_path, variable in model.state_paths.items():
        value, held = model.nn.to_numpy(variable), arrays[f"variables.{variable_path}"]
        assert (value.dtype, value.shape, value.tobytes()) == (held.dtype, held.shape, held.tobytes())
    assert all(layer.placed for _, layer in walk(model))
    again = path.with_name("again")  # it is a whole model, which says the same again and again
    model.save(again)
    dn.load_model(again).save(path.with_name("third"))
    assert parts(again)[1] == parts(path.with_name("third"))[1]
    return "loaded"


def fuzz(folder, count, seed, backend):
    """Load `count` forged files; return the outcomes by kind, the longest time and the memory taken."""
    dn.use(backend)
    originals = [(path.read_bytes(), parts(path)) for path in write_originals(folder)]
    witness = dn.load_model(folder / "_functional.dualnn")
    before = state_of(witness)
    for path in sorted(folder.glob("*.dualnn")):
        assert outcome(path) == "loaded"
    rng, path = random.Random(seed), folder / "forged"
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes, longest = collections.Counter(), (0.0, "")
    for number in range(count):
        done, data = mutated(rng, originals)
        path.write_bytes(data)
        start = time.process_time()
        try:
            found = outcome(path)
        except BaseException as error:
            error.add_note(f"(file number {number} of seed {seed}: {done})")
            raise
        longest = max(longest, (time.process_time() - start, f"{number}, {done}"))
        outcomes[done, found] += 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    assert state_of(witness) == before
    assert longest[0] < SECONDS, longest
    assert grown < MEGABYTES, grown
    return outcomes, longest, grown


def state_of(model):
    """Everything that a file could have changed: a model, the names, what is imported, the seeds to come."""
    arrays = {path: model.nn.to_numpy(variable).tobytes() for path, variable in model.state_paths.items()}
    names = [(path, layer.name, layer.trainable, layer.built) for path, layer in walk(model)]
    others = {name for name in sys.modules if not name.startswith("dualnn.")}  # some of ours come when needed
    return arrays, names, dict(dn.saving.registry._registered), others, dn.random.process_state()


def test_some_hundred_forged_files(backend, tmp_path):
    outcomes, _, _ = fuzz(tmp_path, 300, 0, backend)
    kinds = collections.Counter()
    for (_, found), count in outcomes.items():
        kinds["loaded" if found == "loaded" else "refused"] += count
    assert kinds["refused"] > 200
    assert kinds["loaded"] > 10  # a name that has changed, say: else the fuzzer only ever knocks at the door


@pytest.mark.slow
def test_ten_thousand_forged_files(backend, tmp_path):
    fuzz(tmp_path, 10_000, 1, backend)


# ------------------------------------------------------------------ files that are meant badly


@pytest.fixture
def good(backend, tmp_path):
    """The path of a file of a small model, and what it is made of."""
    path = tmp_path / "m.dualnn"
    model = _sequential()
    model.compile("adam", "mse")
    model.fit(X, np.zeros((6, 2)), verbose=0, seed=1)
    model.save(path)
    return path, *parts(path)


def refused(path, match):
    start = time.process_time()
    with pytest.raises(ValueError, match=match) as caught:
        dn.load_model(path)
    assert time.process_time() - start < SECONDS
    assert not isinstance(cause_of(caught.value), MemoryError)


def test_no_file(backend, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        dn.load_model(tmp_path / "nowhere")
    refused(tmp_path, "expected a whole file of kind 'model'")


def test_pickles_are_not_opened(backend, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "evil"),)

    path = tmp_path / "m.dualnn"
    path.write_bytes(pickle.dumps(Evil()))
    refused(path, "expected a whole file")
    np.save(path, np.asarray([Evil()]), allow_pickle=True)
    refused(path.with_suffix(".dualnn.npy"), "expected a whole file")
    assert not (tmp_path / "evil").exists()


def test_another_kind_and_a_later_version(good):
    path, metadata, tree, arrays = good
    archive.write(path, "checkpoint", {"a": 1})
    refused(path, "it is dualnn.checkpoint, expected dualnn.model")
    path.write_bytes(forged({**metadata, "version": "2"}, json.dumps(tree), arrays))
    refused(path, "version 2, this dualnn reads version 1")


def test_damage_is_told_from_forgery(good):
    path, *_ = good
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    refused(path, "its checksum is wrong: the file has been damaged")
    path.write_bytes(data[: len(data) // 2])
    refused(path, "expected a whole file")


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "antigravity.geohash",
        "builtins.eval",
        "dualnn.cli.main",
        "dualnn.saving.registry.register",
    ],
)
def test_names_are_looked_up_and_never_imported(good, name):
    path, metadata, tree, arrays = good
    tree["model"]["config"]["layers"][0]["class"] = name
    path.write_bytes(forged(metadata, json.dumps(tree), arrays))
    modules = set(sys.modules)
    refused(path, f"(unknown|no) class '{name}'")
    assert set(sys.modules) == modules
    tree["model"]["config"]["layers"][0] = {"$": "function", "name": name}
    path.write_bytes(forged(metadata, json.dumps(tree), arrays))
    refused(path, f"(unknown|no) function '{name}'")


@pytest.mark.parametrize("units", [10**9, 10**12, 10**30, -5, 0, 2.5, "5", None, [5]])
def test_sizes_are_compared_before_memory_is_taken(good, units):
    path, metadata, tree, arrays = good
    tree["model"]["config"]["layers"][0]["config"]["units"] = units
    path.write_bytes(forged(metadata, json.dumps(tree), arrays))
    huge = isinstance(units, int) and units > 0
    wrong = "units must be a (positive )?whole number"
    refused(path, "a weight of shape .* which the file does not hold" if huge else wrong)


@pytest.mark.parametrize("size", [10**12, 2**62, -1, 0.5])
def test_a_huge_input_is_not_made_up(good, size):
    path, metadata, tree, arrays = good
    for layer in tree["layers"].values():
        layer["input_shape"]["items"][-1] = size
    path.write_bytes(forged(metadata, json.dumps(tree), arrays))
    refused(path, "a weight of shape" if size > 1 else "expected a whole number")


def test_one_array_serves_one_weight(good):
    # many layers of a size that the file holds once would take many times the file's size
    path, metadata, tree, arrays = good
    dense = tree["model"]["config"]["layers"][0]
    tree["model"]["config"]["layers"] = [dense] * 1000
    layer = tree["layers"]["layers.0"]
    tree["layers"] = {"": tree["layers"][""]} | {f"layers.{i}": layer for i in range(1000)}
    path.write_bytes(forged(metadata, json.dumps(tree), arrays))
    refused(path, "a weight of shape .* which the file does not hold")


def test_a_billion_laughs(good):
    # a model of two models of two models ...: 2**60 layers, if one looked into each of them
    path, metadata, tree, arrays = good

    def doubled(number, inside):
        same = {"$": "same", "number": number + 1}
        config = {"input": None, "layers": [inside, same], "name": "m"}
        return {"$": "object", "class": "dualnn.models.Sequential", "config": config, "number": number}

    node = {"$": "object", "class": "dualnn.layers.Flatten", "config": {"name": "f"}, "number": 60}
    for number in reversed(range(60)):
        node = doubled(number, node)
    tree["model"] = node
    path.write_bytes(forged(metadata, json.dumps(tree), arrays))
    refused(path, "the model has a layer 'layers.0.layers.0")


@pytest.mark.parametrize("depth", [100, 1000, 100_000])
def test_depth(good, depth):
    path, metadata, tree, arrays = good
    tree["model"]["config"]["layers"][0]["config"]["units"] = DEEP
    text = json.dumps(tree).replace(json.dumps(DEEP), '{"$":"tuple","items":[' * depth + "]}" * depth)
    path.write_bytes(forged(metadata, text, arrays))
    refused(path, "units must be a whole number" if depth == 100 else "recursion")


@pytest.mark.parametrize("number", [0, 1, 5, 10**9, -1, "0"])
def test_graphs_have_no_cycles(backend, tmp_path, number):
    x = dn.Input((3,))
    model = dn.Model(x, layers.Dense(2)(x + 1.0))
    path = tmp_path / "m.dualnn"
    model.save(path)
    metadata, tree, arrays = parts(path)
    nodes = tree["model"]["config"]["nodes"]
    nodes[1]["args"][0]["number"] = number
    path.write_bytes(forged(metadata, json.dumps(tree), arrays))
    if number == 0:
        assert dn.load_model(path).output_shape == model.output_shape
    else:
        refused(path, "refers to node|expected a whole number")


def test_a_failed_load_leaves_no_trace(good):
    path, metadata, tree, arrays = good
    model = dn.load_model(path)
    before = state_of(model)
    tree["training"]["optimizer"]["iterations"] = -1  # the last thing that is looked at
    path.write_bytes(forged(metadata, json.dumps(tree), arrays))
    refused(path, "expected a whole number from 0 and below 2\\*\\*63 for iterations, got -1")
    assert state_of(model) == before


def test_constructors_of_registered_classes_may_raise_what_they_like(backend, tmp_path):
    @dn.saving.register("tests.Picky")
    class Picky(dn.Layer):
        def __init__(self, size=1):
            super().__init__()
            self.size = size
            1 / size

        def call(self, x):
            return x

    path = tmp_path / "m.dualnn"
    model = dn.Sequential([dn.Input((3,)), Picky()])
    model.save(path)
    metadata, tree, arrays = parts(path)
    tree["model"]["config"]["layers"][0]["config"]["size"] = 0
    path.write_bytes(forged(metadata, json.dumps(tree), arrays))
    refused(path, "cannot be made from this file: ZeroDivisionError: division by zero")


@pytest.mark.slow
def test_memory_is_bounded_by_a_limit_of_the_system(good):
    """The same in a process that may take half a gigabyte more than it has: asking for more would be seen."""
    path, metadata, tree, arrays = good
    tree["model"]["config"]["layers"][0]["config"]["units"] = 10**9
    path.write_bytes(forged(metadata, json.dumps(tree), arrays))
    program = """
import resource, sys, dualnn as dn
dn.backend(sys.argv[2])
dn.Sequential([dn.Input((3,)), dn.layers.Dense(2)]).build()
pages = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (pages + 2**29, pages + 2**29))
try:
    dn.load_model(sys.argv[1], backend=sys.argv[2])
except ValueError as error:
    assert "which the file does not hold" in str(error), error
else:
    raise SystemExit("it was loaded")
"""
    subprocess.run([sys.executable, "-c", program, str(path), dn.backend().name], check=True, timeout=300)
