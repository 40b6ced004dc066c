"""What requests say about encryption, and what is made of it."""

import base64
import contextlib
import hashlib

import pytest

from rs3gw.s3 import encryption
from rs3gw.s3.core.errors import S3Error
from rs3gw.storage.models import Bucket

KEY, OTHER = bytes(range(32)), bytes(32)


def customer(secret, /, **changed):
    md5 = hashlib.md5(secret).digest()
    given = {
        "algorithm": "AES256",
        "key": base64.b64encode(secret).decode(),
        "key-md5": base64.b64encode(md5).decode(),
    }
    given |= {name.replace("_", "-"): value for name, value in changed.items()}
    return {encryption.CUSTOMER + name: value for name, value in given.items() if value is not None}


@contextlib.contextmanager
def refused(code, message=None):
    with pytest.raises(S3Error, match=message) as caught:
        yield
    assert caught.value.code == code


def begun(headers):
    return encryption.begin(headers, Bucket(name="b", incarnation="0" * 32))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"algorithm": None}, "valid encryption algorithm"),
        ({"key": None}, "appropriate secret key"),
        ({"key_md5": None}, "calculated MD5"),
        ({"key": "not base64"}, "secret key was invalid"),
        ({"key": "\u00e9" * 44}, "secret key was invalid"),
        ({"key": ""}, "secret key was invalid"),
        ({"key_md5": "\udce9"}, "did not match the hash"),
        ({"key_md5": base64.b64encode(bytes(16)).decode()}, "did not match the hash"),
    ],
)
def test_a_key_that_is_incomplete_or_broken_is_refused(changed, message):
    with refused("InvalidArgument", message):
        begun(customer(KEY, **changed))


def test_another_algorithm_for_a_key_is_refused():
    with refused("InvalidEncryptionAlgorithmError"):
        begun(customer(KEY, algorithm="AES128"))


def test_both_ways_at_once_are_refused():
    with refused("InvalidArgument", "incompatible"):
        begun(customer(KEY) | {encryption.HEADER: "AES256"})


@pytest.mark.parametrize("name", ["aws-kms-key-id", "context"])
@pytest.mark.parametrize("how", [{}, {encryption.HEADER: "AES256"}], ids=["alone", "AES256"])
def test_a_key_services_headers_need_a_key_service(name, how):
    with refused("InvalidArgument", "aws:kms"):
        begun(how | {f"{encryption.HEADER}-{name}": "k"})


@pytest.mark.parametrize("name", ["aws:kms", "aws:kms:dsse"])
def test_a_key_service_is_not_there(name):
    key_id = {f"{encryption.HEADER}-aws-kms-key-id": "k"}
    for more in ({}, key_id):
        with refused("NotImplemented"):
            begun({encryption.HEADER: name} | more)


def test_nothing_that_is_kept_opens_an_object_of_the_clients_key():
    sealing = begun(customer(KEY))
    kept = sealing.description
    assert set(kept) == {"alg", "key_md5", "hkdf"}
    secrets = {base64.b64encode(key).decode() for key in (KEY, sealing.data_key)}
    assert not secrets & set(kept.values())
    assert encryption.data_key(kept, customer(KEY)) == sealing.data_key
    assert begun(customer(KEY)).data_key != sealing.data_key


def test_a_part_needs_the_key_that_its_upload_began_with():
    kept = begun(customer(KEY)).description
    assert encryption.part_key(kept, customer(KEY)) == encryption.data_key(kept, customer(KEY))
    with refused("InvalidRequest", "multipart upload initiate requested encryption"):
        encryption.part_key(kept, {})
    with refused("InvalidRequest", "did not match the ones used originally"):
        encryption.part_key(kept, customer(OTHER))


@pytest.mark.parametrize("how", [{}, {encryption.HEADER: "AES256"}], ids=["plain", "AES256"])
def test_a_part_may_not_bring_a_key_of_its_own(how, monkeypatch):
    class NoSettings:
        texts = {}

    monkeypatch.setattr(encryption.bucket_config, "of", lambda bucket: NoSettings)
    sealing = begun(how)
    assert encryption.part_key(sealing.description, {}) == sealing.data_key
    with refused("InvalidRequest", "did not request encryption"):
        encryption.part_key(sealing.description, customer(KEY))
