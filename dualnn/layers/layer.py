"""The layer: its fields, and one call."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import optree

from dualnn import initializers, random, regularizers
from dualnn.fast_paths import fast_path
from dualnn.foreign.modules import check_activation, check_variables, is_module, refused
from dualnn.layers import context, declared, masks, tree
from dualnn.layers.input_spec import InputSpec
from dualnn.layers.symbolic import SymbolicTensor, is_symbolic
from dualnn.moving import moved
from dualnn.names import snake_case
from dualnn.place import Place
from dualnn.protocol import Backend, Shape, Tensor
from dualnn.saving.configs import Configured
from dualnn.seeds import Seed
from dualnn.weights import load_weights, save_weights


class Layer(Configured, tree.Node):
    """A function with variables: the base of all layers and models.

    A layer of your own sets its fields in ``__init__``, makes its weights in ``build(input_shape)``
    when the shape of its input is known (not needed if it only holds other layers), and says what it
    computes in ``call(x)``, or ``call(x, training)`` if training differs. ``self.nn`` is the backend
    it lives on. Layers that are attributes, also in lists and dictionaries, belong to it.

    Args:
        name: its name in summaries and errors; by default the class's, in snake case.
        trainable: False freezes the layer and all layers inside it.

    >>> import dualnn as dn
    >>> class Gated(dn.Layer):
    ...     def __init__(self, units):
    ...         super().__init__()
    ...         self.value = dn.layers.Dense(units)
    ...         self.gate = dn.layers.Dense(units, activation="sigmoid")
    ...
    ...     def call(self, x):
    ...         return self.value(x) * self.gate(x)
    >>> gated = Gated(3)
    >>> tuple(gated([[1.0, 2.0]]).shape)
    (1, 3)
    >>> [path for path in gated.state_paths]
    ['value.kernel', 'value.bias', 'gate.kernel', 'gate.bias']
    """

    name: str = ""
    built: bool = False
    further_arguments: ClassVar[frozenset[str]] = declared.NAMES
    """What the constructor takes beside its own arguments."""
    declared_shape: tuple[int | None, ...] | None = None
    """The shape of one sample that ``input_shape=`` has declared."""
    declared_dtype: ClassVar[str | None] = None
    """The dtype of such an input."""
    input_spec: InputSpec | None = None
    """What the input must look like once the layer is built."""

    kind_of_work: ClassVar[str] = "dense"
    """``"dense"``, ``"convolution"`` or ``"recurrence"``: compilers do well with some, badly with others."""

    supports_masking: bool = False
    """Whether masks of sequences go through the layer; `compute_mask` says how."""

    diary: ClassVar[frozenset[str]] = frozenset(
        {"_found", "_seed", "_pending", "_added_losses", "_input_shape", "_output_shape"}
    )
    """The attributes that record what has happened, and do not say what the layer computes."""

    holds_module: ClassVar[bool] = False
    """Whether the layer takes care of the weights of a framework's own module among its attributes."""

    keeps_precision: ClassVar[bool] = False
    """Whether the layer computes in the dtype of its weights, also in mixed precision."""

    _takes_training: ClassVar[bool] = False  # whether `call` has an argument of this name
    _masked: ClassVar[tuple[tuple[int, str, str], ...]] = ()  # arguments of `call` whose mask it takes, too
    _computes: ClassVar[bool] = False  # whether integer inputs are cast to the layer's dtype
    _first: ClassVar[str] = ""  # the name of the first argument of `call`
    _takes_list: bool = False  # whether the first argument is a list of tensors, also if all are nested lists
    _trainable: bool = True
    _place: Place | None = None
    _seed: Seed | None = None
    _stateful: bool = False
    _regularized: tuple[tuple[str, regularizers.Regularizer], ...] = ()
    _added_losses: tuple[Tensor, ...] = ()
    _input_shape: Any = None  # what it was built on
    _output_shape: Any = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls) and cls.__module__.startswith(f"{__package__}."):
            cls.__init__ = declared.accepting(cls.__init__)  # type: ignore[method-assign]
        names = list(inspect.signature(cls.call).parameters)[1:]
        cls._takes_training = "training" in names
        cls._first = names[0] if names else ""
        of_first = {names[0]: "mask"} if "mask" in names[1:] else {}
        named = ((i, name, of_first.get(name, f"{name}_mask")) for i, name in enumerate(names))
        cls._masked = tuple(argument for argument in named if argument[2] in names)

    @declared.accepting
    def __init__(self, name: str | None = None, trainable: bool = True) -> None:
        self.name = name or snake_case(type(self).__name__)
        self._trainable = bool(trainable)

    # ------------------------------------------------------------------ for subclasses

    def build(self, input_shape: Any) -> None:
        """Make the layer's weights.

        Args:
            input_shape: the shape of the first argument of `call`, the batch first; for a list or a
                dictionary of tensors, the same structure of shapes.
        """

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output from native tensors."""
        raise NotImplementedError(f"{type(self).__name__} must define call(self, x)")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the output's shape for an input's shape, the batch's size being None.

        Only symbolic tensors ask for it; None if it is known only once the layer has run.
        """
        return None

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the output's mask for the input's; asked only of a layer that supports masking.

        Args:
            inputs: the first argument of `call`.
            mask: its mask, a boolean tensor (batch, steps), or None; for a list of tensors a list.

        Returns:
            A mask or None, or a list of them for several outputs. By default the input's mask.
        """
        return mask

    def add_weight(
        self,
        shape: Shape | int = (),
        initializer: Any = None,
        dtype: str | None = None,
        trainable: bool = True,
        regularizer: Any = None,
        name: str | None = None,
        outputs_first: bool = False,
    ) -> Any:
        """Make a variable of this layer; call it in `build` and keep it as an attribute.

        Its initial value depends on the model's seed and on where the layer stands in the model, so
        it is the same, bit for bit, on every backend.

        Args:
            shape: the variable's shape.
            initializer: a name or a function; ``"glorot_uniform"`` by default.
            dtype: by default the layer's.
            trainable: whether training changes it by gradient.
            regularizer: a name or a function whose value is added to the loss.
            name: says which of the layer's weights it is; by default its number.
            outputs_first: whether memory may have the last axis before the others, as kernels of some
                backends like it; it changes no value.

        Returns:
            The backend's native variable.

        Raises:
            RuntimeError: outside of `build`, when the backend is not known yet, or in a layer that is
                no attribute of the model that calls it.
        """
        call = context.current()
        if call is None or self._place is None:
            raise RuntimeError(
                f"layer {self.name!r}: add_weight was called before the layer's backend is known; "
                f"call it in build(self, input_shape)"
            )
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        name = name or str(len(self._pending))
        if call.stored is None:
            generator = random.Generator(self.random_key(name))
            value = initializers.get(initializer or "glorot_uniform")(shape, generator)
            # the last bits of a product depend on how the numbers lie in memory: the same for copies
            value = np.asarray(value, order="C")
        else:
            value = call.stored.place_for(shape, call.path(self))
        variable = self.add_variable(value, dtype or self._place.dtype, trainable, name, outputs_first)
        self._pending.append((variable, regularizers.get(regularizer)))
        return variable

    def add_variable(
        self,
        value: Any,
        dtype: str | None = None,
        trainable: bool = False,
        name: str | None = None,
        outputs_first: bool = False,
    ) -> Any:
        """Make a variable with a given value: a counter, a table; keep it as an attribute."""
        nn, place = self.nn, self._require_place()
        tensor = nn.asarray(value, dtype=dtype, device=place.device)
        return nn.Variable(tensor, trainable=trainable, name=name, outputs_first=outputs_first)

    def add_loss(self, value: Tensor) -> None:
        """Add a scalar to the loss of the model that is being called; call it in `call`."""
        call = context.current()
        if call is None:
            raise RuntimeError(f"layer {self.name!r}: add_loss works inside call() only")
        call.losses.append(value)

    def random_key(self, name: str) -> int:
        """Return the key of a stream of random numbers that is this layer's own; call it in `build`.

        It depends on the model's seed, on where the layer stands in the model, and on `name`.
        """
        call = context.current()
        if call is None:
            raise RuntimeError(f"layer {self.name!r}: random_key works inside build() only")
        path = call.path(self)
        if path is None:
            raise RuntimeError(
                f"layer {self.name!r} is called inside {call.root.name!r} but is no attribute of it, so its "
                f"weights would be lost; make it in __init__ or build and keep it: self.layer = ..."
            )
        return random.key(call.seed, path, name)

    # ------------------------------------------------------------------ the call

    def __call__(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """Compute the output; the first call builds the layer.

        Args:
            *args: native tensors of the layer's backend, NumPy arrays, or lists of numbers; the first may be
                given by its name, too. A Python number behind the first stays one.
            training: whether layers like Dropout behave as in training; by default as the layer
                around this one does, and False outside.
            **kwargs: passed on to `call`. ``mask`` is by default the mask that the first argument has from
                the layer that made it, and ``x_mask`` that of an argument ``x``.

        Returns:
            Native tensors. What a layer on PyTorch makes of arrays alone, outside of training and of a tape,
            has no gradient, so that NumPy reads it; a loop of torch's own gives it tensors.

        Raises:
            ValueError: an input of a wrong shape.
            TypeError: a tensor of another framework.
        """
        if not args and self._first in kwargs:
            args = (kwargs.pop(self._first),)
        if args and is_symbolic(args[0]):
            given = {} if training is None else {"training": training}
            return SymbolicTensor.of_call(self, args, {**kwargs, **given})
        call = context.current()
        if call is not None:
            return self._run(call, args, kwargs, training)
        place = self._place or self._choose_place()
        call = context.Call(
            root=self,
            place=place,
            seed=self.seed,
            training=bool(training),
            observer=context.observer(),
            compute=context.compute_place(place),
        )
        with context.entered(call):
            if self.built:
                output = self._run(call, args, kwargs, training)
            else:
                with _undone_on_error(self):
                    output = self._run(call, args, kwargs, training)
        self.__dict__["_added_losses"] = tuple(call.losses)
        readable, inputs = fast_path(place.nn, "readable"), (args, kwargs)
        if readable is None or training or _has_tensor(place.nn, inputs):
            return output
        # who asks with arrays wants numbers, and need not know of gradients
        answer = optree.tree_map(lambda y: readable(y) if place.nn.is_tensor(y) else y, output)
        masks.remember(answer, masks.mask_of(output))
        return answer

    def _run(
        self, call: context.Call, args: tuple[Any, ...], kwargs: dict[str, Any], training: bool | None
    ) -> Any:
        if self._place is not call.place:
            self._settle(call.place)
        mask = masks.mask_of(args[0]) if args else None
        place = call.place if call.compute is None or self.keeps_precision else call.compute
        if kwargs or self._masked:
            kwargs = self._with_masks(args, kwargs)
            kwargs = {name: self._option(name, x, place) for name, x in kwargs.items()}
        if self._takes_list and args and isinstance(args[0], list | tuple):
            args = ([self._convert(x, place) for x in args[0]], *args[1:])
        args = tuple(
            [x if i and type(x) in (int, float) else self._convert(x, place) for i, x in enumerate(args)]
        )
        fresh, outer = not self.built, call.training
        call.training = outer if training is None else training
        try:
            if fresh:
                self._build(shapes_of(args[0]) if args else ())
            if self.input_spec is not None:
                self.input_spec.check(self.name, shapes_of(args[0]))
            if self._takes_training:
                kwargs = {**kwargs, "training": call.training}
            if call.training and self._stateful:
                with self._own_state():
                    output = self.call(*args, **kwargs)
            else:
                output = self.call(*args, **kwargs)
        except Exception as error:
            if fresh:
                error.add_note(f"(while building layer {self.name!r} on an input of shape {_shapes(args)})")
            raise
        finally:
            call.training = outer
        if fresh:
            self._output_shape = without_batch(output)
        if self.supports_masking:
            if masks.mask_of(output) is None:
                masks.remember(output, self.compute_mask(args[0] if args else None, kwargs.get("mask", mask)))
        elif mask is not None:
            self._warn_of_lost_mask()
        if call.observer is not None:
            seen = call.observer(self, output)
            return output if seen is None else seen
        return output

    def _build(self, input_shape: Any) -> None:
        self._pending: list[tuple[Any, regularizers.Regularizer | None]] = []
        for name, value in vars(self).items():
            if name.endswith("activation"):
                check_activation(self.name, value, self.nn.name)
        self.build(input_shape)
        check_variables(self.name, vars(self), self.nn)
        pending = self.__dict__.pop("_pending")  # its variables are to be found under their own names
        functions = {id(variable): function for variable, function in pending if function}
        self._regularized = tuple(
            (slot.path, functions[id(slot.variable)])
            for slot in tree.own_slots(self)
            if id(slot.variable) in functions
        )
        self._stateful = any(not slot.trainable for slot in tree.own_slots(self))
        self._input_shape = input_shape
        self.built = True

    @contextmanager
    def _own_state(self) -> Iterator[None]:
        # In training a layer works on a copy of its state, which is written back after the call: what a
        # tape has recorded with the old values stays as it was. (In a step the copy is the step's.)
        nn = self.nn
        slots = [slot for slot in tree.own_slots(self) if not slot.trainable]
        values = [nn.stop_gradient(nn.asarray(slot.variable, copy=True)) for slot in slots]
        with tree.bound(slots, values) as now:
            yield
            new = now()
        for slot, old, value in zip(slots, values, new, strict=True):
            if value is not old:
                nn.assign(slot.variable, value)

    def _settle(self, place: Place) -> None:
        if self._place is None:
            self.__dict__["_place"] = place
        elif self._place != place:
            raise ValueError(
                f"layer {self.name!r} lives on {self._place}, the model around it on {place}; "
                f"move the layer before it is used there: layer.on({place.backend!r})"
            )

    def _choose_place(self) -> Place:
        placed = (layer._place for _, layer in tree.walk(self) if layer._place is not None)
        return next(placed, None) or Place.of()

    def _convert(self, x: Any, place: Place) -> Any:
        if getattr(x, "dtype", None) is place.native_dtype and place.nn.is_tensor(x):
            return x  # the usual case: what a layer before has made
        if x is None or isinstance(x, str | bool):
            return x
        if isinstance(x, dict):
            return {key: self._convert(value, place) for key, value in x.items()}
        if isinstance(x, list | tuple) and any(_is_array(item) for item in x):
            return type(x)(self._convert(item, place) for item in x)
        tensor = place.tensor(x, f"layer {self.name!r}", copy=True)
        if self._computes and tensor.dtype != (dtype := place.nn.dtype(place.dtype)):
            return place.nn.astype(tensor, dtype)
        return tensor

    def _with_masks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        for i, name, name_of_mask in self._masked:
            mask = masks.mask_of(args[i] if i < len(args) else kwargs.get(name))
            if mask is not None and kwargs.get(name_of_mask) is None:
                kwargs = {**kwargs, name_of_mask: mask}
        return kwargs

    def _option(self, name: str, x: Any, place: Place) -> Any:
        # a keyword argument of `call`: masks are boolean, other tensors what positional ones are
        if isinstance(x, list | tuple) and any(_is_array(item) for item in x):
            return type(x)(self._option(name, item, place) for item in x)
        if x is not None and any(name == name_of_mask for _, _, name_of_mask in self._masked):
            return place.nn.asarray(x, dtype="bool", device=place.device)
        return self._convert(x, place) if _is_array(x) else x

    def _warn_of_lost_mask(self) -> None:
        if any(layer is not self for _, layer in tree.walk(self)):
            return  # the layers inside have seen the mask
        warnings.warn(
            f"layer {self.name!r} got an input with a mask, which goes no further: {type(self).__name__} "
            f"does not say supports_masking = True",
            stacklevel=4,
        )

    @property
    def trainable(self) -> bool:
        """Whether training changes the layer; setting it sets it for all layers inside, too."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for _, layer in tree.walk(self):
            layer.__dict__["_trainable"] = bool(value)
        tree.changed()

    # ------------------------------------------------------------------ where it lives

    @property
    def nn(self) -> Backend:
        """The backend this layer lives on."""
        return self._require_place().nn

    @property
    def placed(self) -> bool:
        """Whether it is known where the layer lives."""
        return self._place is not None

    @property
    def backend(self) -> str:
        """The name of the backend this layer lives on."""
        return self._require_place().backend

    @property
    def device(self) -> str:
        """The name of the device this layer lives on."""
        return self._require_place().device

    @property
    def dtype(self) -> str:
        """The name of the floating-point dtype of this layer."""
        return self._require_place().dtype

    @property
    def seed(self) -> int:
        """The number that fixes initial weights, shuffles and masks of the model with this root."""
        return self._seed_source().value

    def _seed_source(self) -> Seed:
        if self._seed is None:
            self._seed = Seed()
        return self._seed

    def _require_place(self) -> Place:
        if self._place is None:
            call = context.current()
            if call is None:
                raise RuntimeError(
                    f"layer {self.name!r} has no backend yet: it is known once the layer is built, "
                    f"or placed with on(backend)"
                )
            return call.place
        return self._place

    def check_place(self, place: Place) -> None:
        """Raise a TypeError if the layer cannot live at a place; by default it can live anywhere."""

    def on(self, backend: str | None = None, *, device: str | None = None, dtype: str | None = None) -> Any:
        """Return a copy that lives elsewhere, with the same weights, optimizer and random state.

        A layer that is not built yet is copied too; the copy, once built, has the same initial weights
        as this one. This one stays as it is.

        Args:
            backend: the backend's name. None: the one it lives on.
            device: ``"cpu"``, ``"cuda"``. None: the one it lives on, or the new backend's default.
            dtype: the floating-point dtype. None: unchanged.

        >>> import dualnn as dn
        >>> model = dn.Sequential([dn.layers.Dense(2)])
        >>> model([[1.0, 2.0, 3.0]]).shape == model.on(dtype="float64")([[1.0, 2.0, 3.0]]).shape
        True
        """
        return moved(self, backend, device, dtype)

    @property
    def native(self) -> Any:
        """The layer as the framework's own type of module, over the very same variables.

        Raises:
            ValueError: the layer is not built yet.
        """
        if not self.built:
            raise ValueError(f"layer {self.name!r} is not built yet; call it once on data, or build(shape)")
        return self.nn.native_module(self)

    # ------------------------------------------------------------------ its variables

    @property
    def state_paths(self) -> dict[str, Any]:
        """All variables by their path, ``{"layers.0.kernel": variable}``."""
        return {slot.path: slot.variable for slot in tree.slots(self)}

    @property
    def variables(self) -> list[Any]:
        """All variables: weights, and integer state such as the counters of random numbers."""
        return [slot.variable for slot in tree.slots(self)]

    @property
    def weights(self) -> list[Any]:
        """The floating-point variables."""
        return [slot.variable for slot in tree.weight_slots(self)]

    @property
    def trainable_variables(self) -> list[Any]:
        """The variables that training changes by gradient."""
        return [slot.variable for slot in tree.slots(self) if slot.trainable]

    @property
    def non_trainable_variables(self) -> list[Any]:
        """The variables that training does not change by gradient."""
        return [slot.variable for slot in tree.slots(self) if not slot.trainable]

    @property
    def trainable_weights(self) -> list[Any]:
        """The weights that training changes by gradient."""
        return self.trainable_variables

    @property
    def losses(self) -> list[Tensor]:
        """The regularizers' values now, and what `add_loss` was given in the last call."""
        return [*(penalty() for penalty in self.penalties()), *self.added_losses]

    @property
    def added_losses(self) -> tuple[Tensor, ...]:
        """What `add_loss` was given in the last call."""
        return self._added_losses

    def penalties(self) -> list[Callable[[], Tensor]]:
        """Return a function for each regularizer, which returns its value for the weights of the moment."""

        def penalty(layer: Layer, path: str, function: regularizers.Regularizer) -> Tensor:
            return function(tree.held(layer, path))

        return [
            functools.partial(penalty, layer, path, function)
            for _, layer in tree.walk(self)
            for path, function in layer._regularized
        ]

    def get_weights(self) -> list[npt.NDArray[np.generic]]:
        """Return copies of the weights as NumPy arrays, in the order of `weights`."""
        return [np.array(self.nn.to_numpy(variable)) for variable in self.weights]

    def set_weights(self, weights: list[Any]) -> None:
        """Set the weights from arrays in the order of `weights`.

        Raises:
            ValueError: a wrong number of arrays, or a wrong shape; then nothing is set.
        """
        slots = tree.weight_slots(self)
        if len(weights) != len(slots):
            raise ValueError(f"{self.name!r} has {len(slots)} weights, got {len(weights)} arrays")
        for slot, value in zip(slots, weights, strict=True):
            if tuple(np.shape(value)) != tuple(slot.variable.shape):
                raise ValueError(
                    f"weight {slot.path!r}: expected shape {tuple(slot.variable.shape)}, "
                    f"got {tuple(np.shape(value))}"
                )
        for slot, value in zip(slots, weights, strict=True):
            self.nn.assign(slot.variable, value)

    def count_params(self) -> int:
        """Return the number of numbers in the weights."""
        return sum(int(np.prod(tuple(variable.shape), dtype=np.int64)) for variable in self.weights)

    def save_weights(self, path: Any) -> None:
        """Write the weights to a safetensors file, which either backend reads.

        The file is complete or not there: it is written beside and then renamed.
        """
        save_weights(self, path)

    def load_weights(self, path: Any) -> None:
        """Read the weights from a safetensors file that `save_weights` wrote, on either backend.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: not a safetensors file, or other names or shapes; then nothing is changed.
        """
        load_weights(self, path)

    def __setattr__(self, name: str, value: Any) -> None:
        # Setting an attribute that is a variable sets the variable's value; in a training step the
        # attribute is the step's own tensor, which is simply replaced.
        place = self.__dict__.get("_place")
        current = self.__dict__.get(name)
        if place is not None and current is not None:
            nn = place.nn
            if nn.is_variable(current) and _is_value(nn, value):
                nn.assign(current, value)
                return
            if nn.is_tensor(current) and nn.is_tensor(value) and not nn.is_variable(value):
                object.__setattr__(self, name, value)
                return
        if is_module(value) and not self.holds_module:
            raise refused(self.name or type(self).__name__, name, value)
        object.__setattr__(self, name, value)
        if name not in self.diary:
            tree.changed()

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        tree.changed()

    def __repr__(self) -> str:
        where = f" on {self._place.backend}, {self._place.device}" if self._place and self.built else ""
        return f"<{type(self).__name__} {self.name!r}{where}>"


