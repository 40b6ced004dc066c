"""Policy documents are read strictly, with S3's reasons for refusing."""

import json

import pytest

from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.policy import POLICY_BYTES_MAX, parse_bucket_policy, parse_user_policy

GOOD = {
    "Effect": "Allow",
    "Principal": "*",
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::photos/*",
}


def document(*statements, **fields):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **fields})


def refusal(text, bucket="photos"):
    with pytest.raises(S3Error) as caught:
        parse_bucket_policy(text, bucket=bucket)
    assert caught.value.code == "MalformedPolicy"
    return str(caught.value)


def changed(**fields):
    return document({name: value for name, value in (GOOD | fields).items() if value is not None})


@pytest.mark.parametrize("version", ["2008-10-17", "2012-10-17"])
def test_both_versions_are_read(version):
    assert parse_bucket_policy(document(GOOD, Version=version), bucket="photos").statements


def test_a_policy_may_lack_a_version_and_a_list():
    text = json.dumps({"Id": "one", "Statement": GOOD | {"Sid": "first"}})
    assert len(parse_bucket_policy(text.encode(), bucket="photos").statements) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "first byte"),
        ("[]", "first byte"),
        ("{", "first byte"),
        (b"\xff\xfe{}", "first byte"),
        ("[" * 10_000, "first byte"),
        ('{"Statement":[],"Statement":[]}', "twice"),
        ("{}", "Missing required field Statement"),
        (document(), "Statement is empty"),
        (document(GOOD, Version="2012-10-18"), "valid version string"),
        (document(GOOD, Version=[]), "valid version string"),
        (document(GOOD, Id=[]), "Id"),
        (document(GOOD, Other=1), "Unknown field 'Other'"),
        (document("text"), "a statement is an object"),
        (document(GOOD) + " " * POLICY_BYTES_MAX, "maximum allowed document size"),
    ],
)
def test_what_is_no_policy_is_refused(text, reason):
    assert reason in refusal(text)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"Sid": {}}, "Sid"),
        ({"Effect": None}, "Missing required field Effect"),
        ({"Effect": "allow"}, "Invalid effect"),
        ({"Action": None}, "Missing required field Action"),
        ({"NotAction": "s3:*"}, "both Action and NotAction"),
        ({"Action": "ec2:RunInstances"}, "invalid action"),
        ({"Action": "GetObject"}, "invalid action"),
        ({"Action": []}, "invalid action"),
        ({"Action": [{}]}, "invalid action"),
        ({"Resource": None}, "Missing required field Resource"),
        ({"NotResource": "*"}, "both Resource and NotResource"),
        ({"Resource": "arn:aws:s3:::other/*"}, "Policy has invalid resource"),
        ({"Resource": "arn:aws:s3:::photos2"}, "Policy has invalid resource"),
        ({"Resource": ["arn:aws:s3:::photos", "photos"]}, "Policy has invalid resource"),
        ({"Resource": "arn:aws:s3:::${aws:username}/*"}, "Policy has invalid resource"),
        ({"Resource": ""}, "Policy has invalid resource"),
        ({"Principal": None}, "Missing required field Principal"),
        ({"NotPrincipal": "*"}, "both Principal and NotPrincipal"),
        ({"Principal": None, "NotPrincipal": "*"}, "Allow with NotPrincipal"),
        ({"Principal": "somebody"}, "Invalid principal"),
        ({"Principal": {}}, "Invalid principal"),
        ({"Principal": {"Who": "*"}}, "Invalid principal"),
        ({"Principal": {"AWS": []}}, "Invalid principal"),
        ({"Principal": {"AWS": "arn:aws:iam::1:user/*"}}, "Invalid principal"),
        ({"Principal": {"AWS": "arn:aws:iam::1:user"}}, "Invalid principal"),
        ({"Principal": {"AWS": "arn:aws:iam:::root"}}, "Invalid principal"),
        ({"Principal": {"AWS": "arn:aws:s3:::photos"}}, "Invalid principal"),
        ({"Principal": {"CanonicalUser": "*"}}, "Invalid principal"),
        ({"Other": 1}, "Unknown field 'Other'"),
        ({"Condition": []}, "Condition is an object"),
        ({"Condition": {"StringEquals": "x"}}, "Condition is an object"),
        ({"Condition": {"StringEquals": {}}}, "needs a key"),
        ({"Condition": {"StringEquals": {"s3:prefix": []}}}, "needs a key"),
        ({"Condition": {"StringEquals": {"s3:prefix": {}}}}, "texts, numbers and booleans"),
        ({"Condition": {"StringEquals": {"s3:prefix": None}}}, "texts, numbers and booleans"),
        ({"Condition": {"StringIs": {"s3:prefix": "a"}}}, "Invalid Condition type"),
        ({"Condition": {"ForMost:StringLike": {"s3:prefix": "a"}}}, "Invalid Condition type"),
        ({"Condition": {"NullIfExists": {"s3:prefix": "true"}}}, "Invalid Condition type"),
        ({"Condition": {"Null": {"s3:prefix": "maybe"}}}, "Invalid value for Null"),
        ({"Condition": {"Bool": {"aws:SecureTransport": "1"}}}, "Invalid value for Bool"),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "1.2.3"}}}, "Invalid value for IpAddress"),
        ({"Condition": {"NumericEquals": {"s3:max-keys": "ten"}}}, "Invalid value for Numeric"),
        ({"Condition": {"NumericEquals": {"s3:max-keys": "NaN"}}}, "Invalid value for Numeric"),
        ({"Condition": {"DateLessThan": {"aws:CurrentTime": "soon"}}}, "Invalid value for Date"),
        ({"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws"}}}, "Invalid value for ArnLike"),
    ],
)
def test_a_wrong_statement_is_refused(fields, reason):
    assert reason in refusal(changed(**fields))


@pytest.mark.parametrize(
    "resource",
    [
        "*",
        "arn:aws:s3:::photos",
        "arn:aws:s3:::photos/*",
        "arn:aws:s3:::photos/a:b/${aws:username}/?",
        "arn:aws:s3:::ph*",
        "arn:aws:s3:::*/*",
        "arn:aws:s3::tenant:photos",
        "arn:aws-cn:s3:::photos",
    ],
)
def test_resources_that_can_be_of_the_bucket_are_taken(resource):
    assert parse_bucket_policy(changed(Resource=resource), bucket="photos")


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        {"AWS": "*"},
        {"AWS": ["111122223333", "arn:aws:iam::444455556666:root"]},
        {"AWS": "arn:aws:iam:::user/alice"},
        {"AWS": "arn:aws:iam::1:role/reader", "CanonicalUser": "79a59df900b949e5"},
        {"Service": "logging.s3.amazonaws.com"},
        {"Federated": "cognito-identity.amazonaws.com"},
    ],
)
def test_the_forms_of_principals_are_taken(principal):
    assert parse_bucket_policy(changed(Principal=principal), bucket="photos")


def test_a_user_policy_names_no_principal_and_any_resource():
    statement = {"Effect": "Allow", "Action": "iam:*", "Resource": ["*", "arn:aws:s3:::any/*"]}
    assert parse_user_policy(document(statement)).statements[0].principals is None
    for wrong in ({"Principal": "*"}, {"Resource": "photos"}, {"Action": "Get Object"}):
        with pytest.raises(S3Error, match=r"Unknown field|invalid resource|invalid action"):
            parse_user_policy(document(statement | wrong))


def test_the_reason_for_a_refusal_is_printable():
    assert "\\x07" in refusal(changed(Effect="\x07\ud800"))
