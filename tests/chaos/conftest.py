"""One region of real nodes for many scenarios, and a table of what they measured."""

import os
from pathlib import Path

import pytest

from tests.chaos.experiment import Experiment
from tests.chaos.lab import able
from tests.chaos.region import ChaosCluster, Plan
from tests.chaos.report import table, write_table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
if able.missing():
    collect_ignore_glob = ["test_*.py"]


def pytest_addoption(parser):
    parser.addoption("--write-docs", action="store_true", help="write figures into the docs")


class Regions:
    """The region that runs now; another plan, or a failed test, ends it."""

    def __init__(self):
        self._cluster = None
        self.figures = []

    def get(self, plan):
        """Return a whole region of this plan."""
        if self._cluster is not None and self._cluster.plan != plan:
            self.end()
        if self._cluster is None:
            cluster = ChaosCluster(plan)
            cluster.__enter__()
            self._cluster = cluster
        return self._cluster

    def end(self):
        """End the region that runs."""
        if self._cluster is not None:
            self._cluster.__exit__(None, None, None)
            self._cluster = None


@pytest.fixture(scope="session")
def regions():
    found = Regions()
    yield found
    found.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call":
        item.stash[FAILED] = report.failed
    return report


FAILED = pytest.StashKey[bool]()


@pytest.fixture
def run(regions, request):
    """Return a function that begins an experiment in a region of some plan."""

    begun = []

    def begin(mode, *, name="", load=None, **plan):
        cluster = regions.get(Plan(mode=mode, **plan))
        words = request.node.name.removeprefix("test_").partition("[")[0].replace("_", "-")
        bucket = f"{name or words}-{os.urandom(3).hex()}"
        experiment = Experiment(cluster, bucket[:50], **(load or {}))
        experiment.figures.scenario = request.node.callspec.id if name else words
        experiment.figures.scenario = words
        regions.figures.append(experiment.figures)
        begun.append(experiment)
        return experiment

    yield begin
    # A region that something went wrong in is not one to go on with.
    if request.node.stash.get(FAILED, True) or any(one.is_spoiled for one in begun):
        regions.end()


def pytest_sessionfinish(session):
    session.config.stash[FIGURES] = getattr(session, "_chaos_figures", [])


FIGURES = pytest.StashKey[list]()


@pytest.fixture(scope="session", autouse=True)
def _keep_figures(request, regions):
    request.session._chaos_figures = regions.figures
    return


def pytest_terminal_summary(terminalreporter, config):
    figures = [found for found in config.stash.get(FIGURES, []) if found.operations]
    if figures:
        terminalreporter.write_line(table(figures))
        if config.getoption("--write-docs"):
            write_table(PAGE, "scenarios", table(figures))
