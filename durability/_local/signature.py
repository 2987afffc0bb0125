"""Verification of Signature Version 4, as API Gateway does it for routes with AWS_IAM."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningCredentials

from durability._local.identity import Credentials, Principals

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request,\s*"
    r"SignedHeaders=(?P<headers>[^,]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
# Requests are refused when their time differs by more than this from the service's.
_CLOCK_SKEW = timedelta(minutes=5)


def verify(
    method: str, url: str, headers: Mapping[str, str], body: bytes, service: str, principals: Principals
) -> Credentials | None:
    """Who signed a request.

    Args:
        method: HTTP method.
        url: complete URL as the client sent it.
        headers: request headers.
        body: request body.
        service: service that must have been signed for.
        principals: who may sign.

    Returns:
        The signer's credentials; None if the signature is missing, wrong, stale, or of somebody unknown.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    match = _AUTHORIZATION.fullmatch(lowered.get("authorization", ""))
    stamp = lowered.get("x-amz-date", "")
    if match is None or match["service"] != service or not stamp.startswith(match["date"]):
        return None
    credentials = principals.of(match["key"])
    signed = match["headers"].split(";")
    if credentials is None or "host" not in signed or any(name not in lowered for name in signed):
        return None
    try:
        signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    if abs(datetime.now(UTC) - signed_at) > _CLOCK_SKEW:
        return None
    if lowered.get("x-amz-security-token") != credentials.session_token:
        return None
    request = AWSRequest(method=method, url=url, data=body, headers={name: lowered[name] for name in signed})
    if "x-amz-content-sha256" in lowered:
        request.headers["X-Amz-Content-SHA256"] = lowered["x-amz-content-sha256"]
    request.context["timestamp"] = stamp
    signer = SigV4Auth(
        SigningCredentials(credentials.access_key_id, credentials.secret_access_key, credentials.session_token),
        service,
        match["region"],
    )
    canonical = _canonical_request(signer, request, signed)
    expected = signer.signature(signer.string_to_sign(request, canonical), request)
    return credentials if hmac.compare_digest(expected, match["signature"]) else None


def _canonical_request(signer: SigV4Auth, request: AWSRequest, signed: list[str]) -> str:
    """The canonical request with exactly the headers that the client signed, in its order."""
    lines = signer.canonical_request(request).split("\n")
    # Method, path and query open it; the list of signed headers and the digest of the body close it.
    headers = [f"{name}:{' '.join(request.headers[name].split())}" for name in signed]
    return "\n".join([*lines[:3], *headers, "", ";".join(signed), lines[-1]])
