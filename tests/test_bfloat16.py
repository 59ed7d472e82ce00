"""bfloat16 from outside: arrays of ml_dtypes, files, other libraries' tensors."""

from __future__ import annotations

import numpy as np
import pytest

import dualnn as dn

ml_dtypes = pytest.importorskip("ml_dtypes")
NUMBERS = [1.5, -0.0, float("inf"), 3.0e38, 1e-40]


@pytest.mark.parametrize("shape", [(5,), (5, 1), (1, 5)])
def test_arrays(nn, shape):
    array = np.array(NUMBERS, ml_dtypes.bfloat16).reshape(shape)
    tensor = nn.asarray(array)
    assert nn.dtype_name(tensor.dtype) == "bfloat16"
    np.testing.assert_array_equal(nn.to_numpy(tensor), array.astype("float32"))
    wide = nn.asarray(array, dtype="float64")
    np.testing.assert_array_equal(nn.to_numpy(wide), array.astype("float64"))


def test_a_number_a_list_and_a_reversed_array(nn):
    one = ml_dtypes.bfloat16(1.5)
    assert float(nn.asarray(one)) == 1.5
    assert nn.dtype_name(nn.asarray([one, one]).dtype) == "bfloat16"
    array = np.array(NUMBERS[:2], ml_dtypes.bfloat16)[::-1]
    np.testing.assert_array_equal(nn.to_numpy(nn.asarray(array)), [-0.0, 1.5])


def test_smaller_floats_are_refused(nn):
    with pytest.raises(TypeError, match="float8_e4m3fn; NumPy makes numbers of it by"):
        nn.asarray(np.ones(2, ml_dtypes.float8_e4m3fn))


def test_from_dlpack(nn):
    for name in ("torch", "tensorflow"):
        other = dn.backend(name)
        tensor = nn.from_dlpack(other.asarray([1.5, -2.0], dtype="bfloat16"))
        assert nn.dtype_name(tensor.dtype) == "bfloat16"
        np.testing.assert_array_equal(nn.to_numpy(tensor), [1.5, -2.0])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_weights_of_a_file(backend, dtype, tmp_path):
    from safetensors.numpy import load_file
    from safetensors.torch import save_file

    torch = dn.backend("torch")
    model = dn.Sequential([dn.layers.Dense(2)]).on(backend)
    model(np.ones((1, 3), "float32"))
    model.save_weights(tmp_path / "w.safetensors")
    arrays = load_file(tmp_path / "w.safetensors")
    save_file({k: torch.asarray(v, dtype=dtype) for k, v in arrays.items()}, tmp_path / "other.safetensors")
    model.load_weights(tmp_path / "other.safetensors")
    rounded = torch.to_numpy(torch.asarray(arrays["layers.0.kernel"], dtype=dtype)).astype("float32")
    np.testing.assert_array_equal(model.get_weights()[0], rounded)


def test_a_file_of_smaller_floats(tmp_path):
    import torch
    from safetensors.torch import save_file

    model = dn.Sequential([dn.layers.Dense(1)])
    model(np.ones((1, 3), "float32"))
    save_file({"layers.0.kernel": torch.ones(3, 1).to(torch.float8_e4m3fn)}, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match=r"F8_E4M3.*save it as float32"):
        model.load_weights(tmp_path / "w.safetensors")


def test_one_element_counted_backwards(nn):
    for array in (np.ones(1)[::-1], np.ones((1, 3))[::-1], np.ones((2, 1, 3))[:, ::-1]):
        np.testing.assert_array_equal(nn.to_numpy(nn.asarray(array)), array)
