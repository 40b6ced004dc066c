"""Django application of the processes of a node."""

from django.apps import AppConfig


class ServerConfig(AppConfig):
    """Web server, worker, embedded broker, development clusters."""

    name = "rs3gw.server"
    label = "server"
    verbose_name = "Server"
