"""Webhook signatures and callback tokens: a changed one is never accepted, and no request makes the API fail."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import string
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from durability.callbacks import CallbackAddress, CallbackTokenError
from tests.fuzz.deployment import Deployment, deployment
from tests.fuzz.strategies import damaged, examples, json_values, texts
from tests.http.conftest import STANDARD_SECRET

GITHUB_SECRET = "It's a Secret to Everybody"
SIGNERS = ("standard", "github", "stripe", "slack")
BODY = json.dumps({"workflow": "shop", "text": "paid", "id": "evt_1", "event_id": "Ev1"}).encode()


def signed(endpoint: str, body: bytes, now: int, identifier: str = "msg_1") -> dict[str, str]:
    """The headers with which a provider sends a body."""

    def hexadecimal(secret: str, content: bytes) -> str:
        return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()

    if endpoint == "standard":
        key = base64.b64decode(STANDARD_SECRET.removeprefix("whsec_"))
        digest = hmac.digest(key, f"{identifier}.{now}.".encode() + body, "sha256")
        signature = "v1," + base64.b64encode(digest).decode()
        return {"webhook-id": identifier, "webhook-timestamp": str(now), "webhook-signature": signature}
    if endpoint == "github":
        signature = f"sha256={hexadecimal(GITHUB_SECRET, body)}"
        return {"x-hub-signature-256": signature, "x-github-delivery": identifier}
    if endpoint == "stripe":
        return {"stripe-signature": f"t={now},v1={hexadecimal('whsec_stripe', f'{now}.'.encode() + body)}"}
    signature = f"v0={hexadecimal('8f742231b10e8888abcd99yyyzzz85a5', f'v0:{now}:'.encode() + body)}"
    return {"x-slack-request-timestamp": str(now), "x-slack-signature": signature}


def shop(deployed: Deployment) -> int:
    """Start the workflow that takes the notes; the seconds of now."""
    body = {"workflow_type": "Shop", "workflow_id": "shop", "args": [{"item": "tea"}, 9]}
    assert deployed.post("/workflows", body).status == 201
    return deployed.loop.milliseconds() // 1000


@st.composite
def tampered(draw: st.DrawFn, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
    """A delivery that is not the one that was signed."""
    changed, content = dict(headers), body
    # GitHub signs no id: whoever has seen a delivery may send it under another one.
    names = [name for name in headers if name != "x-github-delivery"]
    if draw(st.booleans()):
        content = draw(damaged(st.just(body)))
    for name in draw(st.lists(st.sampled_from(names), max_size=2)):
        value = draw(damaged(st.just(headers[name].encode("latin-1"))) | st.binary(max_size=20)).decode("latin-1")
        changed[name] = "".join(character for character in value if " " <= character != "\x7f")
    return changed, content


@given(st.sampled_from(SIGNERS), st.data())
@examples(60)
def test_a_changed_delivery_is_never_accepted(endpoint: str, data: st.DataObject) -> None:
    with deployment() as deployed:
        now = shop(deployed)
        headers = signed(endpoint, BODY, now)
        changed, body = data.draw(tampered(headers, BODY))
        answer = deployed.request("POST", f"/webhooks/{endpoint}", headers=changed, body=body)
        if body == BODY and _same(headers, changed):
            assert answer.status == 200
        else:
            assert answer.status in (400, 401)
            assert not answer.changes
        assert not deployed.failing()


def _same(headers: dict[str, str], changed: dict[str, str]) -> bool:
    """Whether a change left all that counts: lists of signatures may have other entries, and spaces."""
    for name, value in headers.items():
        entries = changed[name].replace(",", " ").split() if "signature" in name else [changed[name]]
        if not set(value.replace(",", " ").split() if "signature" in name else [value]) <= set(entries):
            return False
    return True


@given(
    st.sampled_from(SIGNERS),
    json_values() | st.binary(max_size=40) | st.sampled_from([b"[" * 100_000, {"workflow": "\0", "text": 1}]),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=600),
)
@examples(30)
def test_a_signed_delivery_may_hold_anything(endpoint: str, content: Any, identifier: str) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    with deployment() as deployed:
        now = shop(deployed)
        answer = deployed.request(
            "POST", f"/webhooks/{endpoint}", headers=signed(endpoint, body, now, identifier), body=body
        )
        assert answer.status in (200, 400, 401, 404)
        assert not answer.changes
        if answer.status == 401:  # mangum encodes headers in UTF-8, and ids are signed: one beyond ASCII is another
            assert not (identifier.isascii() and identifier)


@given(
    st.sampled_from(SIGNERS), st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=500)
)
@examples(15)
def test_a_signed_delivery_is_accepted_once(endpoint: str, identifier: str) -> None:
    with deployment() as deployed:
        headers = signed(endpoint, BODY, shop(deployed), identifier)
        for _ in range(2):
            assert deployed.request("POST", f"/webhooks/{endpoint}", headers=headers, body=BODY).status == 200
        assert deployed.request("GET", "/workflows/shop/queries/noted").body["result"] == ["paid"]


# --- callback tokens ------------------------------------------------------------------------------------------------

addresses = st.builds(
    CallbackAddress, texts(), texts(), texts(), texts(), texts(), st.sampled_from((0, 2_000_000_000, -1, 10**30))
)


@given(addresses)
@examples(30)
def test_a_token_is_read_as_it_was_made(address: CallbackAddress) -> None:
    assume(address.expires >= 0)
    assert CallbackAddress.verify(address.sign(b"secret"), [b"other", b"secret"], 1_700_000_000) == address


@pytest.mark.parametrize("part", [0, 1])
def test_a_token_has_one_spelling(part: int) -> None:
    token = CallbackAddress("default", "w", "r", "n", "i").sign(b"secret")
    for character in string.ascii_letters + string.digits + "-_=. ":
        parts = token.split(".")
        changed = ".".join([*parts[:part], parts[part][:-1] + character, *parts[part + 1 :]])
        if changed != token:
            with pytest.raises(CallbackTokenError):
                CallbackAddress.verify(changed, [b"secret"], 0)


def _callback(deployed: Deployment) -> str:
    assert deployed.post("/workflows", {"workflow_type": "Caller", "workflow_id": "caller"}).status == 201
    answer = deployed.request("GET", "/workflows/caller/queries/callback_url")
    url: str = answer.body["result"]
    return url.rpartition("/")[2]


@given(st.data())
@examples(50)
def test_a_changed_token_is_never_accepted(data: st.DataObject) -> None:
    with deployment() as deployed:
        token = _callback(deployed)
        changed = data.draw(damaged(st.just(token.encode())).map(lambda given: given.decode("latin-1")))
        answer = deployed.request("POST", f"/callbacks/{changed}", body=b"1")
        if changed == token:
            assert answer.status == 200
        else:
            assert answer.status in (400, 401, 404)
            assert not answer.changes


@given(json_values() | st.binary(max_size=40) | texts())
@examples(20)
def test_a_callback_takes_any_body(content: Any) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    with deployment() as deployed:
        token = _callback(deployed)
        for media_type in ("application/json", "text/plain", "application/x-www-form-urlencoded", "x"):
            answer = deployed.request("POST", f"/callbacks/{token}", headers={"content-type": media_type}, body=body)
            assert answer.status in (200, 400, 415)
            assert answer.status == 200 or not answer.changes
        assert not deployed.failing()
