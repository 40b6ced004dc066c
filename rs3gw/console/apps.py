"""Django applications of the console."""

from django.apps import AppConfig

# As a module: Django takes every AppConfig class it finds here for one of ours.
from django.contrib.admin import apps as admin_apps


class ConsoleConfig(AppConfig):
    """Overview, status API, metrics and health answers of this node."""

    name = "rs3gw.console"
    label = "console"
    verbose_name = "Console"


class ConsoleAdminConfig(admin_apps.AdminConfig):
    """Django's admin with our site in the place of the stock one."""

    default_site = "rs3gw.console.site.Rs3gwAdminSite"
    # The settings name this one in full; the app itself is ConsoleConfig.
    default = False
