"""`manage.py serve`: the web process of a node."""

import logging
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from rs3gw.common.errors import Rs3gwError
from rs3gw.common.stopping import StopSignals
from rs3gw.server import first_start
from rs3gw.server.app import cluster_port_app, s3_admission, s3_port_app
from rs3gw.server.http import HttpServer, ListenerConfig
from rs3gw.server.protocol import ServerLimits
from rs3gw.server.retirement import retire
from rs3gw.server.tls import Certificate

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Serve S3, the admin and the API; in cluster mode, the other nodes too."""

    help = "Run the web process of this node."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--init", action="store_true", help="first make what a new node lacks, as init_node"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGTERM or SIGINT; a second one ends it at once."""
        try:
            if options["init"]:
                made = first_start.prepare()
                if made.access_key and not settings.RS3GW_INIT_SECRET_KEY:
                    self.stdout.write(f"access key {made.access_key} secret {made.secret_key}")
            first_start.check()
            certificate = _certificate()
            server = HttpServer(_listeners(certificate))
        except (Rs3gwError, OSError) as error:
            raise CommandError(str(error)) from error
        signals = StopSignals()
        signals.install()
        if certificate is not None:
            signal.signal(signal.SIGHUP, lambda *_: _renew(certificate))
        first_start.join_cluster()
        server.start()
        self.stdout.write(f"serving on {settings.RS3GW_BIND_ADDR}")
        self.stdout.flush()
        signals.wait()
        retire(server, signals)


def _certificate() -> Certificate | None:
    if not settings.RS3GW_TLS_CERT:
        return None
    return Certificate(settings.RS3GW_TLS_CERT, settings.RS3GW_TLS_KEY)


def _renew(certificate: Certificate) -> None:
    try:
        certificate.reload()
    except Rs3gwError as error:
        logger.error("the certificate stays the one that was read last: %s", error)  # noqa: TRY400
    else:
        logger.info("the certificate was read again")


def _listeners(certificate: Certificate | None) -> list[ListenerConfig]:
    limits = ServerLimits(connections_max=settings.RS3GW_CONNECTIONS_MAX)
    host, _, port = settings.RS3GW_BIND_ADDR.rpartition(":")
    configs = [
        ListenerConfig(
            host=host.strip("[]"),
            port=int(port),
            app=s3_port_app(),
            threads=settings.RS3GW_HTTP_THREADS,
            name="s3",
            limits=limits,
            certificate=certificate,
            admission=s3_admission(
                running_max=settings.RS3GW_REQUESTS_MAX,
                waiting_max=settings.RS3GW_REQUESTS_QUEUE_MAX,
            ),
            on_thread_end=connections.close_all,
        )
    ]
    if settings.RS3GW_CLUSTER_ENABLED:
        host, _, port = settings.RS3GW_CLUSTER_BIND_ADDR.rpartition(":")
        configs.append(
            ListenerConfig(
                host=host.strip("[]"),
                port=int(port),
                app=cluster_port_app(),
                threads=settings.RS3GW_PEER_THREADS,
                name="cluster",
                limits=limits,
                on_thread_end=connections.close_all,
            )
        )
    return configs
