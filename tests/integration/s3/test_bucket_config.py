"""The settings of a bucket as requests see them."""

import pytest

from replication import services
from rs3gw.common import identity
from rs3gw.s3 import bucket_config
from rs3gw.s3.core.policy import Ask, Principal
from rs3gw.storage import selectors
from rs3gw.storage import services as storage


@pytest.fixture
def photos(db):
    identity.ensure()
    storage.init_clock()
    return services.create_bucket(name="photos")


def test_settings_are_read_again_when_they_changed(photos):
    assert bucket_config.of(photos).policy is None
    services.put_bucket_setting(bucket=photos, name="ownership", value="BucketOwnerEnforced")
    fresh = selectors.get_bucket("photos")
    assert bucket_config.of(fresh).ownership == "BucketOwnerEnforced"
    assert bucket_config.of(fresh) is bucket_config.of(fresh)


def test_a_policy_that_cannot_be_read_denies(photos):
    services.put_bucket_setting(bucket=photos, name="policy", value='{"Statement": "new"}')
    policy = bucket_config.of(selectors.get_bucket("photos")).policy
    ask = Ask(Principal("root", "root"), "s3:GetObject", "arn:aws:s3:::photos/k", {})
    assert policy.decide(ask) == "deny"
