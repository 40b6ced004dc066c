"""Running the programs of the system."""

import subprocess


def sh(*words, check=True):
    """Run a program and return what it printed; its errors are in the exception's text."""
    done = subprocess.run(words, text=True, capture_output=True, stdin=subprocess.DEVNULL)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.returncode}: {done.stderr.strip()}")
    return done.stdout.strip()
