"""Laws of what users, their names and their policies may be."""

import json
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from rs3gw.s3.core import accounts, xml
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.policy import POLICY_BYTES_MAX

IDS = st.from_regex(r"[A-Za-z0-9_.@=+-]{1,64}", fullmatch=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["Version", "Sid", "a"]), inner)
    ),
)


def malformed(text):
    try:
        accounts.check_user_policy(text)
    except S3Error as error:
        assert error.code == "MalformedPolicy"
        return True
    return False


@given(IDS)
def test_an_id_of_the_alphabet_is_usable_unless_it_means_another_path(user_id):
    assert (accounts.user_id_problem(user_id) == "") == (user_id not in {".", ".."})


@given(st.text(), st.sampled_from("/%\n\0 é:#?&<"), st.text())
def test_an_id_with_another_character_is_refused(before, strange, after):
    assert accounts.user_id_problem(before + strange + after)
    assert accounts.policy_name_problem(before + strange + after)
    assert accounts.access_key_id_problem(before + strange + after)


@given(IDS)
def test_a_usable_id_names_its_own_path(user_id):
    path = f"/api/s3-users/{quote(user_id, safe='@=+')}/"

    assert urlsplit(path).path == path
    assert quote(user_id, safe="@=+") == user_id


@given(st.text(max_size=140))
def test_a_usable_name_comes_through_xml_unchanged(name):
    if accounts.display_name_problem(name) == "":
        element = ElementTree.fromstring(xml.tag("DisplayName", name))
        assert element.text == name


@given(st.text())
def test_any_text_is_a_policy_or_is_refused(text):
    assert malformed(text) in {True, False}


@given(JSON)
def test_what_has_no_statement_is_no_policy(document):
    assert malformed(json.dumps(document))


@given(st.integers(min_value=-3, max_value=3))
def test_the_size_of_a_policy_is_bounded_in_bytes(over):
    statement = {"Sid": "", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    empty = json.dumps({"Statement": [statement]})
    room = POLICY_BYTES_MAX - len(empty) + over
    text = empty.replace('""', '"' + "é" * (room // 2) + "x" * (room % 2) + '"')

    assert malformed(text) == (over > 0)
