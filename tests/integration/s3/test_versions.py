"""Versions and delete markers, as boto3 sees them."""

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def versioned(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def put(s3, bucket, key, text):
    return s3.put_object(Bucket=bucket, Key=key, Body=text.encode())["VersionId"]


def read(s3, bucket, key, **more):
    return s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read().decode()


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response


def test_a_new_bucket_has_no_versions(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="k", Body=b"")


def test_every_write_is_a_version_of_its_own(s3, versioned):
    first, second = put(s3, versioned, "k", "one"), put(s3, versioned, "k", "two")
    assert first != second
    assert read(s3, versioned, "k") == "two"
    assert read(s3, versioned, "k", VersionId=first) == "one"
    assert s3.head_object(Bucket=versioned, Key="k")["VersionId"] == second


def test_a_delete_hides_and_deleting_the_marker_brings_back(s3, versioned):
    version = put(s3, versioned, "k", "text")
    deleted = s3.delete_object(Bucket=versioned, Key="k")
    assert deleted["DeleteMarker"] is True
    answer = refused(s3.get_object, Bucket=versioned, Key="k")
    assert answer["Error"]["Code"] == "NoSuchKey"
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-delete-marker"] == "true"
    assert headers["x-amz-version-id"] == deleted["VersionId"]
    answer = refused(s3.get_object, Bucket=versioned, Key="k", VersionId=deleted["VersionId"])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 405
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    undone = s3.delete_object(Bucket=versioned, Key="k", VersionId=deleted["VersionId"])
    assert undone["DeleteMarker"] is True
    assert read(s3, versioned, "k") == "text"
    s3.delete_object(Bucket=versioned, Key="k", VersionId=version)
    assert "Versions" not in s3.list_object_versions(Bucket=versioned)


def test_deleting_the_newest_version_shows_the_one_before(s3, versioned):
    put(s3, versioned, "k", "one")
    second = put(s3, versioned, "k", "two")
    s3.delete_object(Bucket=versioned, Key="k", VersionId=second)
    assert read(s3, versioned, "k") == "one"
    [listed] = s3.list_object_versions(Bucket=versioned)["Versions"]
    assert listed["IsLatest"] is True


def test_what_was_there_before_versioning_is_version_null(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put(s3, bucket, "k", "new")
    assert read(s3, bucket, "k", VersionId="null") == "old"
    listed = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [v["VersionId"] for v in listed][1:] == ["null"]


def test_suspended_versioning_replaces_only_version_null(s3, versioned):
    kept = put(s3, versioned, "k", "kept")
    s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Suspended"})
    for text in ("first", "second"):
        assert "VersionId" not in s3.put_object(Bucket=versioned, Key="k", Body=text)
    assert s3.head_object(Bucket=versioned, Key="k")["VersionId"] == "null"
    listed = s3.list_object_versions(Bucket=versioned)["Versions"]
    assert [v["VersionId"] for v in listed] == ["null", kept]
    deleted = s3.delete_object(Bucket=versioned, Key="k")
    assert deleted["VersionId"] == "null" and deleted["DeleteMarker"] is True
    page = s3.list_object_versions(Bucket=versioned)
    assert [v["VersionId"] for v in page["Versions"]] == [kept]
    assert [m["VersionId"] for m in page["DeleteMarkers"]] == ["null"]
    assert read(s3, versioned, "k", VersionId=kept) == "kept"


def test_an_unknown_version_is_told_from_a_malformed_one(s3, versioned):
    put(s3, versioned, "k", "x")
    unknown = refused(s3.get_object, Bucket=versioned, Key="k", VersionId="0" * 32)
    assert unknown["Error"]["Code"] == "NoSuchVersion"
    malformed = refused(s3.get_object, Bucket=versioned, Key="k", VersionId="no such/id")
    assert malformed["Error"]["Code"] == "InvalidArgument"


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 1000])
def test_pages_of_versions_are_whole_and_in_order(s3, versioned, page_size):
    written = []
    for key in ("a", "b/1", "b/2", "c"):
        versions = [put(s3, versioned, key, str(number)) for number in range(3)]
        written += [(key, version) for version in reversed(versions)]
    s3.delete_object(Bucket=versioned, Key="b/1")
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=versioned, PaginationConfig={"PageSize": page_size}
    )
    versions, markers = [], []
    for page in pages:
        versions += page.get("Versions", [])
        markers += page.get("DeleteMarkers", [])
    assert [(v["Key"], v["VersionId"]) for v in versions] == written
    assert [m["Key"] for m in markers] == ["b/1"]
    assert [v["Key"] for v in versions if v["IsLatest"]] == ["a", "b/2", "c"]


def test_versions_are_grouped_by_a_delimiter(s3, versioned):
    for key in ("a/1", "a/2", "b"):
        put(s3, versioned, key, key)
    page = s3.list_object_versions(Bucket=versioned, Delimiter="/")
    assert [p["Prefix"] for p in page["CommonPrefixes"]] == ["a/"]
    assert [v["Key"] for v in page["Versions"]] == ["b"]


def test_a_bucket_with_only_a_delete_marker_is_not_empty(s3, versioned):
    s3.delete_object(Bucket=versioned, Key="never-there")
    assert refused(s3.delete_bucket, Bucket=versioned)["Error"]["Code"] == "BucketNotEmpty"


