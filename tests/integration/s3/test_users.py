"""Users as services make them, as other nodes tell of them, and as requests look them up."""

import importlib
import json
import threading

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cluster import selectors as cluster
from replication import registers
from replication import services as replication
from replication.doorbell import Doorbell
from replication.models import Register, ReplicationEventRecord
from rs3gw.common import clock, identity, secretbox
from rs3gw.s3 import auth, directory, services
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.models import AccessKey, S3User
from rs3gw.storage import services as storage
from rs3gw.storage.core.siblings import Stamp

POLICY = '{ "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}] }\n'
ELSEWHERE = 256


@pytest.fixture(autouse=True)
def _node(db, monkeypatch):
    monkeypatch.setattr(Doorbell, "ring", lambda *_, **__: None)
    identity.ensure()
    storage.init_clock()
    cluster.forget()
    directory.forget()
    yield
    directory.forget()
    cluster.forget()


@pytest.fixture
def alice():
    return services.create_user(
        user_id="alice", display_name="Alice A.", email="Alice@Example.com", author="olga"
    )


@pytest.fixture
def bob(alice):
    return services.create_user(user_id="bob", account_id="alice")


def value_of(user_id):
    return dict(registers.read("s3_user", user_id))


def arrive(name, value, *, scope="s3_user", seq=1, later_ms=1):
    """Join a register as the write of another node."""
    stamp = Stamp(ELSEWHERE, seq, (clock.now_ms() + later_ms) << 16)
    registers.write(scope, name, value, stamp=stamp, author="there")


def test_the_account_root_is_always_there():
    assert services.get_user("root").is_account()
    S3User.objects.all().delete()
    directory.forget()

    assert directory.display_name("root") == "root"
    assert directory.user("root").is_enabled
    assert services.get_user("root").display_name == "root"


def test_an_account_is_made_and_told_to_the_other_nodes(alice):
    assert alice.is_account()
    assert directory.user("alice") == directory.UserFacts(
        "alice", "alice", "Alice A.", "alice@example.com", is_enabled=True, policies=()
    )
    event = ReplicationEventRecord.objects.get(kind="put_register", key="s3_user/alice")
    assert event.payload["author"] == "olga"


def test_an_id_is_random_and_the_name_the_id_unless_they_are_given():
    first, second = services.create_user(), services.create_user()

    assert first.user_id != second.user_id
    assert len(first.user_id) == 64
    assert int(first.user_id, 16) > 0
    assert first.display_name == first.user_id


def test_a_user_of_an_account_acts_for_it(bob):
    assert not bob.is_account()
    assert directory.account_of("bob") == "alice"
    assert directory.account_of("alice") == "alice"
    assert directory.account_of("nobody") == "nobody"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"user_id": ""}, "1 to 64"),
        ({"user_id": "a" * 65}, "1 to 64"),
        ({"user_id": "a/b"}, "1 to 64"),
        ({"user_id": "alicé"}, "1 to 64"),
        ({"user_id": "carol\n"}, "1 to 64"),
        ({"user_id": ".."}, "1 to 64"),
        ({"user_id": "alice"}, "exists already"),
        ({"user_id": "root"}, "exists already"),
        ({"user_id": "carol", "email": "ALICE@example.com"}, "alice's"),
        ({"user_id": "carol", "email": "nobody"}, "looks like"),
        ({"user_id": "carol", "email": "a b@example.com"}, "looks like"),
        ({"user_id": "carol", "display_name": "a\nb"}, "printable"),
        ({"user_id": "carol", "display_name": "a" * 129}, "printable"),
        ({"user_id": "carol", "account_id": "nobody"}, "no user nobody"),
        ({"user_id": "carol", "account_id": "bob"}, "cannot have users"),
    ],
)
def test_a_user_that_cannot_be_is_refused(bob, fields, reason):
    before = S3User.objects.count()
    with pytest.raises(services.UserError, match=reason):
        services.create_user(**fields)

    assert S3User.objects.count() == before


def test_several_users_may_have_no_email():
    services.create_user(user_id="one")
    services.create_user(user_id="two")

    assert directory.find_by_email("") is None


def test_who_owns_buckets_can_only_be_an_account(alice):
    replication.create_bucket(name="photos", owner="carol")
    with pytest.raises(services.UserConflict, match="only be an account"):
        services.create_user(user_id="carol", account_id="alice")

    assert services.create_user(user_id="carol").is_account()


def test_a_name_an_address_and_a_state_are_changed(alice):
    services.update_user(alice, display_name="Al", email="al@example.com", is_enabled=False)

    facts = directory.user("alice")
    assert (facts.display_name, facts.email, facts.is_enabled) == ("Al", "al@example.com", False)
    assert directory.find_by_email("AL@example.com") == "alice"
    assert directory.find_by_email("alice@example.com") is None
    services.update_user(alice, email="al@example.com", is_enabled=True)
    assert directory.user("alice").is_enabled


