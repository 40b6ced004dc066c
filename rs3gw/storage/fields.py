"""Model fields of the object store."""

from typing import Any

from django.db import models


class KeyField(models.TextField):  # type: ignore[type-arg]
    """Text that is compared and sorted byte by byte, as S3 lists keys.

    SQLite compares TEXT as UTF-8 bytes by itself; PostgreSQL does so under the "C" collation.
    """

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        """Return the column's type and its collation on this database."""
        parameters = super().db_parameters(connection)
        if connection.vendor == "postgresql":
            parameters["collation"] = "C"
        return parameters
