"""Cross-origin settings of a bucket, on the database, and what browsers are answered."""

import io
import uuid
from types import SimpleNamespace

import pytest
from django.http import HttpResponse

from rs3gw.common import clock
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.operations import OPERATIONS, cors
from rs3gw.s3.request import S3Request
from rs3gw.storage import rows, services

CALLER = SimpleNamespace(access_key_id="AKTEST", owner="root", signing_key=b"")
DOCUMENT = (
    b"<CORSConfiguration><CORSRule><AllowedOrigin>https://*.example</AllowedOrigin>"
    b"<AllowedMethod>GET</AllowedMethod><AllowedHeader>x-*</AllowedHeader>"
    b"<MaxAgeSeconds>60</MaxAgeSeconds></CORSRule></CORSConfiguration>"
)
ORIGIN = "https://a.example"


def send(method, *, bucket="photos", key="", query="", body=b"", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named["content-length"] = str(len(body))
    return S3Request(method, f"/{bucket}/{key}", query, named, {"wsgi.input": io.BytesIO(body)})


def run(method, body=b""):
    request = send(method, query="cors", body=body)
    return OPERATIONS[request.operation](request, CALLER)


@pytest.fixture
def bucket(db):
    services.init_clock()
    stamp, _ = rows.take_stamp(0, clock.now_ms())
    return services.insert_bucket(
        name="photos", incarnation=uuid.uuid4(), owner="root", region="us-east-1", stamp=stamp
    )


def code_of(call):
    with pytest.raises(S3Error) as caught:
        call()
    return caught.value.code


def test_a_setting_is_put_read_and_deleted(bucket):
    assert code_of(lambda: run("GET")) == "NoSuchCORSConfiguration"
    assert run("PUT", DOCUMENT).status_code == 200
    text = run("GET").content.decode()
    assert "<AllowedOrigin>https://*.example</AllowedOrigin>" in text
    assert "<MaxAgeSeconds>60</MaxAgeSeconds>" in text
    assert run("DELETE").status_code == 204
    assert run("DELETE").status_code == 204
    assert code_of(lambda: run("GET")) == "NoSuchCORSConfiguration"


def test_a_setting_that_is_not_allowed_changes_nothing(bucket):
    run("PUT", DOCUMENT)
    wrong = DOCUMENT.replace(b"GET", b"PATCH")
    assert code_of(lambda: run("PUT", wrong)) == "InvalidRequest"
    assert b"<AllowedMethod>GET</AllowedMethod>" in run("GET").content


def ask(**headers):
    named = {"origin": ORIGIN, "access_control_request_method": "GET"} | headers
    return cors.preflight(send("OPTIONS", key="cat", **{k: v for k, v in named.items() if v}))


def test_an_allowed_question_is_answered_with_the_rule(bucket):
    run("PUT", DOCUMENT)
    answer = ask(access_control_request_headers="X-Amz-Date, x-other")
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer["Access-Control-Allow-Origin"] == ORIGIN
    assert answer["Access-Control-Allow-Credentials"] == "true"
    assert answer["Access-Control-Allow-Methods"] == "GET"
    assert answer["Access-Control-Allow-Headers"] == "x-amz-date, x-other"
    assert answer["Access-Control-Max-Age"] == "60"
    assert answer["Vary"].startswith("Origin, ")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"origin": ""}, "BadRequest"),
        ({"access_control_request_method": ""}, "BadRequest"),
        ({"access_control_request_headers": "x," * 200}, "BadRequest"),
        ({"access_control_request_method": "PUT"}, "AccessForbidden"),
        ({"access_control_request_headers": "y-other"}, "AccessForbidden"),
        ({"origin": "http://a.example"}, "AccessForbidden"),
    ],
)
def test_other_questions_are_refused(bucket, headers, code):
    run("PUT", DOCUMENT)
    assert code_of(lambda: ask(**headers)) == code


def test_a_bucket_without_rules_and_no_bucket_refuse(bucket):
    assert code_of(ask) == "AccessForbidden"
    request = send("OPTIONS", bucket="other", origin=ORIGIN, access_control_request_method="GET")
    assert code_of(lambda: cors.preflight(request)) == "AccessForbidden"


def decorated(method, **headers):
    response = HttpResponse(status=404)
    cors.decorate(send(method, **headers), response, RULES)
    return response.headers.get("Access-Control-Allow-Origin")


RULES = cors.cors.parse_cors(DOCUMENT)


def test_answers_to_a_page_carry_the_rule_even_errors():
    assert decorated("GET", origin=ORIGIN) == ORIGIN
    assert decorated("GET") is None
    assert decorated("PUT", origin=ORIGIN) is None
    assert decorated("PUT", origin=ORIGIN, access_control_request_method="GET") == ORIGIN
    assert decorated("GET", origin="http://a.example") is None


def test_an_origin_is_returned_in_the_bytes_it_came_in():
    origin = "https://é.example".encode().decode("latin-1")
    assert decorated("GET", origin=origin) == origin
