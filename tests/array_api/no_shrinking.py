"""A pytest plugin: no search for the smallest failing example, which changes no outcome and takes minutes."""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings


@pytest.hookimpl(trylast=True)  # after the suite has made its settings
def pytest_configure():
    """Load the suite's settings without that phase."""
    phases = (Phase.explicit, Phase.reuse, Phase.generate)
    current = settings.get_profile(settings.get_current_profile_name())
    settings.register_profile("no_shrinking", current, phases=phases)
    settings.load_profile("no_shrinking")
