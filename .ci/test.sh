#!/usr/bin/env bash
# All lanes that CI runs, in one pytest run, so that its summary is the last line and tells all.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/python -m pytest tests --ignore=tests/browser --ignore=tests/chaos -m "not slow"
