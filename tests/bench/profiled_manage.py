"""`manage.py` of a node that counts what its requests cost; for the benchmark alone.

At the end of the process the profiles are written to `profile-<method>.txt` in the data directory:
of each request thread by method, and of the thread that commits.
"""

import atexit
import cProfile
import io
import os
import pstats
import sys
import threading
from pathlib import Path

ROWS = 45
_profiles = {}
_local = threading.local()


def _profile(name):
    mine = _local.__dict__.setdefault("profiles", {})
    if name not in mine:
        mine[name] = cProfile.Profile()
        _profiles.setdefault(name, []).append(mine[name])
    return mine[name]


def _profiled(app):
    def answer(environ, start_response):
        words = environ["REQUEST_METHOD"], "LIST" if environ["QUERY_STRING"] else ""
        profile = _profile("-".join(filter(None, words)))
        profile.enable()
        try:
            return app(environ, start_response)
        finally:
            profile.disable()

    return answer


def _install():
    from rs3gw.server import app
    from rs3gw.server.management.commands import serve
    from rs3gw.storage import commit

    serve.s3_port_app = lambda: _profiled(app.s3_port_app())
    commit_group = commit._commit_group

    def profiled_commit(group):
        profile = _profile("commit")
        profile.enable()
        try:
            commit_group(group)
        finally:
            profile.disable()

    commit._commit_group = profiled_commit


@atexit.register
def _write():
    for name, profiles in _profiles.items():
        text = io.StringIO()
        stats = pstats.Stats(profiles[0], stream=text)
        for profile in profiles[1:]:
            stats.add(profile)
        for order in ("tottime", "cumtime"):
            stats.sort_stats(order).print_stats(ROWS)
        directory = Path(os.environ["RS3GW_DATA_DIR"])
        (directory / f"profile-{name}.txt").write_text(text.getvalue())


def main():
    """Run a management command, profiled."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rs3gw.settings")
    import django

    django.setup()
    if "serve" in sys.argv:
        _install()
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
