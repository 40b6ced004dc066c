"""Lifecycle documents: what is read from them, what is refused, what is written."""

import contextlib
import json
from datetime import UTC, datetime

import pytest

from rs3gw.s3.core import xml
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.lifecycle import (
    Expiration,
    LifecycleFilter,
    LifecycleRule,
    NoncurrentExpiration,
    Transition,
)
from rs3gw.s3.core.lifecycle_parser import parse_lifecycle
from rs3gw.s3.core.lifecycle_writer import from_json, lifecycle_xml, to_json

DATE = datetime(2017, 9, 27, tzinfo=UTC)
DAYS = "<Expiration><Days>1</Days></Expiration>"
TAG = "<Tag><Key>k</Key><Value>v</Value></Tag>"
MARKER = "<ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>"
ABORT = (
    "<AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation>"
    "</AbortIncompleteMultipartUpload>"
)


@contextlib.contextmanager
def refused(code):
    with pytest.raises(S3Error) as caught:
        yield
    assert caught.value.code == code


def parse(rules):
    text = f'<LifecycleConfiguration xmlns="{xml.NAMESPACE}">{rules}</LifecycleConfiguration>'
    return parse_lifecycle(text.encode(), new_id=lambda: "made")


def rule(actions=DAYS, *, chosen="<Filter/>", status="Enabled", rule_id="one"):
    return f"<Rule><ID>{rule_id}</ID>{chosen}<Status>{status}</Status>{actions}</Rule>"


def expiration(inner):
    return rule(f"<Expiration>{inner}</Expiration>")


def chosen(inner):
    return rule(chosen=f"<Filter>{inner}</Filter>")


def noncurrent(inner):
    return rule(f"<NoncurrentVersionExpiration>{inner}</NoncurrentVersionExpiration>")


def transition(inner):
    return rule(f"<Transition>{inner}</Transition>")


def nested(inner):
    return chosen(f"<And>{inner}</And>")


FULL = LifecycleRule(
    rule_id="full",
    is_enabled=False,
    filter=LifecycleFilter(
        prefix="lögs/",
        tags=(("a", "1"), ("b", "<")),
        larger_than_bytes=0,
        smaller_than_bytes=9,
        is_and=True,
    ),
    expiration=Expiration(date=DATE),
    noncurrent_expiration=NoncurrentExpiration(days=3, newer_versions=2),
    transitions=(Transition(storage_class="GLACIER", date=DATE),),
    noncurrent_transitions=(
        Transition(storage_class="STANDARD_IA", days=0, newer_versions=1),
        Transition(storage_class="GLACIER_IR", days=2),
    ),
)
VARIED = (
    FULL,
    LifecycleRule(rule_id="days", filter=LifecycleFilter(), expiration=Expiration(days=7)),
    LifecycleRule(rule_id="no", filter=LifecycleFilter(prefix=""), abort_days=5),
    LifecycleRule(
        rule_id="marker",
        filter=LifecycleFilter(larger_than_bytes=5),
        expiration=Expiration(expired_delete_marker=True),
    ),
    LifecycleRule(
        rule_id="kept",
        filter=LifecycleFilter(tags=(("k", ""),)),
        noncurrent_expiration=NoncurrentExpiration(newer_versions=1),
    ),
    LifecycleRule(
        rule_id="two", filter=LifecycleFilter(), expiration=Expiration(expired_delete_marker=False)
    ),
)
LEGACY = (
    LifecycleRule(rule_id="l", prefix="p/", expiration=Expiration(days=1)),
    LifecycleRule(rule_id="m", prefix="", is_enabled=False, abort_days=1),
)


@pytest.mark.parametrize("rules", [VARIED, LEGACY])
def test_rules_survive_their_xml_and_their_json(rules):
    assert parse_lifecycle(lifecycle_xml(rules), new_id=lambda: "made") == rules
    assert from_json(json.loads(json.dumps(to_json(rules)))) == rules


def test_a_rule_without_a_name_gets_one():
    assert parse(rule(rule_id=""))[0].rule_id == "made"
    without = rule().replace("<ID>one</ID>", "")
    assert parse(without)[0].rule_id == "made"


@pytest.mark.parametrize(
    "text", ["2017-09-27", "2017-09-27T00:00:00Z", "2017-09-27T00:00:00.000Z",
             "2017-09-27T02:00:00+02:00", "2017-09-27T00:00:00"]
)  # fmt: skip
def test_dates_at_midnight_are_read(text):
    assert parse(expiration(f"<Date>{text}</Date>"))[0].expiration.date == DATE


