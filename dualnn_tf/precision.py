"""Full precision on GPUs, when the backend is imported.

TensorFlow computes matrix products and convolutions of float32 by TF32, with 10 bits instead of 23. Who wants
that sets it back: ``tf.config.experimental.enable_tensor_float_32_execution(True)``.
"""

from __future__ import annotations

import tensorflow as tf

tf.config.experimental.enable_tensor_float_32_execution(False)