def test_the_users_of_a_disabled_account_can_do_nothing(bob, alice):
    services.update_user(alice, is_enabled=False)

    assert not directory.user("bob").is_enabled
    assert S3User.objects.get(user_id="bob").is_enabled


def test_the_account_root_can_be_renamed_and_not_deleted():
    services.update_user(services.get_user("root"), display_name="The firm")

    assert directory.display_name("root") == "The firm"
    with pytest.raises(services.UserConflict, match="cannot be deleted"):
        services.delete_user(services.get_user("root"))


def test_a_user_is_deleted_when_nothing_is_its_own(bob, alice):
    key, _ = services.create_access_key(owner="bob")
    with pytest.raises(services.UserConflict, match=key.access_key_id):
        services.delete_user(bob)
    with pytest.raises(services.UserConflict, match="users: bob"):
        services.delete_user(alice)
    services.delete_access_key(key)
    services.delete_user(bob)

    assert directory.user("bob") is None
    assert not directory.is_known("bob")
    with pytest.raises(services.NoSuchUser):
        services.update_user(bob, display_name="Bob")
    bucket = replication.create_bucket(name="photos", owner="alice")
    with pytest.raises(services.UserConflict, match="buckets: photos"):
        services.delete_user(alice)
    replication.delete_bucket(bucket=bucket)
    services.delete_user(alice)
    assert directory.find_by_email("alice@example.com") is None


def test_a_policy_is_kept_byte_for_byte_replaced_and_deleted(bob):
    services.put_user_policy(bob, "b", POLICY)
    services.put_user_policy(bob, "a", POLICY.replace("Allow", "Deny"))
    services.put_user_policy(bob, "b", POLICY + " ")

    assert directory.user("bob").policies == (
        ("a", POLICY.replace("Allow", "Deny")),
        ("b", POLICY + " "),
    )
    services.delete_user_policy(bob, "a")
    assert [name for name, _ in directory.user("bob").policies] == ["b"]
    with pytest.raises(services.NoSuchUserPolicy):
        services.delete_user_policy(bob, "a")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"Statement": [1]}', "{", "[" * 20_000])
def test_a_policy_that_is_none_is_refused(bob, text):
    with pytest.raises(S3Error) as refused:
        services.put_user_policy(bob, "p", text)

    assert refused.value.code == "MalformedPolicy"
    assert directory.user("bob").policies == ()


@pytest.mark.parametrize("name", ["", "a/b", "..", "a" * 129])
def test_a_policy_has_a_usable_name(bob, name):
    with pytest.raises(services.UserError, match="name"):
        services.put_user_policy(bob, name, POLICY)


def test_the_policies_of_a_user_are_bounded(bob):
    for number in range(10):
        services.put_user_policy(bob, f"p{number}", POLICY)
    with pytest.raises(services.UserError, match="at most 10"):
        services.put_user_policy(bob, "p10", POLICY)

    services.put_user_policy(bob, "p9", POLICY + " ")


def test_what_another_node_says_of_a_user_takes_effect(alice):
    value = value_of("alice")
    arrive("alice", {**value, "display_name": "Elsewhere", "policies": {"p": POLICY}})

    assert directory.user("alice").display_name == "Elsewhere"
    assert directory.user("alice").policies == (("p", POLICY),)
    arrive("alice", None, seq=2, later_ms=2)
    assert directory.user("alice") is None


def test_a_disabled_user_stays_so_when_a_change_did_not_know_of_it(alice):
    before = value_of("alice")
    services.update_user(alice, is_enabled=False)
    arrive("alice", {**before, "display_name": "Elsewhere"}, later_ms=60_000)

    assert not directory.user("alice").is_enabled
    known = value_of("alice")
    arrive("alice", {**known, "is_enabled": True}, seq=2, later_ms=61_000)
    assert directory.user("alice").is_enabled


def test_two_nodes_may_give_one_address_away_and_the_older_user_has_it(alice):
    value = {**value_of("alice"), "account_id": "carol", "created_at_ms": 1}
    arrive("carol", value)

    assert S3User.objects.filter(email="alice@example.com").count() == 2
    assert directory.find_by_email("alice@example.com") == "carol"


def test_the_key_of_an_older_release_makes_its_owner_an_account(alice):
    services.create_access_key(owner="alice", access_key_id="OLDKEY")
    value = dict(registers.read("access_key", "OLDKEY"))
    del value["account"]
    arrive("OLDER", {**value, "owner": "free text"}, scope="access_key")

    assert directory.user("free text").is_account()
    assert directory.user("free text").is_enabled


def test_the_key_of_a_user_that_is_not_known_yet_makes_no_account(bob):
    services.create_access_key(owner="bob", access_key_id="BOBSKEY")
    value = dict(registers.read("access_key", "BOBSKEY"))
    S3User.objects.filter(user_id="bob").delete()
    Register.objects.filter(scope="s3_user", name="bob").delete()
    directory.forget()
    arrive("BOBSKEY", value, scope="access_key")

    assert AccessKey.objects.get(access_key_id="BOBSKEY").owner == "bob"
    assert directory.user("bob") is None


