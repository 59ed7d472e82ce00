"""The endings of files' names, which say what is in them."""

from __future__ import annotations

import os

WEIGHTS, MODEL = ".safetensors", ".dualnn"
_EXPORTS = (".onnx", ".pt2")
_OF_OTHERS = {
    **dict.fromkeys((".keras", ".h5", ".hdf5"), "Keras"),
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".bin"), "PyTorch"),
    **dict.fromkeys((".pb", ".tf", ".tflite"), "TensorFlow"),
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), "pickle"),
    **dict.fromkeys((".npy", ".npz"), "NumPy"),
}


def check_ending(path: str | os.PathLike[str], kind: str) -> None:
    """Raise ValueError if a file of one kind is to get a name that says another.

    Args:
        path: the file.
        kind: ``".safetensors"``, of weights, or ``".dualnn"``, of a whole model.

    >>> check_ending("m.keras", ".dualnn")
    Traceback (most recent call last):
    ...
    ValueError: m.keras is the name of a file of Keras; save(...) writes one of its own: m.dualnn
    """
    stem, ending = _split(path)
    method = "save_weights(...)" if kind == WEIGHTS else "save(...)"
    other = "save(...)" if kind == WEIGHTS else "save_weights(...)"
    if ending in (WEIGHTS, MODEL) and ending != kind:
        what = "weights" if ending == WEIGHTS else "a whole model"
        raise ValueError(f"{os.fspath(path)} is the name of a file with {what}, which {other} writes")
    if ending in _EXPORTS:
        raise ValueError(f"{os.fspath(path)}: {ending} files are written by export(...)")
    if ending in _OF_OTHERS:
        raise ValueError(
            f"{os.fspath(path)} is the name of a file of {_OF_OTHERS[ending]}; {method} writes one of its "
            f"own: {stem}{kind}"
        )


def explained(path: str | os.PathLike[str]) -> str:
    """Return what to do with a file that is another program's, by its name; "" if the name does not say."""
    library = _OF_OTHERS.get(_split(path)[1])
    if library is None:
        return ""
    return (
        f"; a file of {library} is read by {library}, and its arrays are given to model.set_weights(...), "
        f"in the order of model.weights"
    )


def _split(path: str | os.PathLike[str]) -> tuple[str, str]:
    stem, ending = os.path.splitext(os.fspath(path))
    return stem.removesuffix(".weights"), ending.lower()
