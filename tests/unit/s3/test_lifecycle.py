"""What lifecycle rules decide."""

from datetime import UTC, datetime, timedelta

import pytest

from rs3gw.s3.core.lifecycle import (
    ActKind,
    Expiration,
    LifecycleFilter,
    LifecycleRule,
    NoncurrentExpiration,
    Transition,
    VersionFacts,
    decide_key,
    decide_upload,
    expiration_header,
    storage_class,
)

WRITTEN = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
DAY = 86_400
EXPIRES = LifecycleRule(rule_id="e", filter=LifecycleFilter(), expiration=Expiration(days=3))


def current(**more):
    return VersionFacts(**({"version_id": "v", "is_latest": True, "last_modified": WRITTEN} | more))


def old(version_id, seconds, **more):
    """Return a version that was replaced some seconds after it was written."""
    return VersionFacts(
        version_id=version_id,
        is_latest=False,
        last_modified=WRITTEN,
        became_noncurrent_at=WRITTEN + timedelta(seconds=seconds),
        **more,
    )


def acts(rule, *versions, seconds=0.0, day_seconds=10, key="logs/a", **more):
    now = WRITTEN + timedelta(seconds=seconds)
    found = decide_key([rule], key, versions, now=now, day_seconds=day_seconds, **more)
    return [(act.kind, act.version_id) for act in found]


EXPIRED = [(ActKind.EXPIRE_CURRENT, "v")]


def test_with_a_short_day_an_object_expires_at_its_very_age():
    assert acts(EXPIRES, current(), seconds=29.9) == []
    assert acts(EXPIRES, current(), seconds=30) == EXPIRED


def test_with_a_real_day_an_object_expires_at_the_next_midnight():
    last_second = datetime(2026, 1, 18, 23, 59, 59, tzinfo=UTC)
    midnight = datetime(2026, 1, 19, tzinfo=UTC)
    decide = [decide_key([EXPIRES], "a", [current()], now=now, day_seconds=DAY)
              for now in (last_second, midnight)]  # fmt: skip
    assert [len(found) for found in decide] == [0, 1]
    assert decide[1][0].rule_id == "e"


def test_a_date_expires_everything_from_then_on():
    rule = LifecycleRule(
        rule_id="d", prefix="", expiration=Expiration(date=WRITTEN + timedelta(seconds=5))
    )
    assert acts(rule, current(), seconds=4) == []
    assert acts(rule, current(), seconds=5) == EXPIRED


@pytest.mark.parametrize(
    ("chosen", "facts", "is_chosen"),
    [
        (LifecycleFilter(prefix="logs/"), {}, True),
        (LifecycleFilter(prefix="log2"), {}, False),
        (LifecycleFilter(tags=(("k", "v"),)), {"tags": {"k": "v", "other": ""}}, True),
        (LifecycleFilter(tags=(("k", "v"),)), {"tags": {"k": "w"}}, False),
        (LifecycleFilter(tags=(("k", "v"),)), {}, False),
        (LifecycleFilter(larger_than_bytes=10), {"size_bytes": 10}, False),
        (LifecycleFilter(larger_than_bytes=10), {"size_bytes": 11}, True),
        (LifecycleFilter(smaller_than_bytes=10), {"size_bytes": 10}, False),
        (LifecycleFilter(smaller_than_bytes=10), {"size_bytes": 9}, True),
    ],
)
def test_a_filter_chooses_by_all_that_it_names(chosen, facts, is_chosen):
    rule = LifecycleRule(rule_id="f", filter=chosen, expiration=Expiration(days=1))
    assert acts(rule, current(**facts), seconds=100) == (EXPIRED if is_chosen else [])
    header = expiration_header(
        [rule], "logs/a", facts.get("tags", {}), facts.get("size_bytes", 0), WRITTEN
    )
    assert bool(header) == is_chosen


def test_the_newest_replaced_versions_are_kept_and_the_others_go_when_old():
    rule = LifecycleRule(
        rule_id="n",
        filter=LifecycleFilter(),
        noncurrent_expiration=NoncurrentExpiration(days=1, newer_versions=1),
    )
    versions = [current(), old("3", 5), old("2", 4), old("1", 1)]
    gone = [(ActKind.DELETE_NONCURRENT, "2"), (ActKind.DELETE_NONCURRENT, "1")]
    assert acts(rule, *versions, seconds=13) == gone[1:]
    assert acts(rule, *versions, seconds=100) == gone
    # The same key in two parts.
    assert acts(rule, *versions[:2], seconds=100, is_whole=False) == []
    rest = acts(rule, *versions[2:], seconds=100, newer_noncurrent=1, is_whole=False)
    assert rest == gone


