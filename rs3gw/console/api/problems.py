"""How the REST API tells an error: a status, a stable code, and what to do next.

Every error is `{"code", "message"}`; one in the request's fields has `fields` as well.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from rs3gw.common.errors import Rs3gwError

CONFLICTS = frozenset(
    {"BucketAlreadyOwnedByYou", "BucketAlreadyExists", "BucketNotEmpty", "Conflict"}
)
_STATUSES = {
    "AccessDenied": HTTPStatus.FORBIDDEN,
    "EntityTooLarge": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "InvalidRange": HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    "MethodNotAllowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "MissingContentLength": HTTPStatus.LENGTH_REQUIRED,
    "PreconditionFailed": HTTPStatus.PRECONDITION_FAILED,
}
_NEXT_STEPS: Mapping[str, str] = {
    "not_authenticated": "Send a token (Authorization: Token ...) from POST /api/token/.",
    "permission_denied": "Ask an administrator of this node for a staff account.",
}


def status_of(error: Rs3gwError) -> HTTPStatus:
    """Return the HTTP status of an anticipated failure."""
    if error.retryable:
        return HTTPStatus.SERVICE_UNAVAILABLE
    if error.code in CONFLICTS:
        return HTTPStatus.CONFLICT
    if error.code.startswith("NoSuch"):
        return HTTPStatus.NOT_FOUND
    return _STATUSES.get(error.code, HTTPStatus.BAD_REQUEST)


def handle(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Return the answer for an error, None for one that nobody anticipated."""
    if isinstance(error, Rs3gwError):
        return Response({"code": error.code, "message": error.message}, status=status_of(error))
    answer = exception_handler(error, dict(context))
    if answer is None:
        return None
    if isinstance(error, exceptions.ValidationError):
        answer.data = {
            "code": "Invalid",
            "message": "Some fields cannot be used as given; see fields.",
            "fields": error.detail,
        }
        return answer
    answer.data = _told(error, answer.status_code)
    return answer


def _told(error: Exception, status: int) -> dict[str, str]:
    if not isinstance(error, exceptions.APIException):
        return {"code": HTTPStatus(status).name.lower(), "message": HTTPStatus(status).phrase}
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else error.default_code
    message = " ".join([str(error.detail), _NEXT_STEPS.get(code, "")]).strip()
    return {"code": code, "message": message}
