"""The PyTorch backend: an array namespace of native tensors, and what neural networks need beyond it.

`dualnn.protocol.Backend` says what is here and what it means.
"""

# ruff: noqa: F401 (the names are imported for others to use)

from torch import __version__

from dualnn_torch import fft, linalg, precision
from dualnn_torch.compilation import (
    compile,
    compile_loop,
)
from dualnn_torch.constants import (
    e,
    inf,
    nan,
    newaxis,
    pi,
)
from dualnn_torch.control_flow import (
    scan,
)
from dualnn_torch.conversion import (
    from_dlpack,
    is_tensor,
    shape,
    to_numpy,
)
from dualnn_torch.creation_functions import (
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
from dualnn_torch.data_type_functions import (
    astype,
    can_cast,
    finfo,
    iinfo,
    isdtype,
    result_type,
)
from dualnn_torch.data_types import (
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
from dualnn_torch.devices import (
    canonical_device,
    device,
    devices,
    is_deterministic,
    to_device,
)
from dualnn_torch.elementwise_functions import (
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
from dualnn_torch.engines import choose_engine
from dualnn_torch.exporting import exporters
from dualnn_torch.fused import (
    batch_normalization,
    gru,
    layer_normalization,
    lstm,
    readable,
    relu_in_place,
    scaled_dot_product_attention,
    simple_rnn,
    sparse_softmax_cross_entropy,
)
from dualnn_torch.fused_updates import adam_update, all_finite, sgd_update
from dualnn_torch.gradient_tape import GradientTape
from dualnn_torch.graphs import has_values
from dualnn_torch.indexing_functions import (
    take,
    take_along_axis,
)
from dualnn_torch.inspection import __array_namespace_info__
from dualnn_torch.linear_algebra_functions import (
    matmul,
    matrix_transpose,
    tensordot,
    vecdot,
)
from dualnn_torch.manipulation_functions import (
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
from dualnn_torch.modules import (
    functional_call,
    native_module,
)
from dualnn_torch.neural import (
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
from dualnn_torch.searching_functions import (
    argmax,
    argmin,
    count_nonzero,
    nonzero,
    searchsorted,
    where,
)
from dualnn_torch.set_functions import (
    isin,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
)
from dualnn_torch.sorting_functions import (
    argsort,
    sort,
)
from dualnn_torch.splitting import split
from dualnn_torch.statistical_functions import (
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
from dualnn_torch.transforms import checkpoint, grad, inference_mode, stop_gradient, value_and_grad
from dualnn_torch.utility_functions import (
    all,
    any,
    diff,
)
from dualnn_torch.variables import (
    Variable,
    assign,
    assign_add,
    assign_sub,
    is_variable,
    value,
)

name = "torch"
__array_api_version__ = "2025.12"
