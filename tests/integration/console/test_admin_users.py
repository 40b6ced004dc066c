"""Accounts and users in the admin: made, changed, disabled, deleted."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from replication.models import RegisterRevision
from rs3gw.s3 import directory
from rs3gw.s3 import services as s3
from rs3gw.s3.models import AccessKey, S3User

POLICY = '{ "Statement": [{"Effect": "Allow",\n "Action": "s3:*", "Resource": "*"}] }\n'
NOTHING_NEW = {"new_policy_name": "", "new_policy": ""}
LIST = "admin:s3_s3user_changelist"


@pytest.fixture(autouse=True)
def _nobody_is_remembered():
    directory.forget()
    yield
    directory.forget()


@pytest.fixture
def alice(node):
    return s3.create_user(user_id="alice", display_name="Alice", email="alice@example.com")


def add(console, **fields):
    given = {"user_id": "", "account": "", "display_name": "", "email": ""} | fields
    return console.post(reverse("admin:s3_s3user_add"), given)


def url_of(user, page="change"):
    return reverse(f"admin:s3_s3user_{page}", args=[user.pk])


def change(console, user, **fields):
    known = {"display_name": user.display_name, "email": user.email} | NOTHING_NEW
    answer = console.post(url_of(user), known | fields)
    user.refresh_from_db()
    return answer


def act(console, action, *users):
    data = {"action": action, "_selected_action": [user.pk for user in users]}
    return console.post(reverse(LIST), data, follow=True)


def test_an_account_and_a_user_of_it_are_made(console):
    answer = add(console, user_id="alice", display_name="Alice", email="Alice@example.com")
    add(console, user_id="bob", account="alice")

    assert answer.status_code == 302
    assert directory.user("alice").email == "alice@example.com"
    assert directory.account_of("bob") == "alice"
    authors = RegisterRevision.objects.filter(register__scope="s3_user").values_list(
        "author", flat=True
    )
    assert set(authors) == {"olga"}


def test_an_id_is_made_when_none_is_given(console):
    add(console, display_name="Somebody")

    assert len(S3User.objects.get(display_name="Somebody").user_id) == 64


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"user_id": "a/b"}, "A user id has"),
        ({"user_id": "alice"}, "already exists"),
        ({"user_id": "carol", "email": "alice@example.com"}, "alice&#x27;s"),
        ({"user_id": "carol", "email": "nobody"}, "looks like"),
        ({"user_id": "carol", "display_name": "a\x07b"}, "printable"),
        ({"user_id": "carol", "account": "bob"}, "Select a valid choice"),
    ],
)
def test_a_user_that_cannot_be_is_refused_on_the_form(console, alice, fields, reason):
    s3.create_user(user_id="bob", account_id="alice")
    answer = add(console, **fields)

    assert answer.status_code == 200
    assert reason in answer.content.decode()
    assert not S3User.objects.filter(user_id="carol").exists()


def test_a_name_and_an_address_are_changed_and_nothing_else(console, alice):
    s3.put_user_policy(alice, "read", POLICY)
    alice.refresh_from_db()
    # A browser sends each end of a line as two characters.
    sent = {"policy:read": POLICY.replace("\n", "\r\n")}
    answer = change(console, alice, display_name="Al", email="", **sent)

    assert answer.status_code == 302
    assert (alice.display_name, alice.email) == ("Al", "")
    assert alice.policies == {"read": POLICY}


def test_policies_are_added_changed_and_taken_away(console, alice):
    change(console, alice, new_policy_name="read", new_policy=POLICY)
    assert alice.policies == {"read": POLICY}
    page = console.get(url_of(alice)).content.decode()
    assert 'name="policy:read"' in page
    assert "&quot;Effect&quot;" in page
    edited = POLICY.replace("Allow", "Deny")
    change(console, alice, **{"policy:read": edited})
    assert alice.policies == {"read": edited}
    change(console, alice, **{"policy:read": ""})
    assert alice.policies == {}


def test_a_policy_that_came_while_the_page_was_open_stays(console, alice):
    s3.put_user_policy(alice, "meanwhile", POLICY)
    change(console, alice, display_name="Al")

    assert alice.policies == {"meanwhile": POLICY}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"policy:read": "no json"}, "must be valid JSON"),
        ({"policy:read": "{}"}, "required field Statement"),
        ({"new_policy_name": "more", "new_policy": "no json"}, "must be valid JSON"),
        ({"new_policy_name": "more"}, "must be valid JSON"),
        ({"new_policy": POLICY}, "Give the policy a name"),
        ({"new_policy_name": "a/b", "new_policy": POLICY}, "letters, digits"),
        ({"new_policy_name": "read", "new_policy": POLICY}, "change it above"),
        ({"display_name": "a\x07b"}, "printable"),
        ({"email": "nobody"}, "looks like"),
    ],
)
def test_a_bad_change_is_told_beside_its_field(console, alice, fields, reason):
    s3.put_user_policy(alice, "read", POLICY)
    alice.refresh_from_db()
    answer = change(console, alice, **({"policy:read": POLICY} | fields))

    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert reason in answer.content.decode()
    assert alice.policies == {"read": POLICY}
    assert alice.display_name == "Alice"


def test_users_are_disabled_and_enabled_in_the_list(console, alice):
    act(console, "disable", alice)
    assert not directory.user("alice").is_enabled
    act(console, "enable", alice)
    assert directory.user("alice").is_enabled


def test_the_list_counts_the_keys_and_leads_to_them(console, alice):
    for _ in range(2):
        s3.create_access_key(owner="alice")
    s3.create_access_key(owner="root", name="of root")
    page = console.get(reverse(LIST)).content.decode()
    link = reverse("admin:s3_accesskey_changelist") + "?owner__exact=alice"

    assert f'<a href="{link}">2 keys</a>' in page
    assert "1 key<" in page
    keys = console.get(link).content.decode()
    assert keys.count("/s3/accesskey/") > 2
    assert "of root" not in keys


def test_a_key_is_made_for_the_user_one_came_from(console, alice):
    form = console.get(reverse("admin:s3_accesskey_add") + "?user=alice").content.decode()
    console.post(reverse("admin:s3_accesskey_add"), {"name": "backup", "user": "alice"})
    refused = console.post(reverse("admin:s3_accesskey_add"), {"name": "", "user": "nobody"})

    assert '<option value="alice" selected>' in form
    assert AccessKey.objects.get().owner == "alice"
    assert "Select a valid choice" in refused.content.decode()


def test_a_user_is_deleted_when_it_has_no_keys(console, alice):
    key, _ = s3.create_access_key(owner="alice")
    refused = console.post(url_of(alice, "delete"), {"post": "yes"}, follow=True)
    s3.delete_access_key(key)

    assert key.access_key_id in refused.content.decode()
    assert S3User.objects.filter(user_id="alice").exists()
    console.post(url_of(alice, "delete"), {"post": "yes"})
    assert not S3User.objects.filter(user_id="alice").exists()


def test_who_may_only_look_changes_nothing(client, alice, django_user_model):
    s3.put_user_policy(alice, "read", POLICY)
    reader = django_user_model.objects.create_user("rita", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_s3user"))
    client.force_login(reader)
    page = client.get(url_of(alice))

    assert page.status_code == 200
    assert "alice@example.com" in page.content.decode()
    assert "&quot;Effect&quot;" in page.content.decode()
    assert "<textarea" not in page.content.decode()
    assert client.post(url_of(alice), {"display_name": "Rita's"}).status_code == 403
    act(client, "disable", alice)
    assert directory.user("alice").is_enabled
