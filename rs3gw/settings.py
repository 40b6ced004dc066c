"""Django settings: the one place where RS3GW_* variables become values.

Every variable is read by a typed helper, so a bad value stops the start with a message that
names it. `docs/settings.md` describes each one.
"""

import re
import secrets as _secrets
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from rs3gw.common.broker_url import broker_url
from rs3gw.common.env import (
    envbool,
    envchoice,
    envduration,
    envint,
    envlist,
    envsecret,
    envsize,
    envstr,
)
from rs3gw.common.errors import SettingError
from rs3gw.framework import (  # noqa: F401  (Django reads them here)
    AUTH_PASSWORD_VALIDATORS,
    CONTENT_SECURITY_POLICY,
    INSTALLED_APPS,
    MIDDLEWARE,
    REST_FRAMEWORK,
    SPECTACULAR_SETTINGS,
    TEMPLATES,
)
from rs3gw.version import VERSION as RS3GW_VERSION  # noqa: F401  (others read it here)

BASE_DIR = Path(__file__).resolve().parent.parent
_HOST_PORT = r"(\[[0-9a-fA-F:.]+\]|[^\s:/,]+):\d{1,5}"
_NAME = r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?"
_HOST_PORT_ALLOWED = "it must be host:port"
_NAME_ALLOWED = "1 to 63 lower-case letters, digits, dots and hyphens"

# --- this node ------------------------------------------------------------------------------
RS3GW_DATA_DIR = Path(envstr("RS3GW_DATA_DIR", str(BASE_DIR / "data"))).resolve()
RS3GW_BIND_ADDR = envstr(
    "RS3GW_BIND_ADDR", "127.0.0.1:9000", pattern=_HOST_PORT, allowed=_HOST_PORT_ALLOWED
)
RS3GW_TLS_CERT = envstr("RS3GW_TLS_CERT")
RS3GW_TLS_KEY = envstr("RS3GW_TLS_KEY")
if bool(RS3GW_TLS_CERT) != bool(RS3GW_TLS_KEY):
    raise SettingError(
        "RS3GW_TLS_KEY" if RS3GW_TLS_CERT else "RS3GW_TLS_CERT",
        "",
        "a certificate and its key belong together: give both RS3GW_TLS_CERT and RS3GW_TLS_KEY, "
        "or neither",
    )
