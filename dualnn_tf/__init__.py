"""The TensorFlow backend: an array namespace of native tensors, and what neural networks need beyond it.

`dualnn.protocol.Backend` says what is here and what it means.
"""

# ruff: noqa: F401 (the names are imported for others to use)

from dualnn_tf import quiet  # isort: skip (first of all: it imports TensorFlow)

from tensorflow import __version__

from dualnn_tf import fft, forks, linalg, precision
from dualnn_tf.compilation import (
    compile,
    compile_loop,
    variable_in_loop,
)
from dualnn_tf.constants import (
    e,
    inf,
    nan,
    newaxis,
    pi,
)
from dualnn_tf.control_flow import (
    scan,
)
from dualnn_tf.conversion import (
    from_dlpack,
    has_values,
    is_tensor,
    shape,
    to_numpy,
)
from dualnn_tf.creation_functions import (
    arange,
    asarray,
    empty,
    empty_like,
    eye,
    full,
    full_like,
    linspace,
    meshgrid,
    ones,
    ones_like,
    tril,
    triu,
    zeros,
    zeros_like,
)
from dualnn_tf.data_type_functions import (
    astype,
    can_cast,
    finfo,
    iinfo,
    isdtype,
    result_type,
)
from dualnn_tf.data_types import (
    bfloat16,
    bool,
    complex64,
    complex128,
    dtype,
    dtype_name,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from dualnn_tf.devices import (
    canonical_device,
    device,
    devices,
    is_deterministic,
    to_device,
)
from dualnn_tf.elementwise_functions import (
    abs,
    acos,
    acosh,
    add,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    ceil,
    clip,
    conj,
    copysign,
    cos,
    cosh,
    divide,
    equal,
    exp,
    expm1,
    floor,
    floor_divide,
    greater,
    greater_equal,
    hypot,
    imag,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    multiply,
    negative,
    nextafter,
    not_equal,
    positive,
    pow,
    real,
    reciprocal,
    remainder,
    round,
    sign,
    signbit,
    sin,
    sinh,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    trunc,
)
from dualnn_tf.engines import choose_engine
from dualnn_tf.exporting import exporters
from dualnn_tf.fused import batch_normalization, sparse_softmax_cross_entropy
from dualnn_tf.gradient_tape import GradientTape
from dualnn_tf.indexing_functions import (
    take,
    take_along_axis,
)
from dualnn_tf.inspection import __array_namespace_info__
from dualnn_tf.linear_algebra_functions import (
    matmul,
    matrix_transpose,
    tensordot,
    vecdot,
)
from dualnn_tf.manipulation_functions import (
    broadcast_arrays,
    broadcast_shapes,
    broadcast_to,
    concat,
    expand_dims,
    flip,
    moveaxis,
    permute_dims,
    repeat,
    reshape,
    roll,
    squeeze,
    stack,
    tile,
    unstack,
)
from dualnn_tf.modules import (
    native_module,
)
from dualnn_tf.neural import (
    avg_pool2d,
    conv2d,
    elu,
    erf,
    gelu,
    leaky_relu,
    linear,
    log_softmax,
    logsumexp,
    max_pool2d,
    one_hot,
    relu,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
)
from dualnn_tf.searching_functions import (
    argmax,
    argmin,
    count_nonzero,
    nonzero,
    searchsorted,
    where,
)
from dualnn_tf.set_functions import (
    isin,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
)
from dualnn_tf.sorting_functions import (
    argsort,
    sort,
)
from dualnn_tf.splitting import split
from dualnn_tf.statistical_functions import (
    cumulative_prod,
    cumulative_sum,
    max,
    mean,
    min,
    prod,
    std,
    sum,
    var,
)
from dualnn_tf.transforms import checkpoint, grad, inference_mode, stop_gradient, value_and_grad
from dualnn_tf.utility_functions import (
    all,
    any,
    diff,
)
from dualnn_tf.variables import (
    Variable,
    assign,
    assign_add,
    assign_sub,
    is_variable,
    value,
)

name = "tensorflow"
__array_api_version__ = "2025.12"
