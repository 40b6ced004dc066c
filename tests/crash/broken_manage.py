"""`manage.py` of a node with a deliberate fault, which the campaign must catch.

python tests/crash/broken_manage.py FAULT serve --init
"""

import os
import sys
import threading
import time

WINDOW_SECONDS = 0.01


def row_before_body():
    """The row that names a body is committed before the body has its name."""
    from replication.services import objects
    from rs3gw.storage import blobs

    install, put = blobs.StagedBody.install, objects.put_object
    thread = threading.local()

    def install_later(body):
        if not getattr(thread, "is_putting", False):
            install(body)

    def put_object(*, body, **rest):
        thread.is_putting = True
        try:
            entry = put(body=body, **rest)
        finally:
            thread.is_putting = False
        time.sleep(WINDOW_SECONDS)
        install(body)
        return entry

    blobs.StagedBody.install = install_later
    objects.put_object = put_object
    sys.modules["replication.services"].put_object = put_object


def answer_before_commit():
    """The client of an object's change is answered before the transaction is durable."""
    from django.db import transaction

    from rs3gw.storage import commit
    from rs3gw.storage.core.objects import Entry

    def commit_group(group):
        later = []
        with transaction.atomic():
            for change, future in group:
                result, failure = commit._attempt(change)
                # Buckets and uploads are read back at once; the fault would show without any crash.
                if isinstance(result, tuple) and isinstance(result[0], Entry):
                    future.set_result(result)
                else:
                    later.append((future, result, failure))
            time.sleep(WINDOW_SECONDS / 5)
        for future, result, failure in later:
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)

    commit._commit_group = commit_group


def event_apart():
    """The event is written in a transaction of its own, after that of its change."""
    from replication import outbox
    from rs3gw.storage import commit

    append, run = outbox.append, commit.run
    waiting = []

    def run_and_append(change):
        result = run(change)
        time.sleep(WINDOW_SECONDS)
        while waiting:
            event, places = waiting.pop()
            run(lambda event=event, places=places: append(event, **places))
        return result

    outbox.append = lambda event, **places: waiting.append((event, places))
    commit.run = run_and_append


def body_in_place():
    """A body is written where it will be read, not to a temporary file that is renamed."""
    from rs3gw.storage import blobs

    stage = blobs._stage_file

    def stage_file(head, rest, digests):
        staged = stage(head, rest, digests)
        data = staged.temporary.read_bytes()
        target = blobs.file_path(staged.sha256_hex)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb", buffering=0) as file:
            for start in range(0, len(data), 65536):
                file.write(data[start : start + 65536])
                time.sleep(WINDOW_SECONDS / 10)
        staged.discard()
        return staged

    blobs._stage_file = stage_file


MUTANTS = {
    function.__name__.replace("_", "-"): function
    for function in (row_before_body, answer_before_commit, event_apart, body_in_place)
}


def _break_when_it_serves(fault):
    from rs3gw.server.http import HttpServer

    start = HttpServer.start

    def broken_start(self):
        fault()
        start(self)

    HttpServer.start = broken_start


def main():
    """Break what the first word names, and run the rest as a management command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rs3gw.settings")
    import django

    django.setup()
    _break_when_it_serves(MUTANTS[sys.argv[1]])
    from django.core.management import execute_from_command_line

    execute_from_command_line([sys.argv[0], *sys.argv[2:]])


if __name__ == "__main__":
    main()
