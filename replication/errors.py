"""What can go wrong when a change must reach other nodes."""

from rs3gw.common.errors import Rs3gwError


class WriteRefused(Rs3gwError):
    """The bucket's write mode cannot be met now; nothing was stored."""

    code = "SlowDown"
    retryable = True
    default_message = (
        "Too few nodes of this region can be reached for this bucket's write mode. "
        "Nothing was stored. Retry when they are back."
    )


class ReadRefused(Rs3gwError):
    """A read must ask more nodes than can be reached now."""

    code = "SlowDown"
    retryable = True
    default_message = (
        "Too few nodes of this region answer for a read that asks a majority. "
        "Retry when they are back."
    )


class KeyClaimed(Rs3gwError):
    """Another conditional write of the same key is under way; nothing was stored."""

    code = "ConditionalRequestConflict"
    retryable = True
    default_message = (
        "Another conditional request for this key is under way. Nothing was stored. Retry."
    )


class BucketStillFilling(Rs3gwError):
    """A bucket cannot be deleted yet: changes in it are on their way to this node."""

    code = "OperationAborted"
    retryable = True
    default_message = (
        "Changes that other nodes made in this bucket are on their way here. "
        "Nothing was deleted. Retry when they have arrived."
    )


class BacklogTooLong(Rs3gwError):
    """The bucket's backpressure refuses writes until other nodes have caught up."""

    code = "SlowDown"
    retryable = True
    default_message = (
        "Other nodes lack too much of what was written here, and this bucket refuses writes "
        "until they have caught up. Nothing was stored. Retry later."
    )


class WriteIndeterminate(Rs3gwError):
    """The change is stored here and travels on, but too few nodes confirmed it in time.

    Attributes:
        version_id: The version that was written.
        acked: Nodes that confirmed, this one included.
        needed: Nodes whose confirmation the write mode asks for.
    """

    code = "SlowDown"
    retryable = True

    def __init__(self, *, version_id: str, acked: int, needed: int) -> None:
        super().__init__(
            f"The change was stored on {acked} of the {needed} nodes that its write mode needs; "
            "the others will get it later. It may be read from now on. Writing it again is safe."
        )
        self.version_id = version_id
        self.acked = acked
        self.needed = needed

    def outcome(self) -> str:
        """Return the value of the x-rs3gw-write-outcome header."""
        return f"indeterminate; version-id={self.version_id}; acked={self.acked}/{self.needed}"


class ControlError(Rs3gwError):
    """A control-plane change cannot be made as asked."""

    code = "InvalidRequest"


class StaleEdit(ControlError):
    """The object was changed since the form was opened."""

    code = "Conflict"
    default_message = "Someone changed this in the meantime. Look at the new state and try again."


class UploadSettling(Rs3gwError):
    """An upload was completed, and its object has yet to reach as many nodes as it must."""

    code = "ServiceUnavailable"
    retryable = True
    default_message = (
        "Another node is completing this upload and waits for others to confirm it. Retry."
    )