def shapes_of(x: Any) -> Any:
    """Return the shape of a tensor, or the same structure of shapes for a list or a dictionary."""
    if isinstance(x, dict):
        return {key: shapes_of(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [shapes_of(item) for item in x]
    return tuple(x.shape) if hasattr(x, "shape") else ()


def without_batch(x: Any) -> Any:
    """Return the shape of a tensor, or a structure of shapes, with None for the batch's size."""
    if isinstance(x, dict):
        return {key: without_batch(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [without_batch(item) for item in x]
    shape = tuple(getattr(x, "shape", ()))
    return (None, *shape[1:]) if shape else ()


def sample_shapes(shapes: Any) -> Any:
    """Return a shape without its first size, that of the batch, or the same of a structure of shapes.

    >>> sample_shapes([(32, 5), (None, 5, 2)])
    [(5,), (5, 2)]
    """
    if isinstance(shapes, dict):
        return {key: sample_shapes(shape) for key, shape in shapes.items()}
    return [sample_shapes(shape) for shape in shapes] if isinstance(shapes, list) else shapes[1:]


def _shapes(args: tuple[Any, ...]) -> Any:
    return shapes_of(args[0]) if args else ()


def _is_array(x: Any) -> bool:
    return hasattr(x, "shape") and hasattr(x, "dtype")


def _has_tensor(nn: Backend, inputs: Any) -> bool:
    return any(map(nn.is_tensor, optree.tree_leaves(inputs)))


def _is_value(nn: Backend, x: Any) -> bool:
    return not nn.is_variable(x) and (nn.is_tensor(x) or isinstance(x, np.ndarray | np.generic | float | int))


@contextmanager
def _undone_on_error(root: Layer) -> Iterator[None]:
    # A model whose first call fails is left as it was before: no layer stays half built.
    before = [(layer, dict(vars(layer))) for _, layer in tree.walk(root)]
    try:
        yield
    except BaseException:
        for layer, fields in before:
            vars(layer).clear()
            vars(layer).update(fields)
        tree.changed()
        raise
