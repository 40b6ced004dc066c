"""The import contracts of `.importlinter` hold."""

import subprocess
import sys

# In a process of its own: it sets up logging, and would silence the loggers of later tests.
LINT = "import sys; from importlinter.cli import lint_imports_command as run; run()"


def test_the_layers_are_kept(pytestconfig):
    linted = subprocess.run(
        [sys.executable, "-c", LINT, "--config", ".importlinter", "--no-cache", "--no-logo"],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr
