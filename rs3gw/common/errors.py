"""The base of every failure that rs3gw anticipates.

A subclass says what happened in words for the person who reads it; the protocol at hand
(S3 XML, DRF problem, admin form, peer JSON) decides how it is written down.
"""


class Rs3gwError(Exception):
    """An anticipated failure.

    Attributes:
        code: Stable name of the failure; the S3 error code where S3 has one.
        message: What happened and what to do next, for a person.
        retryable: Whether the same request may succeed later without being changed.
    """

    code = "InternalError"
    retryable = False
    default_message = "Something went wrong on this node; its log says more."

    def __init__(self, message: str = "") -> None:
        self.message = message or self.default_message
        super().__init__(self.message)


class SettingError(Rs3gwError):
    """A setting has a value that cannot be used; the start stops here."""

    code = "BadSetting"

    def __init__(self, name: str, value: str, allowed: str) -> None:
        super().__init__(f"{name}={value!r} cannot be used: {allowed}")
        self.name = name


class SealError(Rs3gwError):
    """A sealed secret cannot be opened with this node's key."""

    code = "SealBroken"
    default_message = (
        "A stored secret cannot be opened with this node's RS3GW_SECRET_KEY. "
        "Start the node with the key that sealed it."
    )


class SignatureError(Rs3gwError):
    """A node-to-node request is not signed by a member of this cluster."""

    code = "NotAPeer"
    default_message = "The request is not signed by a member of this cluster."
