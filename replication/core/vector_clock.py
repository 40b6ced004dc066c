"""Version vectors, under the name that the specification gives them.

They live in `rs3gw.common.vector_clock`, because the object store needs them too and may not know
replication.
"""

from rs3gw.common.vector_clock import Causality, VectorClock

__all__ = ["Causality", "VectorClock"]
