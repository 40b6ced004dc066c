"""DuckDB with its extension httpfs, from the wheel of the same name."""

from pathlib import Path

import duckdb
import duckdb_extension_httpfs

from tests.clients.protocol import CannotDo, Listing

TABLES_ONLY = "it reads and writes files, and nothing else"


def _quoted(text):
    return "'" + str(text).replace("'", "''") + "'"


class DuckDb:
    """Reads and writes BLOBs by SQL."""

    style = "path"

    def __init__(self, endpoint):
        self._sql = duckdb.connect()
        place = Path(duckdb_extension_httpfs.__file__).parent / "extensions"
        extension = next(place.rglob("httpfs.duckdb_extension"))
        self._sql.execute(f"LOAD {_quoted(extension)}")
        if endpoint.ca_file:
            self._sql.execute(f"SET ca_cert_file = {_quoted(endpoint.ca_file)}")
            self._sql.execute("SET enable_server_cert_verification = true")
        # The smallest it allows: parts of 5 MB instead of 80.
        self._sql.execute("SET s3_uploader_max_filesize = '50GB'")
        self._sql.execute(
            "CREATE SECRET (TYPE s3, "
            f"KEY_ID {_quoted(endpoint.access_key)}, SECRET {_quoted(endpoint.secret_key)}, "
            f"REGION {_quoted(endpoint.region)}, ENDPOINT {_quoted(endpoint.host)}, "
            f"URL_STYLE {_quoted(self.style)}, USE_SSL {str(endpoint.is_tls).lower()})"
        )

    def version(self):
        return duckdb.__version__

    def create_bucket(self, bucket):
        raise CannotDo(TABLES_ONLY)

    def _write(self, bucket, key, body):
        place = _quoted(f"s3://{bucket}/{key}")
        self._sql.execute(f"COPY (SELECT ?::BLOB) TO {place} (FORMAT blob)", [body])

    def put(self, bucket, key, body, metadata):
        self._write(bucket, key, body)

    def get(self, bucket, key):
        found = self._sql.execute(
            f"SELECT content FROM read_blob({_quoted(f's3://{bucket}/{key}')})"
        )
        return found.fetchone()[0]

    def metadata(self, bucket, key):
        raise CannotDo("its files have none")

    def upload(self, bucket, key, path):
        self._write(bucket, key, path.read_bytes())

    def download(self, bucket, key, path):
        path.write_bytes(self.get(bucket, key))

    def read_range(self, bucket, key, first, last):
        raise CannotDo("its readers choose their own ranges")

    def read_table(self, bucket):
        """Write a table as Parquet and read one column of some rows, which takes ranges."""
        place = _quoted(f"s3://{bucket}/table/numbers.parquet")
        self._sql.execute(
            f"COPY (SELECT range AS n, md5(range::text) AS t FROM range(300000)) TO {place}"
        )
        self._sql.execute(f"SELECT count(*), sum(n) FROM {place} WHERE n BETWEEN 200000 AND 200009")
        return self._sql.fetchone() == (10, 2_000_045)

    def list(self, bucket, prefix):
        place = _quoted(f"s3://{bucket}/{prefix}*")
        rows = self._sql.execute(f"SELECT file FROM glob({place})").fetchall()
        return Listing(frozenset(row[0].removeprefix(f"s3://{bucket}/") for row in rows))

    def copy(self, bucket, source, target):
        raise CannotDo(TABLES_ONLY)

    def presign(self, bucket, key):
        raise CannotDo(TABLES_ONLY)

    def delete(self, bucket, key):
        raise CannotDo(TABLES_ONLY)

    def delete_bucket(self, bucket):
        raise CannotDo(TABLES_ONLY)
