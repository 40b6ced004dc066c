"""The specification's manager: a bucket's replication in one call, bandwidth at a glance."""

from collections.abc import Sequence

from django.conf import settings

from replication import selectors, services
from replication.core.bucket_config import BucketReplicationConfig
from replication.core.conflict import ConflictResolution
from replication.errors import ControlError
from replication.models import BucketReplicationConfig as Rule
from replication.models import ReplicationRegion


class NodeBandwidth:
    """What this node's lanes send, over all its processes: the specification's tracker."""

    def current_rate(self) -> float:
        """Return the rate of the lanes that have sent in the last seconds, in bytes/second."""
        return selectors.replication_stats().bandwidth_bytes_per_second

    def peak_rate(self) -> float:
        """Return the highest rate that any lane has reached, in bytes per second."""
        return selectors.bandwidth_peak()


class AdvancedReplicationManager:
    """Rules between regions, for programs."""

    def set_bucket_config(
        self,
        bucket: str,
        config: BucketReplicationConfig,
        *,
        pairing_key: str | None = None,
        author: str = "",
    ) -> Sequence[Rule]:
        """Make a bucket replicate as `config` says, on every node of this region.

        Args:
            bucket: Name of the bucket.
            config: Source, destinations, filter and options.
            pairing_key: Secret shared with destinations that are not known here yet.
            author: Who asked for it.

        Returns:
            One rule for each destination.

        Raises:
            ControlError: The source is another region, or the config asks for what this version
                does not do; nothing was changed.
        """
        _check(config)
        rules = []
        for destination in config.destination_regions:
            region = ReplicationRegion.objects.filter(name=destination.id).first()
            if region is None:
                region = services.save_region(
                    name=destination.id,
                    endpoints=[destination.endpoint],
                    priority=destination.priority,
                    pairing_key=pairing_key or services.new_pairing_key(),
                    author=author,
                )
            rules.append(
                services.save_rule(
                    name=f"{bucket}-to-{destination.id}"[:63],
                    bucket=bucket,
                    region=region,
                    priority=destination.priority,
                    compression=config.compression,
                    filter=config.filter,
                    author=author,
                )
            )
        return rules

    def get_bandwidth_tracker(self) -> NodeBandwidth:
        """Return the tracker of this node's replication bandwidth."""
        return NodeBandwidth()


def _check(config: BucketReplicationConfig) -> None:
    if config.source_region.id != settings.RS3GW_REGION:
        raise ControlError(
            f"Rules are set in the region they start from: this is {settings.RS3GW_REGION}, "
            f"the source is {config.source_region.id}."
        )
    if config.encryption:
        raise ControlError(
            "This version does not encrypt the replication stream by itself; give https:// "
            "endpoints, which encrypt the whole connection."
        )
    if config.conflict_resolution != ConflictResolution.LAST_WRITE_WINS:
        raise ControlError("This version resolves conflicts by last_write_wins only.")