def test_the_key_of_a_deleted_account_does_not_bring_it_back(alice):
    key, _ = services.create_access_key(owner="alice")
    value = dict(registers.read("access_key", key.access_key_id))
    services.delete_access_key(key)
    services.delete_user(alice)
    arrive("CONCURRENT", value, scope="access_key")

    assert directory.user("alice") is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"access_key_id": "ab"}, "3 to 128"),
        ({"access_key_id": "a b c"}, "3 to 128"),
        ({"access_key_id": "abc\n"}, "3 to 128"),
        ({"secret_key": "short"}, "8 to 256"),
        ({"secret_key": "with\ttabulator"}, "8 to 256"),
        ({"secret_key": "unicodé secret"}, "8 to 256"),
        ({"access_key_id": "TAKEN"}, "exists already"),
        ({"owner": "nobody"}, "no user nobody"),
    ],
)
def test_an_access_key_that_cannot_be_is_refused(fields, reason):
    services.create_access_key(access_key_id="TAKEN")
    with pytest.raises((services.AccessKeyError, services.NoSuchUser), match=reason):
        services.create_access_key(**fields)

    assert AccessKey.objects.count() == 1


def test_a_user_has_several_keys_and_a_secret_of_any_characters(bob):
    services.create_access_key(owner="bob")
    key, secret = services.create_access_key(
        owner="bob", access_key_id="a.b_c-1", secret_key=" !~/+=' \""
    )

    assert secret == services.secret_of(key) == " !~/+=' \""
    assert AccessKey.objects.filter(owner="bob").count() == 2


def test_a_key_that_is_made_again_does_not_meet_its_old_secret():
    old, _ = services.create_access_key(access_key_id="AGAIN", secret_key="the first secret")
    services.delete_access_key(old)
    new, _ = services.create_access_key(access_key_id="AGAIN", secret_key="the second secret")

    # The endpoint remembers secrets by id and revision.
    assert new.revision > old.revision
    assert secretbox.unseal(new.sealed_secret, purpose=auth.PURPOSE) == b"the second secret"


def test_a_user_is_remembered_for_a_second_and_then_read_in_one_query(alice, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    directory.forget()
    with CaptureQueriesContext(
        connection,
    ) as captured:
        for _ in range(50):
            directory.user("alice")
            directory.account_of("alice")
            directory.display_name("alice")
    S3User.objects.filter(user_id="alice").update(display_name="By the worker")

    assert len(captured) == 1
    assert directory.display_name("alice") == "Alice A."
    now += directory.FRESH_SECONDS
    assert directory.display_name("alice") == "By the worker"


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(directory, "ENTRIES_MAX", 5)
    for number in range(20):
        assert not directory.is_known(f"stranger-{number}")

    assert len(directory._known) <= 5


def test_what_was_read_before_a_change_is_not_remembered_after_it(alice, monkeypatch):
    read = directory._read

    def read_slowly(user_id):
        facts = read(user_id)
        monkeypatch.setattr(directory, "_read", read)
        services.update_user(alice, display_name="Changed meanwhile")
        return facts

    directory.forget()
    monkeypatch.setattr(directory, "_read", read_slowly)
    assert directory.display_name("alice") == "Alice A."
    assert directory.display_name("alice") == "Changed meanwhile"


@pytest.mark.parametrize("user_id", ["", "\0", "a" * 10_000, "é", "' OR 1=1 --"])
def test_strange_ids_are_nobody(user_id):
    assert directory.user(user_id) is None
    assert directory.display_name(user_id) == user_id


def test_the_index_finds_a_user(alice):
    plan = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    with connection.cursor() as cursor:
        cursor.execute(plan + directory._FIND, ("alice",))
        text = json.dumps(cursor.fetchall(), default=str)

    assert connection.vendor != "sqlite" or "SCAN" not in text


@pytest.mark.django_db(transaction=True)
def test_threads_that_change_one_user_lose_nothing():
    user = services.create_user(user_id="busy")

    def put(number):
        services.put_user_policy(user, f"p{number}", POLICY)
        connection.close()

    threads = [threading.Thread(target=put, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [name for name, _ in directory.user("busy").policies] == [f"p{n}" for n in range(6)]


def test_owners_from_before_there_were_users_are_accounts():
    services.create_access_key(access_key_id="OLDKEY")
    AccessKey.objects.update(owner="old name")
    replication.create_bucket(name="photos", owner="olga")
    S3User.objects.all().delete()
    migration = importlib.import_module("rs3gw.s3.migrations.0003_accounts_of_keys")
    migration.make_accounts(apps, None)
    migration.make_accounts(apps, None)
    directory.forget()

    assert {user.user_id for user in S3User.objects.all()} == {"root", "old name", "olga"}
    assert directory.user("old name").is_account()
    services.update_user(services.get_user("old name"), display_name="New")
    assert directory.display_name("old name") == "New"
