"""The account root, and an account for each name that access keys and buckets have as owner."""

from django.db import migrations
from django.utils import timezone


def make_accounts(apps, schema_editor):
    users = apps.get_model("s3", "S3User").objects
    keys = apps.get_model("s3", "AccessKey").objects
    buckets = apps.get_model("storage", "Bucket").objects.exclude(state="deleted")
    owners = {"root"}
    owners.update(keys.order_by().values_list("owner", flat=True).distinct())
    owners.update(buckets.order_by().values_list("owner", flat=True).distinct())
    for owner in sorted(owners - {""}):
        users.get_or_create(
            user_id=owner,
            defaults={
                "account_id": owner,
                "display_name": owner,
                "created_at": timezone.now(),
                "revision": 1,
            },
        )


class Migration(migrations.Migration):

    dependencies = [
        ("s3", "0002_s3_users"),
        ("storage", "0001_initial"),
    ]

    operations = [migrations.RunPython(make_accounts, migrations.RunPython.noop)]
