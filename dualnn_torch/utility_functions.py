"""The utility functions of the array API standard."""

from __future__ import annotations

import array_api_compat.torch as xp

all = xp.all
any = xp.any
diff = xp.diff