@pytest.mark.parametrize(
    "rules",
    [
        "",
        "<Other/>",
        rule(status="enabled"),
        rule(status=""),
        rule(chosen=""),
        rule(chosen="<Prefix/><Filter/>"),
        rule(chosen="<Filter/><Filter/>"),
        rule("<Other/>"),
        rule("<Expiration/>"),
        expiration("<Days>1</Days>" + MARKER),
        expiration("<Days>1</Days><Date>2017-09-27</Date>"),
        expiration("<Days>one</Days>"),
        expiration("<Days>1.5</Days>"),
        expiration("<Days>2147483648</Days>"),
        expiration("<Days>1</Days><Days>2</Days>"),
        expiration("<Date>20170927</Date>"),
        expiration("<Date>2017-13-27</Date>"),
        expiration("<Date>0001-01-01T00:00:00+23:00</Date>"),
        expiration("<ExpiredObjectDeleteMarker>yes</ExpiredObjectDeleteMarker>"),
        chosen(TAG + TAG.replace(">k<", ">l<")),
        chosen("<Prefix>p</Prefix>" + TAG),
        chosen("<Prefix>p</Prefix><And><Prefix>p</Prefix></And>"),
        chosen("<Tag><Key>k</Key></Tag>"),
        chosen("<ObjectSizeGreaterThan>big</ObjectSizeGreaterThan>"),
        nested("<And/>"),
        noncurrent(""),
        rule("<AbortIncompleteMultipartUpload/>"),
        transition("<Days>1</Days>"),
        transition("<StorageClass>GLACIER</StorageClass>"),
        transition("<Days>1</Days><StorageClass>CHEAP</StorageClass>"),
        transition("<Days>1</Days><Date>2017-09-27</Date><StorageClass>GLACIER</StorageClass>"),
    ],
)
def test_what_is_not_the_schema_is_malformed(rules):
    with refused("MalformedXML"):
        parse(rules)


@pytest.mark.parametrize(
    "rules",
    [
        rule(rule_id="i" * 256),
        rule() + rule(),
        expiration("<Days>0</Days>"),
        expiration("<Days>-1</Days>"),
        expiration("<Date>2017-09-27T00:00:01Z</Date>"),
        expiration("<Date>2017-09-27T00:00:00+01:00</Date>"),
        noncurrent("<NoncurrentDays>0</NoncurrentDays>"),
        noncurrent("<NewerNoncurrentVersions>0</NewerNoncurrentVersions>"),
        noncurrent("<NewerNoncurrentVersions>101</NewerNoncurrentVersions>"),
        rule(ABORT.replace("2", "0")),
        transition("<Days>-1</Days><StorageClass>GLACIER</StorageClass>"),
        rule(DAYS + "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"),
    ],
)
def test_values_out_of_range_are_invalid_arguments(rules):
    with refused("InvalidArgument"):
        parse(rules)


@pytest.mark.parametrize(
    "rules",
    [
        rule(""),
        rule() + rule(chosen="<Prefix/>", rule_id="two"),
        "".join(rule(rule_id=f"r{number}") for number in range(1001)),
        nested(TAG * 2),
        rule(ABORT, chosen=f"<Filter>{TAG}</Filter>"),
        rule(f"<Expiration>{MARKER}</Expiration>", chosen=f"<Filter>{TAG}</Filter>"),
        chosen(f"<Prefix>{'ö' * 513}</Prefix>"),
        chosen("<ObjectSizeGreaterThan>-1</ObjectSizeGreaterThan>"),
        nested(
            "<ObjectSizeGreaterThan>5</ObjectSizeGreaterThan>"
            "<ObjectSizeLessThan>5</ObjectSizeLessThan>"
        ),
        rule(
            "<NoncurrentVersionExpiration><NewerNoncurrentVersions>1</NewerNoncurrentVersions>"
            "</NoncurrentVersionExpiration>",
            chosen="<Prefix/>",
        ),
        rule("<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>" * 2),
        rule(
            DAYS
            + "<Transition><Date>2017-09-27</Date><StorageClass>GLACIER</StorageClass></Transition>"
        ),
    ],
)
def test_rules_that_contradict_themselves_are_invalid_requests(rules):
    with refused("InvalidRequest"):
        parse(rules)


def test_tags_that_cannot_exist_are_refused():
    with refused("InvalidTag"):
        parse(chosen(TAG.replace("<Key>k", f"<Key>{'k' * 129}")))


def test_an_empty_prefix_beside_another_predicate_is_tolerated():
    size = "<Prefix/><ObjectSizeGreaterThan>2000</ObjectSizeGreaterThan>"
    expected = LifecycleFilter(prefix="", larger_than_bytes=2000)
    assert parse(chosen(size))[0].filter == expected


def test_a_thousand_rules_are_accepted():
    assert len(parse("".join(rule(rule_id=f"r{number}") for number in range(1000)))) == 1000
