"""The names of the steps, in order."""

STEP_NAMES = (
    "create bucket",
    "small object",
    "20 MiB in parts",
    "ranged read",
    "list",
    "copy",
    "presign",
    "delete",
    "remove bucket",
)
