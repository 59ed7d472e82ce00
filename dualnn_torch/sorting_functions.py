"""The sorting functions of the array API standard."""

from __future__ import annotations

import array_api_compat.torch as xp

argsort = xp.argsort
sort = xp.sort
