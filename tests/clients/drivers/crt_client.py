"""boto3 with the transfer manager of the AWS common runtime, which is written in C.

boto3's own switch to it (`preferred_transfer_client`) forgets the endpoint, so the manager is made
here as boto3 makes it.
"""

from importlib.metadata import version

import botocore.session
from botocore.config import Config
from s3transfer.crt import (
    BotocoreCRTCredentialsWrapper,
    BotocoreCRTRequestSerializer,
    CRTTransferManager,
    create_s3_crt_client,
)

from tests.clients.drivers.boto3_client import Boto3


class Boto3Crt(Boto3):
    """Everything but files is done by boto3."""

    def __init__(self, endpoint):
        super().__init__(endpoint)
        session = botocore.session.Session()
        session.set_credentials(endpoint.access_key, endpoint.secret_key)
        place = {
            "region_name": endpoint.region,
            "endpoint_url": endpoint.url,
            "config": Config(s3={"addressing_style": "path"}),
        }
        provider = BotocoreCRTCredentialsWrapper(session.get_credentials())
        client = create_s3_crt_client(
            endpoint.region,
            crt_credentials_provider=provider.to_crt_credentials_provider(),
            target_throughput=10**8,
            use_ssl=endpoint.is_tls,
            verify=endpoint.ca_file,
        )
        self._manager = CRTTransferManager(client, BotocoreCRTRequestSerializer(session, place))

    def version(self):
        return f"awscrt {version('awscrt')}"

    def upload(self, bucket, key, path):
        self._manager.upload(str(path), bucket, key).result()

    def download(self, bucket, key, path):
        self._manager.download(bucket, key, str(path)).result()