RS3GW_REGION = envstr("RS3GW_REGION", "us-east-1", pattern=_NAME, allowed=_NAME_ALLOWED)
RS3GW_S3_DOMAIN = envstr("RS3GW_S3_DOMAIN")
RS3GW_PUBLIC_URL = envstr("RS3GW_PUBLIC_URL", pattern=r"https?://\S+")
RS3GW_DRAIN_SECONDS = envduration("RS3GW_DRAIN_SECONDS", 3, minimum=0, maximum=300)
RS3GW_HTTP_THREADS = envint("RS3GW_HTTP_THREADS", 32, minimum=2, maximum=512)
RS3GW_PEER_THREADS = envint("RS3GW_PEER_THREADS", 16, minimum=2, maximum=512)
_most_threads = RS3GW_HTTP_THREADS - max(1, RS3GW_HTTP_THREADS // 8)
RS3GW_REQUESTS_MAX = envint("RS3GW_REQUESTS_MAX", _most_threads, minimum=1, maximum=511)
if RS3GW_REQUESTS_MAX >= RS3GW_HTTP_THREADS:
    raise SettingError(
        "RS3GW_REQUESTS_MAX",
        str(RS3GW_REQUESTS_MAX),
        f"it must be less than RS3GW_HTTP_THREADS ({RS3GW_HTTP_THREADS}): threads must be left "
        "for health checks and the admin",
    )
RS3GW_REQUESTS_QUEUE_MAX = envint("RS3GW_REQUESTS_QUEUE_MAX", 128, minimum=0, maximum=60_000)
RS3GW_CONNECTIONS_MAX = envint("RS3GW_CONNECTIONS_MAX", 1000, minimum=10, maximum=60_000)
RS3GW_WORKER_THREADS = envint("RS3GW_WORKER_THREADS", 4, minimum=1, maximum=64)
RS3GW_INLINE_BODY_MAX_BYTES = envsize(
    "RS3GW_INLINE_BODY_MAX", 16 * 1024, minimum=0, maximum=256 * 1024
)
RS3GW_OBJECT_SIZE_MAX_BYTES = envsize(
    "RS3GW_OBJECT_SIZE_MAX", 5 * 2**30, minimum=1, maximum=5 * 2**40
)
RS3GW_BLOB_GRACE_SECONDS = envduration("RS3GW_BLOB_GRACE", 3600, minimum=0, maximum=30 * 86_400)
RS3GW_LIFECYCLE_DAY_SECONDS = envint(
    "RS3GW_LIFECYCLE_DAY_SECONDS", 86_400, minimum=1, maximum=86_400
)
RS3GW_KEYRING = envsecret("RS3GW_KEYRING", bytes_min=32)
RS3GW_METRICS_TOKEN = envsecret("RS3GW_METRICS_TOKEN")
RS3GW_LOG_LEVEL = envchoice(
    "RS3GW_LOG_LEVEL", "info", {"debug", "info", "warning", "error"}
).upper()

# --- cluster --------------------------------------------------------------------------------
RS3GW_CLUSTER_ENABLED = envbool("RS3GW_CLUSTER_ENABLED", default=False)
RS3GW_CLUSTER_NODE_ID = envstr("RS3GW_CLUSTER_NODE_ID", "", pattern=_NAME, allowed=_NAME_ALLOWED)
RS3GW_CLUSTER_PORT = envint("RS3GW_CLUSTER_PORT", 9001, minimum=1, maximum=65_535)
RS3GW_CLUSTER_ADVERTISE_ADDR = envstr(
    "RS3GW_CLUSTER_ADVERTISE_ADDR",
    f"127.0.0.1:{RS3GW_CLUSTER_PORT}",
    pattern=_HOST_PORT,
    allowed=_HOST_PORT_ALLOWED,
)
RS3GW_CLUSTER_BIND_ADDR = envstr(
    "RS3GW_CLUSTER_BIND_ADDR",
    f"{RS3GW_BIND_ADDR.rpartition(':')[0]}:{RS3GW_CLUSTER_PORT}",
    pattern=_HOST_PORT,
    allowed=_HOST_PORT_ALLOWED,
)
RS3GW_CLUSTER_SEED_NODES = envlist(
    "RS3GW_CLUSTER_SEED_NODES", pattern=_HOST_PORT, allowed="each seed node must be host:port"
)
RS3GW_CLUSTER_SECRET = envsecret("RS3GW_CLUSTER_SECRET", bytes_min=32)
RS3GW_HEARTBEAT_INTERVAL_SECONDS = envduration(
    "RS3GW_HEARTBEAT_INTERVAL", 5, minimum=0.1, maximum=300
)
RS3GW_HEARTBEAT_TIMEOUT_SECONDS = envduration(
    "RS3GW_HEARTBEAT_TIMEOUT", 15, minimum=0.3, maximum=3600
)
RS3GW_FLAP_LIMIT = envint("RS3GW_FLAP_LIMIT", 5, minimum=0, maximum=1000)
RS3GW_GOSSIP_INTERVAL_SECONDS = envduration("RS3GW_GOSSIP_INTERVAL", 1, minimum=0.1, maximum=60)

# --- replication ----------------------------------------------------------------------------
RS3GW_REPLICATION_MODE = envchoice("RS3GW_REPLICATION_MODE", "async", {"async", "quorum", "sync"})
RS3GW_REPLICATION_FACTOR = envint("RS3GW_REPLICATION_FACTOR", 2, minimum=0, maximum=99)
RS3GW_GAP_CHECK_SECONDS = envduration("RS3GW_GAP_CHECK", 5, minimum=0.1, maximum=3600)
RS3GW_GAP_GRACE_SECONDS = envduration("RS3GW_GAP_GRACE", 20, minimum=0, maximum=86_400)
RS3GW_COMPARE_INTERVAL_SECONDS = envduration(
    "RS3GW_COMPARE_INTERVAL", 3600, minimum=0, maximum=30 * 86_400
)
RS3GW_COMPARE_MARGIN_SECONDS = envduration("RS3GW_COMPARE_MARGIN", 120, minimum=0, maximum=86_400)
RS3GW_COMPARE_REPAIRS_MAX = envint("RS3GW_COMPARE_REPAIRS_MAX", 10_000, minimum=0, maximum=10**9)
RS3GW_REJOIN_REMOVED = envbool("RS3GW_REJOIN_REMOVED", default=False)
RS3GW_SWEEP_INTERVAL_SECONDS = envduration("RS3GW_SWEEP_INTERVAL", 1, minimum=0.1, maximum=300)
RS3GW_WRITE_TIMEOUT_SECONDS = envduration("RS3GW_WRITE_TIMEOUT", 10, minimum=0.1, maximum=300)
RS3GW_EVENT_RETENTION_SECONDS = envduration(
    "RS3GW_EVENT_RETENTION", 86_400, minimum=0, maximum=365 * 86_400
)
RS3GW_TRIM_INTERVAL_SECONDS = envduration("RS3GW_TRIM_INTERVAL", 60, minimum=0.2, maximum=3600)
RS3GW_TOMBSTONE_MIN_AGE_SECONDS = envduration(
    "RS3GW_TOMBSTONE_MIN_AGE_SECONDS", 86_400, minimum=0, maximum=365 * 86_400
)
RS3GW_OUTBOX_MAX_EVENTS = envint(
    "RS3GW_OUTBOX_MAX_EVENTS", 10_000_000, minimum=0, maximum=10_000_000_000
)
RS3GW_OUTBOX_MAX_BYTES = envsize("RS3GW_OUTBOX_MAX_BYTES", 0, minimum=0, maximum=2**60)
RS3GW_OUTBOX_MAX_AGE_SECONDS = envduration(
    "RS3GW_OUTBOX_MAX_AGE_SECONDS", 7 * 86_400, minimum=0, maximum=365 * 86_400
)
RS3GW_REGION_OUTBOX_MAX_EVENTS = envint(
    "RS3GW_REGION_OUTBOX_MAX_EVENTS", 0, minimum=0, maximum=10_000_000_000
)
RS3GW_REGION_OUTBOX_MAX_BYTES = envsize(
    "RS3GW_REGION_OUTBOX_MAX_BYTES", 0, minimum=0, maximum=2**60
)
RS3GW_REGION_OUTBOX_MAX_AGE_SECONDS = envduration(
    "RS3GW_REGION_OUTBOX_MAX_AGE_SECONDS", 0, minimum=0, maximum=10 * 365 * 86_400
)
RS3GW_BREAKER_FAILURES = envint("RS3GW_BREAKER_FAILURES", 5, minimum=1, maximum=100)
RS3GW_BREAKER_OPEN_SECONDS = envduration("RS3GW_BREAKER_OPEN", 5, minimum=0.1, maximum=300)
RS3GW_BREAKER_OPEN_MAX_SECONDS = envduration("RS3GW_BREAKER_OPEN_MAX", 300, minimum=1, maximum=3600)
RS3GW_RECOVERY_INTERVAL_SECONDS = envduration("RS3GW_RECOVERY_INTERVAL", 2, minimum=0, maximum=300)
RS3GW_APPLY_QUEUE_MAX = envint(
    "RS3GW_APPLY_QUEUE_MAX", max(1, RS3GW_PEER_THREADS * 3 // 4), minimum=1, maximum=512
)
RS3GW_BACKPRESSURE_POLICY = envchoice(
    "RS3GW_BACKPRESSURE_POLICY", "none", {"none", "delay", "reject"}
)
RS3GW_BACKPRESSURE_SOFT_AGE_SECONDS = envduration(
    "RS3GW_BACKPRESSURE_SOFT_AGE", 60, minimum=0.1, maximum=365 * 86_400
)
RS3GW_BACKPRESSURE_HARD_AGE_SECONDS = envduration(
    "RS3GW_BACKPRESSURE_HARD_AGE", 600, minimum=0.1, maximum=365 * 86_400
)
RS3GW_BACKPRESSURE_SOFT_EVENTS = envint(
    "RS3GW_BACKPRESSURE_SOFT_EVENTS", 10_000, minimum=1, maximum=10**12
)
RS3GW_BACKPRESSURE_HARD_EVENTS = envint(
    "RS3GW_BACKPRESSURE_HARD_EVENTS", 100_000, minimum=1, maximum=10**12
)
for _soft, _hard, _name in (
    (RS3GW_BACKPRESSURE_SOFT_AGE_SECONDS, RS3GW_BACKPRESSURE_HARD_AGE_SECONDS, "AGE"),
    (RS3GW_BACKPRESSURE_SOFT_EVENTS, RS3GW_BACKPRESSURE_HARD_EVENTS, "EVENTS"),
):
    if _soft > _hard:
        _why = f"it must not be more than RS3GW_BACKPRESSURE_HARD_{_name}, which is {_hard:g}"
        raise SettingError(f"RS3GW_BACKPRESSURE_SOFT_{_name}", f"{_soft:g}", _why)
RS3GW_CLOCK_SKEW_MAX_SECONDS = envduration("RS3GW_CLOCK_SKEW_MAX", 30, minimum=1, maximum=86_400)

# --- bodies: placement, rebuilding, scrub ---------------------------------------------------
RS3GW_ZONE = envstr(
    "RS3GW_ZONE",
    pattern=r"[A-Za-z0-9._-]{1,63}",
    allowed="1 to 63 letters, digits, dots, hyphens and underscores",
)
RS3GW_NODE_WEIGHT = float(
    envstr(
        "RS3GW_NODE_WEIGHT",
        "1.0",
        pattern=r"\d{1,3}(\.\d{1,3})?",
        allowed="it must be a number from 0 to 999, such as 0.5 or 2",
    )
)
RS3GW_REBUILD_AFTER_SECONDS = envduration(
    "RS3GW_REBUILD_AFTER_SECONDS", 1800, minimum=1, maximum=30 * 86_400
)
RS3GW_HEAL_BYTES_PER_SECOND = envsize("RS3GW_HEAL_BYTES_PER_SECOND", 0, minimum=0, maximum=2**40)
RS3GW_HEAL_INTERVAL_SECONDS = envduration("RS3GW_HEAL_INTERVAL", 30, minimum=0.1, maximum=3600)
RS3GW_AUDIT_INTERVAL_SECONDS = envduration(
    "RS3GW_AUDIT_INTERVAL", 3600, minimum=0.5, maximum=365 * 86_400
)
RS3GW_SCRUB_INTERVAL_SECONDS = envduration(
    "RS3GW_SCRUB_INTERVAL_SECONDS", 7 * 86_400, minimum=1, maximum=365 * 86_400
)
RS3GW_SCRUB_TRANQUILITY = envint("RS3GW_SCRUB_TRANQUILITY", 4, minimum=0, maximum=100)

if RS3GW_HEARTBEAT_TIMEOUT_SECONDS < 2 * RS3GW_HEARTBEAT_INTERVAL_SECONDS:
    raise SettingError(
        "RS3GW_HEARTBEAT_TIMEOUT",
        f"{RS3GW_HEARTBEAT_TIMEOUT_SECONDS:g}s",
        "it must be at least twice RS3GW_HEARTBEAT_INTERVAL "
        f"({RS3GW_HEARTBEAT_INTERVAL_SECONDS:g}s), else one lost heartbeat fails a node",
    )

# --- first start ----------------------------------------------------------------------------
RS3GW_INIT_ADMIN_USER = envstr("RS3GW_INIT_ADMIN_USER")
RS3GW_INIT_ADMIN_PASSWORD = envsecret("RS3GW_INIT_ADMIN_PASSWORD", bytes_min=8)
RS3GW_INIT_ACCESS_KEY = envstr(
    "RS3GW_INIT_ACCESS_KEY", pattern=r"[A-Za-z0-9]{3,128}", allowed="3 to 128 letters and digits"
)
RS3GW_INIT_SECRET_KEY = envsecret("RS3GW_INIT_SECRET_KEY")

# --- secrets --------------------------------------------------------------------------------
# Commands that need no secret run without one, on a key that dies with the process.
_SECRETLESS = {"check", "makemigrations", "migrate", "collectstatic", "spectacular", "devcluster"}
SECRET_KEY = envsecret("RS3GW_SECRET_KEY", bytes_min=32)
if not SECRET_KEY:
    is_checked = {"pytest", "mypy"} & sys.modules.keys()
    if not _SECRETLESS & set(sys.argv[1:2]) and not is_checked:
        raise SettingError(
            "RS3GW_SECRET_KEY",
            "",
            "it must be set to at least 32 random bytes (or RS3GW_SECRET_KEY_FILE to a file of "
            "them); make one with: openssl rand -hex 32",
        )
    SECRET_KEY = _secrets.token_hex(32)
if RS3GW_CLUSTER_ENABLED and not RS3GW_CLUSTER_SECRET:
    raise SettingError(
        "RS3GW_CLUSTER_SECRET",
        "",
        "it must be set to the same 32 or more random bytes on every node of the region "
        "when RS3GW_CLUSTER_ENABLED is true",
    )


# --- database -------------------------------------------------------------------------------
def _database(url: str) -> dict[str, object]:
    """Return Django's settings of `sqlite:///path` or `postgres://user:secret@host:port/name`."""
    allowed = "it must be sqlite:///absolute/path or postgres://user:password@host:port/name"
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and parts.path:
        return {
            "ENGINE": "rs3gw.common.sqlite",
            "NAME": unquote(parts.path),
            # The worker writes cursors and heartbeats, which may be lost at power loss: the
            # receiver knows what it has. Only the web process answers clients.
            "OPTIONS": {"is_relaxed": sys.argv[1:2] == ["worker"]},
            "TEST": {"NAME": unquote(parts.path) + ".test"},
        }
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise SettingError("RS3GW_DATABASE_URL", re.sub(r":[^:@/]*@", ":***@", url), allowed)
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", None) or unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "OPTIONS": {
            "pool": {
                "min_size": 1,
                "max_size": RS3GW_DATABASE_CONNECTIONS_MAX,
                "timeout": 10,
            },
            "connect_timeout": 5,
            **query,
        },
    }


