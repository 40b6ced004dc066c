"""The control plane as a WSGI application. The node's server puts it beside the S3 endpoint."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rs3gw.settings")
application = get_wsgi_application()
