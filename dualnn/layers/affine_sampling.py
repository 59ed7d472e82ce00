"""Images read at positions between and beyond their pixels."""

from __future__ import annotations

from typing import NamedTuple

from dualnn.protocol import Backend, Tensor

FILL_MODES = ("reflect", "wrap", "constant", "nearest")
INTERPOLATIONS = ("bilinear", "nearest")


def sampled(
    nn: Backend,
    images: Tensor,
    rows: Tensor,
    columns: Tensor,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
) -> Tensor:
    """Return the images' values at some positions.

    Bilinear interpolation is that of Gonzalez and Woods, "Digital Image Processing", section 2.4: first
    along the columns, then along the rows. A position beyond the image is read off the pixels that the
    fill mode puts there; for a row a b c d these are

    ==========  ========================================
    reflect     ``d c b a | a b c d | d c b a``
    wrap        ``a b c d | a b c d | a b c d``
    constant    ``k k k k | a b c d | k k k k``
    nearest     ``a a a a | a b c d | d d d d``
    ==========  ========================================

    Args:
        nn: the backend.
        images: (batch, height, width, channels), of a floating-point dtype.
        rows: the rows of the positions in pixels, of a shape that together with that of `columns`
            broadcasts to (batch, height, width); of the same dtype as the images.
        columns: likewise.
        interpolation: ``"bilinear"``, or ``"nearest"`` for the nearest pixel.
        fill_mode: ``"reflect"``, ``"wrap"``, ``"constant"`` or ``"nearest"``.
        fill_value: the number k of ``"constant"``.

    Returns:
        A tensor of the images' shape and dtype.

    >>> import dualnn as dn
    >>> nn = dn.backend()
    >>> image = nn.reshape(nn.asarray([1.0, 3.0, 9.0]), (1, 1, 3, 1))
    >>> row, columns = nn.zeros((1, 1, 1)), nn.asarray([[[-1.0, 0.5, 3.0]]])
    >>> nn.to_numpy(sampled(nn, image, row, columns))[0, 0, :, 0].tolist()
    [1.0, 2.0, 9.0]
    """
    batch, height, width, channels = nn.shape(images)
    # numbers are taken several times as fast as rows of one number each
    pixels = nn.reshape(images, (-1,) if channels == 1 else (-1, channels))
    starts = nn.arange(batch, dtype=nn.int64, device=nn.device(images)) * (height * width)
    starts = nn.reshape(starts, (-1, 1, 1))

    def pixel(row: _Line, column: _Line) -> Tensor:
        values = nn.take(pixels, starts + row.index * width + column.index, axis=0)
        values = nn.expand_dims(values, axis=-1) if channels == 1 else values
        if row.known is None:
            return values
        known = nn.expand_dims(nn.logical_and(row.known, column.known), axis=-1)
        return nn.where(known, values, fill_value)

    if interpolation == "nearest":
        return pixel(
            _line(nn, _floor(nn, rows + 0.5), height, fill_mode),
            _line(nn, _floor(nn, columns + 0.5), width, fill_mode),
        )
    first_row, first_column = _floor(nn, rows), _floor(nn, columns)
    down = nn.expand_dims(rows - nn.astype(first_row, rows.dtype), axis=-1)
    right = nn.expand_dims(columns - nn.astype(first_column, columns.dtype), axis=-1)
    top, bottom = (_line(nn, first_row + n, height, fill_mode) for n in (0, 1))
    left, beside = (_line(nn, first_column + n, width, fill_mode) for n in (0, 1))

    def along_columns(row: _Line) -> Tensor:
        before = pixel(row, left)
        return before + right * (pixel(row, beside) - before)

    above = along_columns(top)
    return above + down * (along_columns(bottom) - above)


class _Line(NamedTuple):
    """Rows or columns of pixels, which may be beyond the image."""

    index: Tensor
    """The rows or columns of the image that stand for them."""
    known: Tensor | None = None
    """Whether they are in the image; None if that does not matter."""


def _line(nn: Backend, index: Tensor, size: int, fill_mode: str) -> _Line:
    if fill_mode == "wrap":
        return _Line(index % size)
    if fill_mode == "reflect":
        index = index % (2 * size)
        return _Line(nn.minimum(index, 2 * size - 1 - index))
    inside = nn.clip(index, 0, size - 1)
    return _Line(inside, nn.equal(index, inside) if fill_mode == "constant" else None)


def _floor(nn: Backend, x: Tensor) -> Tensor:
    """Return the largest integers not above `x`."""
    towards_zero = nn.astype(x, nn.int64)
    return towards_zero - nn.astype(x < nn.astype(towards_zero, x.dtype), nn.int64)