RS3GW_DATABASE_CONNECTIONS_MAX = envint(
    "RS3GW_DATABASE_CONNECTIONS_MAX", 24, minimum=2, maximum=500
)
RS3GW_DATABASE_URL = envstr("RS3GW_DATABASE_URL", f"sqlite:///{RS3GW_DATA_DIR}/rs3gw.sqlite3")
DATABASES = {"default": _database(RS3GW_DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- broker ---------------------------------------------------------------------------------
RS3GW_BROKER_URL = envstr("RS3GW_BROKER_URL", pattern=r"(redis|rediss|redis\+socket|memory)://.*")
CELERY_BROKER_URL = RS3GW_BROKER_URL or broker_url(RS3GW_DATA_DIR)

# --- Django ---------------------------------------------------------------------------------
DEBUG = False
ALLOWED_HOSTS = envlist("RS3GW_ALLOWED_HOSTS") or ["*"]
CSRF_TRUSTED_ORIGINS = envlist("RS3GW_CSRF_TRUSTED_ORIGINS", pattern=r"https?://\S+")
ROOT_URLCONF = "rs3gw.urls"
WSGI_APPLICATION = "rs3gw.wsgi.application"
APPEND_SLASH = True
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = True
FORMAT_MODULE_PATH = ["rs3gw.console.formats"]

STATIC_URL = "/static/"
# Files are served from the packages that bring them; nothing is collected.
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 3600

SESSION_COOKIE_SAMESITE = "Strict"
# One host serves several nodes on several ports, and cookies do not know ports.
SESSION_COOKIE_NAME = f"rs3gw_session_{RS3GW_BIND_ADDR.rpartition(':')[2]}"
CSRF_COOKIE_NAME = f"rs3gw_csrf_{RS3GW_BIND_ADDR.rpartition(':')[2]}"
SESSION_COOKIE_AGE = 12 * 3600
_is_https_public = RS3GW_PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _is_https_public or bool(RS3GW_TLS_CERT)
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if SESSION_COOKIE_SECURE:
    SECURE_HSTS_SECONDS = 31_536_000
if _is_https_public and not RS3GW_TLS_CERT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
    },
    "filters": {
        # A node that is not ready says so in its answer, ten times a second to whoever asks.
        "not_unready": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: getattr(record, "status_code", 0) != 503,
        },
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": RS3GW_LOG_LEVEL},
    "loggers": {
        "django.request": {"level": "ERROR", "filters": ["not_unready"]},
        "celery": {"level": "WARNING"},
    },
}

RS3GW_LIFECYCLE_INTERVAL_SECONDS = max(1.0, min(3600.0, RS3GW_LIFECYCLE_DAY_SECONDS / 4))
RS3GW_HEARTBEAT_INTERVAL = timedelta(seconds=RS3GW_HEARTBEAT_INTERVAL_SECONDS)
RS3GW_HEARTBEAT_TIMEOUT = timedelta(seconds=RS3GW_HEARTBEAT_TIMEOUT_SECONDS)
RS3GW_GOSSIP_INTERVAL = timedelta(seconds=RS3GW_GOSSIP_INTERVAL_SECONDS)
