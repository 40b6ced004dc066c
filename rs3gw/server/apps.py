"""Django application of the processes of a node."""

from django.apps import AppConfig


class ServerConfig(AppConfig):
    """Web server, worker, embedded broker, development clusters."""

    name = "rs3gw.server"
    label = "server"
    verbose_name = "Server"

    def ready(self) -> None:
        """Make the Celery application the one that tasks are sent with."""
        import rs3gw.celery

        assert rs3gw.celery.app