def test_many_versions_are_deleted_in_one_request(s3, versioned):
    ids = [put(s3, versioned, "k", str(number)) for number in range(5)]
    objects = [{"Key": "k", "VersionId": version} for version in ids]
    answer = s3.delete_objects(Bucket=versioned, Delete={"Objects": objects})
    assert {d["VersionId"] for d in answer["Deleted"]} == set(ids)
    assert "Versions" not in s3.list_object_versions(Bucket=versioned)


def test_deleting_keys_in_one_request_names_the_markers(s3, versioned):
    put(s3, versioned, "k", "x")
    answer = s3.delete_objects(Bucket=versioned, Delete={"Objects": [{"Key": "k"}]})
    [deleted] = answer["Deleted"]
    assert deleted["DeleteMarker"] is True and deleted["DeleteMarkerVersionId"]


def test_an_old_version_can_be_copied_forward(s3, versioned):
    old = put(s3, versioned, "k", "old")
    put(s3, versioned, "k", "new")
    source = {"Bucket": versioned, "Key": "k", "VersionId": old}
    answer = s3.copy_object(Bucket=versioned, Key="k", CopySource=source)
    assert answer["CopySourceVersionId"] == old and answer["VersionId"] != old
    assert read(s3, versioned, "k") == "old"


def test_tags_belong_to_a_version(s3, versioned):
    first = put(s3, versioned, "k", "one")
    put(s3, versioned, "k", "two")
    tags = {"TagSet": [{"Key": "color", "Value": "red"}]}
    s3.put_object_tagging(Bucket=versioned, Key="k", VersionId=first, Tagging=tags)
    assert s3.get_object_tagging(Bucket=versioned, Key="k")["TagSet"] == []
    tagged = s3.get_object_tagging(Bucket=versioned, Key="k", VersionId=first)
    assert tagged["TagSet"] == tags["TagSet"] and tagged["VersionId"] == first
    assert s3.get_object(Bucket=versioned, Key="k", VersionId=first)["TagCount"] == 1
    s3.delete_object_tagging(Bucket=versioned, Key="k", VersionId=first)
    assert s3.get_object_tagging(Bucket=versioned, Key="k", VersionId=first)["TagSet"] == []


def test_tags_of_a_missing_key_are_refused(s3, bucket):
    answer = refused(s3.get_object_tagging, Bucket=bucket, Key="none")
    assert answer["Error"]["Code"] == "NoSuchKey"


def test_attributes_say_what_an_object_is(s3, versioned):
    version = put(s3, versioned, "k", "five!")
    wanted = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    found = s3.get_object_attributes(Bucket=versioned, Key="k", ObjectAttributes=wanted)
    assert found["ObjectSize"] == 5 and found["StorageClass"] == "STANDARD"
    assert found["VersionId"] == version and '"' not in found["ETag"]
    assert found["Checksum"]["ChecksumType"] == "FULL_OBJECT"


def test_a_delete_can_demand_what_it_deletes(s3, bucket):
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"five!")["ETag"]
    for wrong in ({"IfMatch": '"other"'}, {"IfMatchSize": 6}):
        answer = refused(s3.delete_object, Bucket=bucket, Key="k", **wrong)
        assert answer["Error"]["Code"] == "PreconditionFailed"
    objects = [{"Key": "k", "ETag": "other"}, {"Key": "none", "ETag": tag}]
    errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})["Errors"]
    assert {e["Key"]: e["Code"] for e in errors} == {
        "k": "PreconditionFailed",
        "none": "NoSuchKey",
    }
    written = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    s3.delete_object(
        Bucket=bucket, Key="k", IfMatch=tag, IfMatchSize=5, IfMatchLastModifiedTime=written
    )
    answer = refused(s3.delete_object, Bucket=bucket, Key="k", IfMatch=tag)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_a_demand_on_what_is_gone_is_met_but_for_its_tag(s3, bucket):
    s3.delete_object(Bucket=bucket, Key="none", IfMatchSize=5)
    s3.delete_object(Bucket=bucket, Key="none", IfMatchLastModifiedTime="2015-01-01T00:00:00Z")
    answer = refused(s3.delete_object, Bucket=bucket, Key="none", IfMatch="*")
    assert answer["Error"]["Code"] == "NoSuchKey"


@pytest.mark.parametrize("wrong", [{"IfMatch": "*"}, {"IfMatchSize": 5}])
def test_a_delete_marker_is_not_what_a_delete_demands(s3, versioned, wrong):
    put(s3, versioned, "k", "five!")
    s3.delete_object(Bucket=versioned, Key="k", IfMatchSize=5)
    answer = refused(s3.delete_object, Bucket=versioned, Key="k", **wrong)
    assert answer["Error"]["Code"] == "PreconditionFailed"


def test_a_key_that_is_missing_is_told_from_one_that_was_deleted(s3, versioned):
    s3.delete_object(Bucket=versioned, Key="deleted")
    for key, said in (("deleted", "true"), ("missing", "false")):
        for call in (s3.get_object, s3.head_object):
            answer = refused(call, Bucket=versioned, Key=key)["ResponseMetadata"]
            assert answer["HTTPStatusCode"] == 404
            assert answer["HTTPHeaders"]["x-amz-delete-marker"] == said
