"""Two of five nodes are cut off from three."""

import pytest

from tests.chaos.test_networks_that_fail import split

MODES = ("async", "quorum", "sync")


@pytest.mark.parametrize("mode", MODES)
def test_two_are_cut_off_from_three(run, mode):
    with run(mode, nodes=5, load={"clients_per_node": 1}) as experiment:
        split(experiment, [0, 1, 2], [3, 4])
    experiment.check()
