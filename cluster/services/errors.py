"""What can go wrong when the membership is changed."""

from rs3gw.common.errors import Rs3gwError


class ClusterConflict(Rs3gwError):
    """The node or the region is in a state in which this cannot be done."""

    code = "ClusterConflict"


class NodeTaken(ClusterConflict):
    """Another living node already has this name."""

    code = "NodeIdTaken"
