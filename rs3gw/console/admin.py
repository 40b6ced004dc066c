"""The admin pages that no other application owns."""

from contextlib import suppress

from django.contrib import admin
from django.contrib.admin.exceptions import NotRegistered
from rest_framework.authtoken.models import TokenProxy

# Its list shows the tokens of all users in clear; they are made by POST /api/token/.
with suppress(NotRegistered):
    admin.site.unregister(TokenProxy)
