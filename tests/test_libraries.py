"""Libraries written for arrays of any framework, on the native tensors and namespaces of both backends."""

from __future__ import annotations

import array_api_compat.numpy
import array_api_extra as xpx
import einops
import numpy as np
import pytest

MATRIX = np.arange(6.0).reshape(2, 3)
VECTOR = np.array([1.0, 2.0, 2.0, 5.0])
INTEGERS = np.array([3, 1, 1, 2])
STRANGE = np.array([1.0, np.nan, np.inf, -np.inf])
COMPLEX = np.array([1 + 1j, -2 - 1j, 3])

# Each takes (namespace, the way from a NumPy array to one of the namespace).
EXTRA = {
    "angle": lambda xp, array: xpx.angle(array(COMPLEX), xp=xp),
    "argpartition": lambda xp, array: xp.sort(xpx.argpartition(array(VECTOR), 1, xp=xp)[:2]),
    "atleast_nd": lambda xp, array: xpx.atleast_nd(array(VECTOR), ndim=3, xp=xp),
    "cov": lambda xp, array: xpx.cov(array(MATRIX), xp=xp),
    "deg2rad": lambda xp, array: xpx.deg2rad(array(VECTOR), xp=xp),
    "expand_dims": lambda xp, array: xpx.expand_dims(array(MATRIX), axis=(0, 2), xp=xp),
    "isin": lambda xp, array: xpx.isin(array(INTEGERS), array(INTEGERS[:2]), xp=xp),
    "kron": lambda xp, array: xpx.kron(array(MATRIX), array(MATRIX), xp=xp),
    "nan_to_num": lambda xp, array: xpx.nan_to_num(array(STRANGE), fill_value=7.0, xp=xp),
    "nanmax": lambda xp, array: xpx.nanmax(array(STRANGE), xp=xp),
    "nanmean": lambda xp, array: xpx.nanmean(array(STRANGE[:2]), xp=xp),
    "nanmin": lambda xp, array: xpx.nanmin(array(STRANGE), xp=xp),
    "nansum": lambda xp, array: xpx.nansum(array(STRANGE[:3]), xp=xp),
    "nunique": lambda xp, array: xpx.nunique(array(INTEGERS), xp=xp),
    "one_hot": lambda xp, array: xpx.one_hot(array(INTEGERS), 4, dtype=xp.float64, xp=xp),
    "partition": lambda xp, array: xpx.partition(array(VECTOR[::-1].copy()), 1, xp=xp)[:2],
    "rad2deg": lambda xp, array: xpx.rad2deg(array(VECTOR), xp=xp),
    "searchsorted": lambda xp, array: xpx.searchsorted(array(VECTOR), array(VECTOR[1:]), xp=xp),
    "setdiff1d": lambda xp, array: xpx.setdiff1d(array(INTEGERS), array(INTEGERS[:1]), xp=xp),
    "sinc": lambda xp, array: xpx.sinc(array(MATRIX), xp=xp),
    "union1d": lambda xp, array: xpx.union1d(array(INTEGERS), array(INTEGERS + 1), xp=xp),
    "unravel_index": lambda xp, array: xpx.unravel_index(array(INTEGERS), (2, 3), xp=xp)[0],
    "diag_indices": lambda xp, array: xpx.diag_indices(3, xp=xp)[1],
    "tril_indices": lambda xp, array: xpx.tril_indices(3, xp=xp)[1],
    "triu_indices": lambda xp, array: xpx.triu_indices(3, xp=xp)[1],
}

# These write into the tensor, which docs/native_tensors.md says of TensorFlow's it cannot be done.
EXTRA_THAT_ASSIGN = {
    "apply_where": lambda xp, array: xpx.apply_where(
        array(MATRIX) > 2, (array(MATRIX),), lambda x: 2 * x, lambda x: x - 1, xp=xp
    ),
    "at": lambda xp, array: xpx.at(array(MATRIX))[0, :].set(1.0, copy=True, xp=xp),
    "create_diagonal": lambda xp, array: xpx.create_diagonal(array(VECTOR), offset=1, xp=xp),
    "isclose": lambda xp, array: xpx.isclose(array(MATRIX), array(MATRIX) + 1e-9, xp=xp),
    "pad": lambda xp, array: xpx.pad(array(MATRIX), 1, xp=xp),
}


def assert_like_numpy(nn, function):
    expected = np.asarray(function(array_api_compat.numpy, np.asarray))
    actual = nn.to_numpy(function(nn, nn.asarray))
    assert actual.dtype == expected.dtype
    # sinc and cov divide sums of a few products; everything else is exact
    np.testing.assert_allclose(actual, expected, rtol=8 * np.finfo(np.float64).eps, atol=1e-16)


def test_every_function_of_array_api_extra_is_tried():
    of_no_namespace = {"__version__", "testing", "lazy_apply", "default_dtype", "broadcast_shapes"}
    assert set(xpx.__all__) - of_no_namespace == {*EXTRA, *EXTRA_THAT_ASSIGN}


@pytest.mark.filterwarnings("ignore:.xpx.expand_dims. is deprecated")
@pytest.mark.parametrize("name", EXTRA)
def test_array_api_extra(nn, name):
    assert_like_numpy(nn, EXTRA[name])


def test_default_dtype_of_array_api_extra(nn):
    assert xpx.default_dtype(nn) == nn.float32
    assert xpx.default_dtype(nn, "integral") == nn.int64


@pytest.mark.parametrize("name", EXTRA_THAT_ASSIGN)
def test_array_api_extra_where_it_assigns_to_items(nn, name):
    if hasattr(nn.zeros(1), "__setitem__"):
        assert_like_numpy(nn, EXTRA_THAT_ASSIGN[name])
    else:
        with pytest.raises((TypeError, ValueError), match=r"not a supported array type|read-only"):
            EXTRA_THAT_ASSIGN[name](nn, nn.asarray)


IMAGES = np.arange(2 * 4 * 6 * 3, dtype=np.float32).reshape(2, 4, 6, 3)
EINOPS = {
    "rearrange": lambda x: einops.rearrange(x, "b (h p) (w q) c -> b (h w) (p q c)", p=2, q=3),
    "reduce": lambda x: einops.reduce(x, "b (h p) (w q) c -> b h w c", "max", p=2, q=2),
    "reduce by mean": lambda x: einops.reduce(x, "b h w c -> b c", "mean"),
    "repeat": lambda x: einops.repeat(x, "b h w c -> b (h p) w c", p=2),
    "einsum": lambda x: einops.einsum(x, x, "b h w c, b h w d -> b c d"),
    "pack": lambda x: einops.pack([x, x[..., :1]], "b h w *")[0],
}


@pytest.mark.parametrize("name", EINOPS)
def test_einops(nn, name):
    expected = EINOPS[name](IMAGES)
    actual = nn.to_numpy(EINOPS[name](nn.asarray(IMAGES)))
    # Sums of small integers: exact but for one division.
    np.testing.assert_array_max_ulp(actual, expected, 1)


def test_einops_between_operations_of_the_namespace(nn):
    def energy(x):
        patches = einops.rearrange(nn.exp(-x / 100), "b (h p) w c -> b h (p w c)", p=2)
        return nn.sum(nn.square(patches))

    x = nn.asarray(IMAGES)
    expected = -2 / 100 * np.exp(-2 * IMAGES.astype(np.float64) / 100)
    # exp and the square, 4 ULP each, are multiplied by at most 2 * 1.43 of the exponent's rounding
    np.testing.assert_allclose(nn.to_numpy(nn.grad(energy)(x)), expected, rtol=12 * np.finfo(np.float32).eps)
