"""Nodes that trim, forget, evict, lose disks and join again: deletes stay deleted."""

import os

import pytest

from tests.simulation import aftermath
from tests.simulation.region import Region, forgetting
from tests.simulation.world import seeds

SCHEDULES = int(os.environ.get("RS3GW_SIM_SCHEDULES", "200"))


@pytest.mark.parametrize("seed", seeds(SCHEDULES))
def test_deletes_stay_deleted_and_nothing_grows(seed):
    region = Region(seed, node_count=3 + seed % 3)
    forgetting(region)
    region.settle()
    aftermath.check_all(region)
