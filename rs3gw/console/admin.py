"""The admin pages that no other application owns."""

from contextlib import suppress

from django.contrib import admin
from rest_framework.authtoken.models import TokenProxy

# Its list shows the tokens of all users in clear; they are made by POST /api/token/.
with suppress(admin.exceptions.NotRegistered):
    admin.site.unregister(TokenProxy)