MARKER_ONLY = LifecycleRule(
    rule_id="m", filter=LifecycleFilter(), expiration=Expiration(expired_delete_marker=True)
)
GONE = [(ActKind.DELETE_MARKER, "v")]


def test_a_delete_marker_goes_when_it_is_all_that_is_left():
    marker = current(is_delete_marker=True)
    assert acts(MARKER_ONLY, marker) == GONE
    assert acts(MARKER_ONLY, marker, old("1", 1)) == []
    assert acts(MARKER_ONLY, marker, is_whole=False) == []
    assert acts(MARKER_ONLY, current()) == []


def test_a_rule_of_days_also_cleans_up_delete_markers_of_that_age():
    marker = current(is_delete_marker=True)
    assert acts(EXPIRES, marker, seconds=29) == []
    assert acts(EXPIRES, marker, seconds=30) == GONE
    assert acts(EXPIRES, marker, old("1", 1), seconds=1000) == []


def test_a_rule_about_content_leaves_delete_markers_alone():
    rule = LifecycleRule(
        rule_id="s",
        filter=LifecycleFilter(smaller_than_bytes=10),
        expiration=Expiration(days=1),
    )
    assert acts(rule, current(is_delete_marker=True), seconds=1000) == []


def test_uploads_are_aborted_by_their_age_and_prefix():
    rules = [LifecycleRule(rule_id="a", prefix="logs/", abort_days=2)]
    tagged = [LifecycleRule(rule_id="a", filter=LifecycleFilter(larger_than_bytes=1), abort_days=2)]

    def decide(chosen, key, seconds):
        now = WRITTEN + timedelta(seconds=seconds)
        return decide_upload(chosen, key, WRITTEN, now=now, day_seconds=10)

    assert [decide(rules, "logs/a", seconds) for seconds in (19, 20)] == [False, True]
    assert not decide(rules, "other", 1000)
    assert not decide(tagged, "logs/a", 1000)


def test_the_header_names_the_first_expiry_and_its_rule():
    later = LifecycleRule(rule_id="later", prefix="", expiration=Expiration(days=30))
    first = LifecycleRule(rule_id="a b/ü", prefix="", expiration=Expiration(days=3))
    value = expiration_header([later, first], "a", {}, 0, WRITTEN)
    assert value == ('expiry-date="Mon, 19 Jan 2026 00:00:00 GMT", rule-id="a%20b%2F%C3%BC"')
    assert "10:30:30" in expiration_header([first], "a", {}, 0, WRITTEN, day_seconds=10)
    assert expiration_header([MARKER_ONLY], "a", {}, 0, WRITTEN) == ""


def test_a_header_can_be_written_for_the_longest_time():
    rule = LifecycleRule(rule_id="r", prefix="", expiration=Expiration(days=2**31 - 1))
    assert "Dec 9999" in expiration_header([rule], "a", {}, 0, WRITTEN)


def test_transitions_label_versions_with_the_last_class_that_is_due():
    rule = LifecycleRule(
        rule_id="t",
        filter=LifecycleFilter(),
        transitions=(
            Transition(storage_class="STANDARD_IA", days=1),
            Transition(storage_class="GLACIER", days=3),
        ),
        noncurrent_transitions=(
            Transition(storage_class="DEEP_ARCHIVE", days=1, newer_versions=1),
        ),
    )

    def label(facts, seconds, newer=0):
        now = WRITTEN + timedelta(seconds=seconds)
        return storage_class([rule], "a", facts, now=now, day_seconds=10, newer_noncurrent=newer)

    found = [label(current(), seconds) for seconds in (9, 10, 29, 30)]
    assert found == ["", "STANDARD_IA", "STANDARD_IA", "GLACIER"]
    assert label(old("1", 5), 100) == ""
    assert [label(old("1", 5), seconds, newer=1) for seconds in (14, 15)] == ["", "DEEP_ARCHIVE"]
