"""The default encryption of a bucket."""

from django.http import HttpResponse

from rs3gw.s3.auth import Identity
from rs3gw.s3.body import read_document
from rs3gw.s3.core import xml
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.encryption import AES256, check_algorithm
from rs3gw.s3.operations.answers import xml_answer
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.operations.settings import delete, put, text_of
from rs3gw.s3.request import S3Request

SETTING = "encryption"
_ROOT = "ServerSideEncryptionConfiguration"


def get_encryption(request: S3Request, caller: Identity) -> HttpResponse:
    """GetBucketEncryption."""
    text = text_of(request, SETTING)
    if text is None:
        raise S3Error(
            "ServerSideEncryptionConfigurationNotFoundError",
            "The server side encryption configuration was not found",
        )
    algorithm, has_bucket_key = text.partition(" ")[0], text.endswith(" true")
    default = f"<ApplyServerSideEncryptionByDefault>{xml.tag('SSEAlgorithm', algorithm)}"
    default += "</ApplyServerSideEncryptionByDefault>"
    enabled = xml.tag("BucketKeyEnabled", str(has_bucket_key).lower())
    return xml_answer(xml.document(_ROOT, f"<Rule>{default}{enabled}</Rule>"))


def put_encryption(request: S3Request, caller: Identity) -> HttpResponse:
    """PutBucketEncryption."""
    bucket_of(request)
    root = xml.parse(read_document(request, caller))
    xml.expect(root, _ROOT)
    rules = root.findall("Rule")
    if len(rules) != 1:
        raise S3Error("MalformedXML", "Give one Rule.")
    algorithm = rules[0].findtext("ApplyServerSideEncryptionByDefault/SSEAlgorithm")
    if algorithm is None:
        raise S3Error("MalformedXML", "The Rule needs an SSEAlgorithm.")
    master = rules[0].find("ApplyServerSideEncryptionByDefault/KMSMasterKeyID")
    if master is not None and algorithm == AES256:
        raise S3Error("InvalidArgument", "A KMSMasterKeyID is not applicable with AES256.")
    check_algorithm(algorithm)
    has_bucket_key = (rules[0].findtext("BucketKeyEnabled") or "").strip().lower() == "true"
    return put(request, caller, SETTING, f"{algorithm} {str(has_bucket_key).lower()}")


def delete_encryption(request: S3Request, caller: Identity) -> HttpResponse:
    """DeleteBucketEncryption."""
    return delete(request, caller, SETTING)
