"""Take one client through all steps, in a process of its own: a line of JSON for each."""

import importlib
import json
import sys
import time
import traceback
from pathlib import Path

from tests.clients import loopback
from tests.clients.protocol import CannotDo, Endpoint
from tests.clients.steps import STEPS, Steps
from tests.clients.witness import Witness


def tell(**line):
    """Print one line for the process that asked."""
    sys.__stdout__.write(json.dumps(line) + "\n")
    sys.__stdout__.flush()


def try_step(step, steps):
    """Return outcome and detail of one step."""
    try:
        remark = step(steps)
    except CannotDo as error:
        return "cannot do", str(error)
    except BaseException as error:
        traceback.print_exc()
        return "fail", f"{type(error).__name__}: {error}"
    return "pass", remark or ""


def main():
    """Read the task from the arguments: module, class and endpoint as JSON."""
    loopback.install()
    task = json.loads(sys.argv[1])
    endpoint = Endpoint(**{**task["endpoint"], "directory": Path(task["endpoint"]["directory"])})
    module = importlib.import_module(f"tests.clients.drivers.{task['module']}")
    client = getattr(module, task["class"])(endpoint)
    tell(version=client.version())
    witness, bucket = Witness(endpoint), task["bucket"]
    steps = Steps(client, witness, endpoint, bucket)
    for name, step in STEPS.items():
        before = time.monotonic()
        outcome, detail = try_step(step, steps)
        tell(step=name, outcome=outcome, detail=detail, seconds=time.monotonic() - before)
        if name == "create bucket":
            witness.ensure_bucket(bucket)
    witness.drop(bucket)


if __name__ == "__main__":
    main()
