"""Objects by REST, as a browser in the admin uses them."""

import urllib.request

import pytest
from django.contrib.auth import get_user_model

from replication import services
from replication.doorbell import Doorbell
from rs3gw.common import identity
from rs3gw.s3.core.presign import Signer, presigned_url
from rs3gw.storage import selectors
from rs3gw.storage import services as storage
from tests.integration.s3.conftest import ACCESS_KEY, SECRET_KEY

KEY = "docs/größe & +.txt"


@pytest.fixture
def photos(db, monkeypatch):
    # There is no worker to ring for, and the bell's thread would keep a connection.
    monkeypatch.setattr(Doorbell, "ring", lambda *_, **__: None)
    identity.ensure()
    storage.init_clock()
    return services.create_bucket(name="photos")


@pytest.fixture
def api(client, photos):
    client.force_login(get_user_model().objects.create_superuser("olga", password="open sesame"))
    return client


def url(path, **query):
    from urllib.parse import urlencode

    return f"/api/buckets/photos/{path}?{urlencode(query)}"


def upload(api, key=KEY, data=b"hello world", **more):
    return api.put(url("object/content", key=key), data, content_type="text/html", **more)


def test_an_upload_is_an_object_like_any_other(api, photos):
    answer = upload(api)
    assert answer.status_code == 201
    assert answer.json()["size_bytes"] == 11
    entry = selectors.find_entry(photos, KEY)
    assert entry.headers.content_type == "text/html" and entry.headers.owner == "root"


def test_a_download_cannot_run_in_the_admin(api):
    upload(api)
    answer = api.get(url("object/content", key=KEY))
    assert b"".join(answer.streaming_content) == b"hello world"
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith('attachment; filename="gr__e _ _.txt"')
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_a_range_is_downloaded(api):
    upload(api)
    answer = api.get(url("object/content", key=KEY), headers={"Range": "bytes=6-"})
    assert answer.status_code == 206
    assert b"".join(answer.streaming_content) == b"world"
    assert answer["Content-Range"] == "bytes 6-10/11"


def test_an_upload_can_spare_what_is_there(api):
    upload(api)
    answer = upload(api, data=b"other", headers={"If-None-Match": "*"})
    assert answer.status_code == 412
    assert answer.json()["code"] == "PreconditionFailed"


def test_versions_are_listed_read_and_deleted(api, photos):
    services.put_bucket_setting(bucket=photos, name="versioning", value="Enabled")
    first = upload(api, data=b"one").json()["version_id"]
    upload(api, data=b"two")
    assert api.delete(url("object", key=KEY)).status_code == 204
    assert api.get(url("object", key=KEY)).json()["is_delete_marker"] is True
    found = api.get(url("versions")).json()
    assert [v["is_delete_marker"] for v in found["versions"]] == [True, False, False]
    page = api.get(url("versions", limit=1)).json()
    assert page["is_truncated"] is True and page["next_version_marker"]
    answer = api.get(url("object/content", key=KEY, version_id=first))
    assert b"".join(answer.streaming_content) == b"one"
    assert api.delete(url("object", key=KEY, version_id=first)).status_code == 204
    assert api.get(url("object", key=KEY, version_id=first)).status_code == 404


def test_a_locked_version_is_not_deleted(api, photos):
    services.put_bucket_setting(bucket=photos, name="versioning", value="Enabled")
    version = upload(api).json()["version_id"]
    services.set_attribute(
        bucket=photos,
        key=KEY,
        version_id=version,
        name="legal_hold",
        value=lambda _: {"hold": "ON"},
    )
    answer = api.delete(url("object", key=KEY, version_id=version))
    assert answer.status_code == 403
    assert api.get(url("object", key=KEY)).json()["lock"] == {"hold": "ON"}


def test_tags_are_replaced_within_their_limits(api):
    upload(api)
    path = url("object/tags", key=KEY)
    answer = api.put(path, {"tags": {"a": "1"}}, content_type="application/json")
    assert answer.json() == {"tags": {"a": "1"}} == api.get(path).json()
    too_many = {"tags": {str(i): "" for i in range(11)}}
    answer = api.put(path, too_many, content_type="application/json")
    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["versions", "object", "object/content", "object/tags"])
def test_nobody_reads_without_a_login(client, photos, path):
    assert client.get(url(path, key=KEY)).status_code == 401


@pytest.mark.parametrize("query", [{}, {"key": ""}, {"key": "ü" * 600}])
def test_a_key_that_cannot_be_is_refused(api, query):
    assert api.get(url("object", **query)).status_code == 400


def test_a_missing_bucket_is_not_found(api):
    assert api.get("/api/buckets/none/versions/").status_code == 404


def test_a_link_needs_a_key_of_the_owner(api):
    answer = api.post(url("presign"), {"key": KEY}, content_type="application/json")
    assert answer.status_code == 400 and "access key" in answer.json()["message"]


def test_a_link_allows_what_it_was_made_for(node, s3, bucket):
    from rs3gw.common import clock

    def link(method, **query):
        return presigned_url(
            signer=Signer(ACCESS_KEY, SECRET_KEY, "us-east-1", node.url),
            method=method,
            path=f"/{bucket}/{KEY}",
            amz_date=clock.utcnow().strftime("%Y%m%dT%H%M%SZ"),
            expires_seconds=60,
            query=query,
        )

    put = urllib.request.Request(link("PUT"), method="PUT", data=b"by link")
    with urllib.request.urlopen(put, timeout=10) as answer:
        assert answer.status == 200
    disposition = 'attachment; filename="x y.txt"'
    get = link("GET", **{"response-content-disposition": disposition})
    with urllib.request.urlopen(get, timeout=10) as answer:
        assert answer.read() == b"by link"
        assert answer.headers["Content-Disposition"] == disposition
