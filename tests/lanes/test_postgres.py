"""What has a database passes on PostgreSQL as it does on SQLite.

Django reads its database settings once for a process, so this is another process; being a test
here, its failures stand in the one summary that the whole run ends with.
"""

import subprocess
import sys

import pytest

LANE_SECONDS = 900


@pytest.mark.timeout(LANE_SECONDS + 60)
def test_the_database_lane_passes_on_postgres(pytestconfig, capsys):
    if pytestconfig.getoption("--database") == "postgres":
        return
    words = ["tests/integration", "--database", "postgres", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=pytestconfig.rootpath,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LANE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    with capsys.disabled():
        sys.stdout.write(f" [on PostgreSQL: {done.stdout.strip().splitlines()[-1]}] ")
