"""Node-to-node signatures prove who asks for what, once, and now."""

import dataclasses

import pytest

from rs3gw.common import signing
from rs3gw.common.errors import SignatureError

SECRET = "s" * 40
NOW = 1_800_000_000
REQUEST = signing.PeerRequest(
    method="POST",
    target="/_cluster/events?x=1",
    body_sha256=signing.body_sha256(b"body"),
    node_id="node-1",
    scope="cluster-a",
    unix_seconds=NOW,
    nonce="n-1",
)


def verify(headers, *, method="POST", target="/_cluster/events?x=1", secret=SECRET, now=NOW):
    return signing.verify(method=method, target=target, headers=headers, secret=secret, now=now)


def test_a_signed_request_is_proven():
    assert verify(signing.sign(REQUEST, SECRET)) == REQUEST


@pytest.mark.parametrize("name", signing.HEADERS)
def test_a_changed_or_missing_header_is_refused(name):
    headers = signing.sign(REQUEST, SECRET)
    with pytest.raises(SignatureError):
        verify(headers | {name: headers[name][:-1] + "#"})
    with pytest.raises(SignatureError):
        verify({key: value for key, value in headers.items() if key != name})


@pytest.mark.parametrize(
    "change", [{"method": "PUT"}, {"target": "/_cluster/leave"}, {"secret": "t" * 40}]
)
def test_a_signature_holds_for_one_method_target_and_secret(change):
    with pytest.raises(SignatureError):
        verify(signing.sign(REQUEST, SECRET), **change)


def test_a_node_cannot_sign_for_another():
    forged = dataclasses.replace(REQUEST, node_id="node-2")
    headers = signing.sign(REQUEST, SECRET) | {signing.HEADER_NODE: forged.node_id}
    with pytest.raises(SignatureError):
        verify(headers)


@pytest.mark.parametrize("drift_seconds", [-301, 301])
def test_a_request_outside_the_window_is_refused(drift_seconds):
    with pytest.raises(SignatureError, match="clock"):
        verify(signing.sign(REQUEST, SECRET), now=NOW + drift_seconds)


def test_no_secret_proves_nothing():
    with pytest.raises(SignatureError):
        verify(signing.sign(REQUEST, SECRET), secret="")


def test_a_nonce_is_good_once():
    nonces = signing.NonceCache()
    assert nonces.use("a", now=NOW)
    assert not nonces.use("a", now=NOW + signing.WINDOW_SECONDS)
    assert nonces.use("b", now=NOW)


def test_a_nonce_is_remembered_while_its_request_would_be_accepted():
    nonces = signing.NonceCache()
    nonces.use("first", now=NOW)
    nonces.use("late", now=NOW + 599)
    assert not nonces.use("late", now=NOW + 599 + signing.WINDOW_SECONDS)


def test_the_writer_id_and_epoch_are_proven_too():
    named = dataclasses.replace(REQUEST, actor=256, epoch=3)

    assert verify(signing.sign(named, SECRET)) == named


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (signing.HEADER_ACTOR, "512"),
        (signing.HEADER_EPOCH, "4"),
        (signing.HEADER_PROOF, "0" * 64),
        (signing.HEADER_ACTOR, "a few"),
    ],
)
def test_a_writer_id_that_was_changed_on_the_way_is_refused(name, value):
    headers = signing.sign(dataclasses.replace(REQUEST, actor=256, epoch=3), SECRET)

    with pytest.raises(SignatureError):
        verify(headers | {name: value})


def test_an_earlier_version_understands_a_request_that_names_its_writer_id():
    added = {signing.HEADER_ACTOR, signing.HEADER_EPOCH, signing.HEADER_PROOF}
    headers = signing.sign(dataclasses.replace(REQUEST, actor=256, epoch=3), SECRET)

    known = {name: value for name, value in headers.items() if name not in added}

    assert verify(known) == REQUEST
