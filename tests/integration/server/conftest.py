"""Servers on free ports."""

import pytest

from tests.integration.server.raw import Servers


@pytest.fixture
def servers():
    started = Servers()
    yield started
    started.stop()
