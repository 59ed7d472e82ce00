"""Full precision on GPUs, when the backend is imported.

PyTorch lets cuDNN compute convolutions of float32 by TF32, with 10 bits instead of 23. Who wants that sets it
back: ``torch.backends.cudnn.conv.fp32_precision = "tf32"``.
"""

from __future__ import annotations

import torch

torch.backends.cudnn.allow_tf32 = False  # the older name, which torch.export holds against the others
torch.backends.cuda.matmul.fp32_precision = "ieee"
torch.backends.cudnn.conv.fp32_precision = "ieee"
torch.backends.cudnn.rnn.fp32_precision = "ieee"
