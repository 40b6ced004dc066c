"""Which clients there are, and where each one's code and environment is."""

import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-clients" / "bin" / "python"
# aiobotocore pins a botocore that boto3's newest does not take.
PYTHON_S3FS = ROOT / ".clients" / "s3fs" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Entry:
    """A client: its name in the table, its driver, and the program it needs on the machine."""

    name: str
    module: str
    kind: str
    python: Path = PYTHON
    needs: str | None = None

    def missing(self) -> str | None:
        """Say what is not installed, or None."""
        if not self.python.exists():
            return f"{self.python.relative_to(ROOT)} is not there"
        if self.needs and not shutil.which(self.needs):
            return f"{self.needs} is not installed"
        return None


ROSTER = [
    Entry("boto3", "boto3_client", "Boto3"),
    Entry("boto3, virtual-hosted", "boto3_client", "Boto3Virtual"),
    Entry("boto3 with CRT", "crt_client", "Boto3Crt"),
    Entry("aws-cli", "awscli_client", "AwsCli"),
    Entry("aws-cli of Debian", "awscli_client", "AwsCliDebian", needs="/usr/bin/aws"),
    Entry("rclone", "rclone_client", "Rclone"),
    Entry("rclone of Debian", "rclone_client", "RcloneDebian", needs="/usr/bin/rclone"),
    Entry("s3cmd", "s3cmd_client", "S3cmd"),
    Entry("s5cmd", "s5cmd_client", "S5cmd"),
    Entry("minio-py", "minio_client", "MinioPy"),
    Entry("s3fs", "s3fs_client", "S3fs", python=PYTHON_S3FS),
    Entry("obstore", "obstore_client", "Obstore"),
    Entry("smart_open", "smart_open_client", "SmartOpen"),
    Entry("django-storages", "django_storages_client", "DjangoStorages"),
    Entry("pyarrow", "pyarrow_client", "PyArrow"),
    Entry("DuckDB httpfs", "duckdb_client", "DuckDb"),
    Entry("AWS SDK for JavaScript", "js_client", "AwsSdkJs", needs="node"),
    Entry("AWS SDK for JavaScript, virtual-hosted", "js_client", "AwsSdkJsVirtual", needs="node"),
    Entry("minio-js", "js_client", "MinioJs", needs="node"),
    Entry("restic", "restic_client", "Restic", needs="restic"),
]
