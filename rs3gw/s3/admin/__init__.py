"""The admin's pages of accounts, users and access keys."""

from rs3gw.s3.admin.keys import AccessKeyAdmin
from rs3gw.s3.admin.users import S3UserAdmin

__all__ = ["AccessKeyAdmin", "S3UserAdmin"]
