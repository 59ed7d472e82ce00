"""Models as files that run without dualnn: ONNX, and programs of `torch.export`."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import logging
import warnings

import numpy as np
import torch

from dualnn.layers import tree
from dualnn.protocol import Exporter
from dualnn_torch.modules import NativeModule

MOST_BYTES = 2**31  # of an ONNX file that has its weights inside
TALKATIVE = ("torch.onnx", "torch.export", "torch.fx.experimental.symbolic_shapes", "onnxscript", "onnx_ir")


class _Traceable(NativeModule):
    """A `dualnn.exporting.Program` as a module of plain parameters and buffers, called on named inputs."""

    def __init__(self, program):
        super().__init__(program.model)
        self._slots = tree.slots(program.model)
        for slot in self._slots:  # tracers know no classes of others
            owner, name = self._place_of(slot)
            value = slot.variable.detach()
            setattr(owner, name, torch.nn.Parameter(value) if slot.trainable else value)

        def forward(*inputs):
            values = [getattr(*self._place_of(slot)) for slot in self._slots]
            with tree.bound(self._slots, values):
                results = program(inputs)
            return results[0] if len(results) == 1 else dict(zip(program.outputs, results, strict=True))

        # the exported program's arguments have the names of this function's
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        forward.__signature__ = inspect.Signature(
            [inspect.Parameter(one.name, kind) for one in program.inputs]
        )
        self.forward = forward

    def _place_of(self, slot):
        path, _, name = slot.path.rpartition(".")
        return self.get_submodule(path), name


def _write_torch_export(program, path):
    traced = _traced(program)
    with _quietly():
        torch.export.save(traced, path)


def _load_torch_export(program, path):
    module = torch.export.load(path).module()

    def run(arrays):
        with torch.no_grad():
            results = module(*map(torch.from_numpy, arrays))
        return [result.numpy() for result in (results.values() if isinstance(results, dict) else [results])]

    return run


def _write_onnx(program, path):
    onnx, onnxscript = (_needed(name) for name in ("onnx", "onnxscript"))
    size = sum(slot.variable.nbytes for slot in tree.slots(program.model))
    if size >= MOST_BYTES:
        raise ValueError(f"its weights take {size} bytes, and an ONNX file has less than {MOST_BYTES}")
    traced = _traced(program)
    with _quietly():
        written = torch.onnx.export(
            traced,
            tuple(map(torch.from_numpy, program.examples)),
            dynamo=True,
            input_names=[one.name for one in program.inputs],
            output_names=list(program.outputs),
            dynamic_shapes=_free_sizes(program),
            custom_translation_table={torch.ops.aten.scalar_tensor.default: _constant_writer(onnxscript)},
            verbose=False,
        )
    written.save(path)
    onnx.checker.check_model(str(path), full_check=True)


def _constant_writer(onnxscript):
    """Return what writes Python's numbers in their tensor's dtype: torch would round all to float32 first."""

    def constant(s: float, dtype: int = 1, layout: str = "", device: str = "", pin_memory: bool = False):
        if isinstance(s, onnxscript.ir.Value):
            return onnxscript.opset18.Cast(s, to=dtype)
        array = np.asarray(s, onnxscript.ir.DataType(dtype).numpy())
        return onnxscript.opset18.Constant(value=onnxscript.ir.tensor(array))

    return constant


def _load_onnx(program, path):
    try:
        import onnxruntime
    except ImportError:
        logging.getLogger("dualnn").warning(
            "%s was not run, as there is no onnxruntime; try: pip install 'dualnn[onnx]'", path.name
        )
        return None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is an error of ours, once
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [one.name for one in program.inputs]
    return lambda arrays: session.run(list(program.outputs), dict(zip(names, arrays, strict=True)))


exporters = {
    "onnx": Exporter(".onnx", _write_onnx, _load_onnx),
    "torch_export": Exporter(".pt2", _write_torch_export, _load_torch_export),
}


def _traced(program):
    """Return the program of `torch.export`, of operations that torch itself has."""
    examples = tuple(map(torch.from_numpy, program.examples))
    with torch.no_grad(), _one_setting_of_cudnn(), _quietly():
        traced = torch.export.export(_Traceable(program), examples, dynamic_shapes=_free_sizes(program))
        if _has(traced, torch.ops.dualnn.lstm.default):
            traced = traced.run_decompositions({torch.ops.dualnn.lstm.default: _lstm})
    for node in traced.graph.nodes:
        node.meta.pop("stack_trace", None)  # names of files of this machine
    return traced


def _free_sizes(program):
    batch = torch.export.Dim("batch")
    return {
        one.name: {
            axis: torch.export.Dim.AUTO if axis else batch
            for axis, size in enumerate(one.shape)
            if size is None
        }
        for one in program.inputs
    }


def _has(traced, operation):
    graphs = [part.graph for part in traced.graph_module.modules() if isinstance(part, torch.fx.GraphModule)]
    return any(graph.find_nodes(op="call_function", target=operation) for graph in graphs)


def _lstm(x, kernel, recurrent_kernel, bias, recurrent_bias, h, c):
    """Do what `lstm_in_graphs` has an operation of its own for, for the sake of gradients."""
    weights = [kernel, recurrent_kernel, bias, recurrent_bias]
    settings = True, 1, 0.0, False, False, False
    outputs, h, c = torch.ops.aten.lstm.input(x, [h[None], c[None]], weights, *settings)
    return outputs, h[0], c[0], x.new_empty(0, dtype=torch.uint8)


def _needed(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"ONNX files are written with {name}, which cannot be imported ({error}); "
            f"try: pip install 'dualnn[onnx]'"
        ) from error


@contextlib.contextmanager
def _one_setting_of_cudnn():
    """Let the older setting of TF32, which torch.export asks for, agree with the newer ones meanwhile.

    It raises an error where they differ, as they do after `dualnn_torch.precision` or a change of one.
    """
    kinds = torch.backends.cudnn.conv, torch.backends.cudnn.rnn
    before = [kind.fp32_precision for kind in kinds]
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        for kind, precision in zip(kinds, before, strict=True):
            kind.fp32_precision = precision


@contextlib.contextmanager
def _quietly():
    """Leave out what the tracers have to say of themselves: an error that they raise says enough."""
    loggers = [logging.getLogger(name) for name in TALKATIVE]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
