"""The native loops that a good engineer would write, which `dualnn bench` holds dualnn against.

All do the work that `fit` does: batches gathered by a shuffled order from data in memory, Adam by Keras's
formula with Keras's settings, and the mean loss of the epoch. Which of them is the fastest depends on the
model, the batch and the machine; the benchmark measures them all and takes the best.
"""

from __future__ import annotations

import logging
import warnings

import torch
from torch import nn
from torch.func import functional_call, grad_and_value

LEARNING_RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7

KERAS_OVER_FIT = {"mlp-4-16-3": 25.0, "mlp-784-128-10": 7.0}
"""The benchmark's goals for models whose step is mostly what surrounds it: how many times `fit`'s time Keras
takes here at least."""


# ------------------------------------------------------------------ networks


class Images(nn.Sequential):
    """A network of images (n, c, h, w), which memory holds in one of PyTorch's two formats."""

    def __init__(self, *layers, memory_format):
        super().__init__(*layers)
        self.memory_format = memory_format
        self.to(memory_format=memory_format)


class Lstm(nn.Module):
    """A recurrent layer and a classifier of its last output."""

    def __init__(self, features, units, classes):
        super().__init__()
        self.lstm = nn.LSTM(features, units, batch_first=True)
        self.classifier = nn.Linear(units, classes)

    def forward(self, x):
        """Map (n, steps, features) to (n, classes)."""
        return self.classifier(self.lstm(x)[0][:, -1])


class Transformer(nn.Module):
    """One encoder block, normalized after its residual sums, and a classifier of the mean over the steps."""

    def __init__(self, features, width, heads, hidden, classes):
        super().__init__()
        self.heads = heads
        self.embedding = nn.Linear(features, width)
        self.projection, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)
        # Keras's epsilon
        self.first, self.second = nn.LayerNorm(width, eps=1e-3), nn.LayerNorm(width, eps=1e-3)
        self.hidden, self.back = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, x):
        """Map (n, steps, features) to (n, classes)."""
        x = self.embedding(x)
        n, steps, width = x.shape
        shape = (n, steps, self.heads, width // self.heads)
        q, k, v = (part.reshape(shape).transpose(1, 2) for part in self.projection(x).chunk(3, dim=-1))
        attended = nn.functional.scaled_dot_product_attention(q, k, v)
        x = self.first(x + self.merge(attended.transpose(1, 2).reshape(n, steps, width)))
        x = self.second(x + self.back(torch.relu(self.hidden(x))))
        return self.classifier(x.mean(dim=1))


def _mlp(features, hidden, classes):
    return lambda: nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, classes))


def _cnn(memory_format, normalized):
    def block(channels, filters):
        norm = [nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01)] if normalized else []  # as Keras's
        return [nn.Conv2d(channels, filters, 3), *norm, nn.ReLU(), nn.MaxPool2d(2)]

    return lambda: Images(
        *block(1, 32), *block(32, 64), nn.Flatten(), nn.Linear(1600, 10), memory_format=memory_format
    )


def _in_both_formats(normalized):
    formats = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}
    return {name: _cnn(memory_format, normalized) for name, memory_format in formats.items()}


NETWORKS = {
    "mlp-4-16-3": {"": _mlp(4, 16, 3)},
    "mlp-784-128-10": {"": _mlp(784, 128, 10)},
    "cnn": _in_both_formats(normalized=False),
    "cnn-batch-norm": _in_both_formats(normalized=True),
    "lstm": {"": lambda: Lstm(28, 64, 10)},
    "transformer": {"": lambda: Transformer(28, 64, 4, 128, 10)},
}
"""For each model of the benchmark the ways to write it, by a name that says how they differ."""


def as_input(network, x):
    """Return a NumPy array (n, ...), images (n, h, w, c), as the network takes it, float32 on the CPU."""
    tensor = torch.from_numpy(x)
    if isinstance(network, Images):
        return tensor.permute(0, 3, 1, 2).contiguous(memory_format=network.memory_format)
    return tensor


def cross_entropy(y, y_pred):
    """Return the mean cross-entropy of logits (n, classes) and int64 labels (n,)."""
    return nn.functional.cross_entropy(y_pred, y)


# ------------------------------------------------------------------ training


def eager(network, loss, x, y, batch_size):
    """The loop of every tutorial, with the fused Adam."""
    x, y = as_input(network, x), torch.from_numpy(y)
    return _stepping(network, network, loss, x, y, batch_size)


def compiled(network, loss, x, y, batch_size):
    """The same with a compiled network."""
    x, y = as_input(network, x), torch.from_numpy(y)
    return _stepping(network, torch.compile(network), loss, x, y, batch_size)


def compiled_step(network, loss, x, y, batch_size):
    """One compiled function for forward, backward and update; the state is changed in place."""
    x, y = as_input(network, x), torch.from_numpy(y)
    state, step = _functional(network, loss)

    def in_place(state, rows_x, rows_y):
        new, value = step(state, rows_x, rows_y)
        for name, part in state.items():
            for key, tensor in part.items():
                tensor.copy_(new[name][key])
        return value

    do_step = torch.compile(in_place, fullgraph=True)

    def epoch():
        total = torch.zeros(())
        with torch.no_grad():
            for rows in torch.randperm(len(x)).split(batch_size):
                total += do_step(state, x[rows], y[rows])
        return float(total) * batch_size / len(x)

    return epoch


