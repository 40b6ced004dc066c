"""Every setting, metric, event kind and command is documented, and no document promises others."""

import re
from pathlib import Path

import pytest

from replication.core.events import EventKind

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("rs3gw", "cluster", "replication")
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(path for package in PACKAGES for path in (ROOT / package).rglob("*.md")),
    ]
)
SETTING = re.compile(r"\bRS3GW_[A-Z0-9_]+[A-Z0-9]")
READ_SETTING = re.compile(r'\benv[a-z]+\(\s*"(RS3GW_[A-Z0-9_]+)"')
METRIC = re.compile(r"\brs3gw_[a-z0-9_]+[a-z0-9]")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MADE_METRIC = re.compile(r'"(rs3gw_[a-z0-9_]+)"')
# Names in quotes that look like metrics and are not.
NOT_METRICS = {"rs3gw_session_", "rs3gw_csrf_"}
# Anywhere outside this repository means nothing to a reader.
FOREIGN_PATHS = re.compile(r"(?<![\w.])/(work|tmp/w|root)\b")


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def code():
    paths = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {path: path.read_text(encoding="utf-8") for path in paths}


def documented(name, pattern):
    return set(pattern.findall(text_of(name)))


def read_settings():
    return set(READ_SETTING.findall(text_of("rs3gw/settings.py")))


def test_every_setting_is_documented():
    assert read_settings() - documented("docs/settings.md", SETTING) == set()


def test_no_document_names_a_setting_that_is_not_read():
    known = read_settings()
    for path in DOCUMENTS:
        named = {
            name.removesuffix("_FILE") for name in SETTING.findall(path.read_text(encoding="utf-8"))
        }
        assert named - known == set(), path


def test_every_metric_is_documented_and_exists():
    made = {name for text in code().values() for name in MADE_METRIC.findall(text)} - NOT_METRICS
    listed = documented("docs/metrics.md", METRIC)
    # A counter is exposed with `_total` at its end, under whichever name the code gives it.
    listed_bases = {name.removesuffix("_total") for name in listed}
    made_bases = {name.removesuffix("_total") for name in made}
    assert made_bases - listed_bases == set()
    assert listed_bases - made_bases == set()


@pytest.mark.parametrize("kind", EventKind)
def test_every_event_kind_is_in_the_wire_protocol(kind):
    assert f"`{kind.value}`" in text_of("docs/wire-protocol.md")


def test_every_management_command_is_documented():
    paths = [path for path in code() if path.parent.name == "commands"]
    commands = {path.stem for path in paths if path.stem != "__init__"}
    everything = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    assert {name for name in commands if f"manage.py {name}" not in everything} == set()


def test_every_make_target_in_a_document_exists():
    targets = set(re.findall(r"^([a-z0-9-]+):", text_of("Makefile"), re.MULTILINE))
    for path in DOCUMENTS:
        named = re.findall(
            r"(?:^|`)make ([a-z0-9-]+)", path.read_text(encoding="utf-8"), re.MULTILINE
        )
        assert set(named) - targets == set(), path


def anchors_of(path):
    headings = HEADING.findall(path.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_inside_the_repository_lead_somewhere(path):
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), f"{path.name} links to {link}"
        if anchor and target.suffix == ".md":
            assert anchor in anchors_of(target), f"{path.name} links to {link}"


def test_nothing_cites_a_place_outside_the_repository():
    texts = {path: path.read_text(encoding="utf-8") for path in DOCUMENTS} | code()
    found = [
        str(path.relative_to(ROOT)) for path, text in texts.items() if FOREIGN_PATHS.search(text)
    ]
    assert found == []


def test_decision_records_are_numbered_without_gaps():
    names = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [int(name[:4]) for name in names]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_operation_of_s3_is_in_the_compatibility_table():
    from rs3gw.s3.core.actions import ACTIONS
    from rs3gw.s3.operations import OPERATIONS

    rows = re.findall(
        r"^\| ([A-Z]\w+) \| (yes|partly|no) \|", text_of("docs/s3-compatibility.md"), re.MULTILINE
    )
    answers = dict(rows)
    assert len(answers) == len(rows)
    built = set(OPERATIONS) | {"ListObjectsV2"}
    assert {name for name, answer in answers.items() if answer != "no"} == built
    assert set(answers) - set(ACTIONS) == set()
