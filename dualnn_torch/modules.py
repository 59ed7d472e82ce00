"""A layer as the framework's own module type."""

from __future__ import annotations

import torch

from dualnn.layers import tree


class NativeModule(torch.nn.Module):
    """A dualnn layer as a `torch.nn.Module` over the very same variables.

    Trainable variables are its parameters and the others its buffers, under the names that they have
    in `state_paths` and in weight files. ``train()`` and ``eval()`` say how the layer is called.

    To move it, move the layer: ``layer.on("torch", device="cuda").native``. The module's own ``to``
    would give its buffers a memory of their own.

    Args:
        layer: a built dualnn layer or model.
    """

    def __init__(self, layer):
        super().__init__()
        self.__dict__["_dualnn_layer"] = layer  # not as an attribute that Module looks into
        for slot in tree.slots(layer):
            *path, name = slot.path.split(".")
            owner = _container(self, path)
            if slot.trainable:
                owner.register_parameter(name, slot.variable)
            else:
                owner.register_buffer(name, slot.variable)

    def forward(self, *args, **kwargs):
        """Call the layer; after ``train()`` as in training."""
        return self._dualnn_layer(*args, training=self.training, **kwargs)


def native_module(layer, /):
    """Return the layer as a `torch.nn.Module` over the very same variables.

    >>> import dualnn as dn
    >>> model = dn.Sequential([dn.layers.Dense(2)])
    >>> y = model([[1.0]])
    >>> dn.backend().to_numpy(model.native(model.nn.asarray([[1.0]]))).shape
    (1, 2)
    """
    return NativeModule(layer)


def functional_call(module, values, args, kwargs, /):
    """Call a `torch.nn.Module` with other values than those of its parameters and buffers; pure.

    Args:
        module: the module.
        values: tensors by the paths of parameters and buffers, ``{"0.weight": ...}``.
        args: the arguments by position.
        kwargs: the arguments by name.

    Returns:
        What the module returns, and the values by their paths after the call: in its training mode, a module
        changes its buffers.

    >>> import torch
    >>> import dualnn as dn
    >>> nn = dn.backend("torch")
    >>> module = torch.nn.Linear(1, 1)
    >>> values = {"weight": nn.asarray([[2.0]]), "bias": nn.asarray([1.0])}
    >>> float(nn.functional_call(module, values, (nn.asarray([[3.0]]),), {})[0])
    7.0
    """
    names = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    values = {
        name: value if name in names or not module.training else value.detach().clone()
        for name, value in values.items()
    }
    return torch.func.functional_call(module, values, args, kwargs, tie_weights=False), values


def _container(module, path):
    for name in path:
        if name not in module._modules:
            module.add_module(name, torch.nn.Module())
        module = module._modules[name]
    return module