def compiled_epoch(network, loss, x, y, batch_size):
    """All steps of an epoch in one compiled loop."""
    from torch._higher_order_ops.scan import scan

    x, y = as_input(network, x), torch.from_numpy(y)
    state, step = _functional(network, loss)

    def body(state, rows):
        new, value = step(state, x[rows], y[rows])
        return new, value.clone()

    do_epoch = torch.compile(lambda state, order: scan(body, state, order), fullgraph=True)

    def epoch():
        nonlocal state
        with torch.no_grad():
            state, values = do_epoch(state, torch.randperm(len(x)).reshape(-1, batch_size))
        return float(values.mean())

    return epoch


LOOPS = {
    "eager": eager,
    "compiled": compiled,
    "compiled step": compiled_step,
    "compiled epoch": compiled_epoch,
}
"""Loops of training: each a function of a network, a loss ``(y, y_pred)``, NumPy arrays and the batch's size
that returns a function which trains for one epoch and returns its mean loss."""

OWN_LOOPS = {"eager": eager}
"""Of these loops, those with which a loop of one's own around a tape compares."""

AROUND_A_MODEL = ("eager",)
"""Those of all these loops that also go around the native module of a dualnn model."""


def _stepping(network, forward, loss, x, y, batch_size):
    optimizer = _fused_adam(network)
    network.train()

    def epoch():
        total = torch.zeros(())
        for rows in torch.randperm(len(x)).split(batch_size):
            optimizer.zero_grad()
            value = loss(y[rows], forward(x[rows]))
            value.backward()
            optimizer.step()
            total += value.detach()
        return float(total) * batch_size / len(x)

    return epoch


def _fused_adam(network):
    betas = (BETA_1, BETA_2)
    return torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, betas=betas, eps=EPSILON, fused=True)


def _functional(network, loss):
    """Return the state, and a function of it and of a batch that returns the next state and the loss."""
    network.train()
    parameters = {name: value.detach().clone() for name, value in network.named_parameters()}
    buffers = {name: value.detach().clone() for name, value in network.named_buffers()}
    state = {
        "parameters": parameters,
        "buffers": buffers,
        "momentum": {name: torch.zeros_like(value) for name, value in parameters.items()},
        "velocity": {name: torch.zeros_like(value) for name, value in parameters.items()},
        "steps": {"done": torch.zeros(())},
    }

    def value_of(parameters, buffers, x, y):
        buffers = {name: value.clone() for name, value in buffers.items()}
        y_pred = functional_call(network, {**parameters, **buffers}, (x,))
        return loss(y, y_pred), buffers

    gradient_of = grad_and_value(value_of, has_aux=True)

    def step(state, x, y):
        gradients, (value, buffers) = gradient_of(state["parameters"], state["buffers"], x, y)
        t = state["steps"]["done"] + 1
        rate = LEARNING_RATE * torch.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
        m = {k: v + (gradients[k] - v) * (1 - BETA_1) for k, v in state["momentum"].items()}
        s = {k: v + (gradients[k].square() - v) * (1 - BETA_2) for k, v in state["velocity"].items()}
        p = {k: v - rate * m[k] / (s[k].sqrt() + EPSILON) for k, v in state["parameters"].items()}
        return {
            "parameters": p,
            "buffers": buffers,
            "momentum": m,
            "velocity": s,
            "steps": {"done": t},
        }, value

    return state, step


# ------------------------------------------------------------------ inference


def eager_forward(network):
    """The network as it is, in inference mode."""
    network.eval()

    def forward(x):
        with torch.inference_mode():
            return network(as_input(network, x)).numpy()

    return forward


def compiled_forward(network):
    """The network, compiled."""
    network.eval()
    compiled_network = torch.compile(network)

    def forward(x):
        with torch.inference_mode():
            return compiled_network(as_input(network, x)).numpy()

    return forward


FORWARDS = {"eager": eager_forward, "compiled": compiled_forward}
"""Ways to compute outputs, from a NumPy array to a NumPy array, by the name of the loop they go with."""


# ------------------------------------------------------------------ peers


def lightning(network, loss, x, y, batch_size, epochs):
    """Lightning its own way, with a DataLoader and the fused Adam, and with nothing logged."""
    from lightning import Callback, LightningModule, Trainer

    class Module(LightningModule):
        def __init__(self):
            super().__init__()
            self.network = network

        def on_train_epoch_start(self):
            self.total = torch.zeros(())

        def training_step(self, batch, index):
            value = loss(batch[1], self.network(batch[0]))
            self.total += value.detach()
            return value

        def configure_optimizers(self):
            return _fused_adam(self.network)

    class Paced(Callback):
        def __init__(self, more):
            self.more = more

        def on_train_epoch_end(self, trainer, module):
            trainer.should_stop = not self.more(float(module.total) * batch_size / len(x))

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")  # its advice, worker processes, is slower here
    data = torch.utils.data.TensorDataset(as_input(network, x), torch.from_numpy(y))
    loader = torch.utils.data.DataLoader(data, batch_size=batch_size, shuffle=True)
    module = Module()

    def fit(more):
        trainer = Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            callbacks=[Paced(more)],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, loader)

    return fit


PEERS = {"lightning": lightning}
"""What trains the native networks otherwise: functions of a network, a loss ``(y, y_pred)``, NumPy arrays,
the batch's size and a number of epochs, that return a function which trains so long, and asks the function
that it is given after each epoch, with the mean loss, whether to go on."""


def environment(threads, folder):
    """Return the variables of a process that computes with so many threads and keeps nothing compiled.

    Args:
        threads: how many.
        folder: an empty folder for what is compiled on the way.
    """
    return {"OMP_NUM_THREADS": str(threads), "TORCHINDUCTOR_CACHE_DIR": folder}
