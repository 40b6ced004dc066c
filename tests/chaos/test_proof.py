"""Nodes that are broken on purpose: each fault must be found by the checkers, and none without."""

import pytest

from tests.chaos import faults
from tests.chaos.test_nodes_that_stop import CALM_SECONDS
from tests.chaos.workload import wait_sent

FOUND_BY = {
    "forgets-a-write": ("lost", "differ", "lack it", "version"),
    "resurrects": ("came back", "differ", "lack it", "version"),
    "prefers-its-own": ("lost", "differ", "lack it", "came back"),
    "acknowledges-alone": ("lack it",),
}


def torment(experiment):
    """Part the nodes before they notice, look, and let them find each other again."""
    experiment.work(3 * CALM_SECONDS)
    with faults.partitioned(experiment.cluster, [0], [1], [2]):
        experiment.work(CALM_SECONDS)
        experiment.look(experiment.cluster.all)
    experiment.work(CALM_SECONDS)
    experiment.workload.rest()
    wait_sent(experiment.cluster)


@pytest.mark.parametrize("mutant", FOUND_BY)
def test_a_broken_node_is_found(run, mutant):
    with run("quorum", mutant=mutant, load={"weights": (45, 30, 20, 5)}) as experiment:
        torment(experiment)
        experiment.show()
    with pytest.raises(AssertionError) as caught:
        experiment.check()
    # It is no result of an experiment with the product.
    experiment.figures.operations = 0
    assert any(words in str(caught.value) for words in FOUND_BY[mutant]), str(caught.value)


def test_a_sound_node_is_not(run):
    with run("quorum") as experiment:
        torment(experiment)
        experiment.converge()
    experiment.check()
