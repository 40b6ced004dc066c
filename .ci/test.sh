#!/usr/bin/env bash
# All lanes that CI runs. Every lane runs even when an earlier one failed; each prints its summary.
set -uo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
failed=0

"$python" -m pytest tests/integration --database postgres || failed=1
"$python" -m pytest tests --ignore=tests/browser || failed=1
exit "$failed"
