"""What a run of the client matrix reports, and when it fails."""

import json
import ssl
import sys
from collections import Counter
from dataclasses import astuple
from pathlib import Path

import pytest

from rs3gw.server.devcluster import certificates
from tests.clients import matrix, report
from tests.clients.compare import same
from tests.clients.matrix import Result
from tests.clients.node import SERVER_ERROR
from tests.clients.roster import Entry
from tests.clients.step_names import STEP_NAMES

ALL_PASS = dict.fromkeys(STEP_NAMES, ("pass", ""))


def test_a_run_fails_by_a_failed_step_by_an_error_and_by_a_step_that_did_not_run():
    assert not Result("one", "HTTP", steps=ALL_PASS).failed
    assert not Result("one", "HTTP", steps=ALL_PASS | {"copy": ("cannot do", "why")}).failed
    assert Result("one", "HTTP", steps=ALL_PASS | {"copy": ("fail", "why")}).failed
    assert Result("one", "HTTP", steps=ALL_PASS, error="killed").failed
    assert Result("one", "HTTP", steps={"list": ("pass", "")}).failed


def test_a_client_that_is_not_installed_fails_the_run():
    entry = Entry("none", "none", "None", python=matrix.ROOT / "no-such-python")
    result = matrix.run_client(entry, node=None, transport="HTTP", deadline=0)
    assert result.failed
    assert "no-such-python" in result.error


def test_a_client_after_the_end_of_the_run_fails():
    entry = Entry("none", "none", "None", python=Path(sys.executable))
    result = matrix.run_client(entry, node=None, transport="HTTP", deadline=0)
    assert "were over" in result.error


def test_server_errors_fail_a_client_and_what_is_not_built_is_a_remark():
    result = Result("one", "HTTP", steps=ALL_PASS)
    matrix.note_server_errors(result, Counter({501: 2}))
    assert not result.failed
    assert "2 requests" in result.remark
    matrix.note_server_errors(result, Counter({500: 1}))
    assert result.failed


def test_server_errors_are_read_from_the_metrics():
    text = (
        'rs3gw_s3_requests_total{operation="GetObject",status="200"} 7.0\n'
        'rs3gw_s3_requests_total{operation="GetObject",status="503"} 2.0\n'
        'rs3gw_s3_requests_created{operation="GetObject",status="503"} 1.7e+09\n'
    )
    assert SERVER_ERROR.findall(text) == [("503", "2.0")]


def test_the_page_joins_transports_that_agree_and_tells_apart_those_that_do_not():
    results = [
        Result("one", "HTTP", "1.0", ALL_PASS),
        Result("one", "TLS", "1.0", ALL_PASS | {"list": ("fail", "a | b")}),
    ]
    page = report.document(results)
    row = next(line for line in page.splitlines() if line.startswith("| one |"))
    assert "pass (HTTP), fail (TLS)" in row
    assert row.count("|") == len(STEP_NAMES) + 3
    assert "- one (TLS): list, fail: a / b" in page


def test_lines_of_a_client_are_taken_in():
    result = Result("one", "HTTP")
    matrix.take(result, json.dumps({"version": "9"}))
    matrix.take(result, json.dumps({"step": "copy", "outcome": "pass", "detail": "", "seconds": 1}))
    assert (result.version, result.steps) == ("9", {"copy": ("pass", "")})


def test_a_difference_is_told_briefly():
    with pytest.raises(AssertionError, match="the body: found 3 bytes b'abc', expected 9999 bytes"):
        same(b"abc", b"d" * 9999, "the body")


def test_the_certificate_is_for_loopback_and_bucket_names(tmp_path):
    ca, cert, key = astuple(certificates.make(tmp_path))
    ssl.create_default_context(cafile=ca)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    assert key.stat().st_mode & 0o077 == 0
