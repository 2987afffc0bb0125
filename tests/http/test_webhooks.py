"""Webhooks of other services: signatures, tolerance, rotation, and each delivery once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from durability._http.requests import BODY_LIMIT
from durability.webhooks import (
    Delivery,
    GitHub,
    Slack,
    StandardWebhooks,
    Stripe,
    VerificationError,
    Verifier,
    Webhook,
)

from .conftest import NOW, OLD_STANDARD_SECRET, STANDARD_SECRET, Api, Clock

BODY = json.dumps({"workflow": "a", "text": "paid", "id": "evt_1"}).encode()


def standard(body: bytes = BODY, identifier: str = "msg_1", now: float = NOW, secret: str = STANDARD_SECRET) -> Any:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{identifier}.{int(now)}.".encode() + body, "sha256")
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


async def start(api: Api, notes: int = 10) -> None:
    body = {"workflow_type": "Shop", "workflow_id": "a", "args": [{"item": "tea"}, notes]}
    assert (await api.post("/workflows", json=body)).status_code == 201


async def notes(api: Api) -> Any:
    return (await api.get("/workflows/a/queries/noted")).json()["result"]


async def test_a_delivery_signals_the_workflow_once(api: Api) -> None:
    await start(api)
    for identifier in ("msg_1", "msg_1", "msg_2"):
        response = await api.post("/webhooks/standard", content=BODY, headers=standard(identifier=identifier))
        assert (response.status_code, response.json()) == (200, {"accepted": True})
    assert await notes(api) == ["paid", "paid"]


async def test_a_rotated_secret_is_accepted(api: Api) -> None:
    await start(api)
    headers = standard(secret=OLD_STANDARD_SECRET)
    assert (await api.post("/webhooks/standard", content=BODY, headers=headers)).status_code == 200
    several = standard()
    several["webhook-signature"] = f"v2,xyz v1,AAAA {several['webhook-signature']}"
    assert (await api.post("/webhooks/standard", content=BODY, headers=several)).status_code == 200


REFUSED: list[tuple[str, dict[str, str], bytes]] = [
    ("unsigned", {}, BODY),
    ("stale", standard(now=NOW - 301), BODY),
    ("early", standard(now=NOW + 301), BODY),
    ("other secret", standard(secret="whsec_" + base64.b64encode(b"x" * 24).decode()), BODY),
    ("other body", standard(), BODY + b" "),
    ("other id", standard() | {"webhook-id": "msg_2"}, BODY),
    ("other time", standard() | {"webhook-timestamp": str(int(NOW) + 1)}, BODY),
    ("other version", standard() | {"webhook-signature": standard()["webhook-signature"].replace("v1", "v2")}, BODY),
    ("no number", standard() | {"webhook-timestamp": "soon"}, BODY),
    ("empty signature", standard() | {"webhook-signature": "v1,"}, BODY),
]


@pytest.mark.parametrize(("headers", "body"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
async def test_unsigned_stale_and_forged_deliveries_change_nothing(
    api: Api, headers: dict[str, str], body: bytes
) -> None:
    await start(api)
    response = await api.post("/webhooks/standard", content=body, headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (401, "UNAUTHENTICATED")
    assert await notes(api) == []


async def test_other_answers(api: Api, clock: Clock) -> None:
    assert (await api.post("/webhooks/nowhere", content=BODY)).status_code == 404
    response = await api.post("/webhooks/standard", content=BODY, headers=standard())
    assert (response.status_code, response.json()["error"]["code"]) == (404, "NOT_FOUND")  # no such workflow
    ignored = b"{}"
    response = await api.post("/webhooks/standard", content=ignored, headers=standard(ignored))
    assert (response.status_code, response.json()) == (200, {"accepted": False})
    await start(api, notes=0)
    await api.get("/workflows/a/result?wait=5")
    response = await api.post("/webhooks/standard", content=BODY, headers=standard())
    assert response.status_code == 404
    assert "completed" in response.json()["error"]["message"]
    large = b"x" * (BODY_LIMIT + 1)
    assert (await api.post("/webhooks/standard", content=large, headers=standard(large))).status_code == 413
    long = standard(identifier="m" * 501)
    assert (await api.post("/webhooks/standard", content=BODY, headers=long)).status_code == 400


async def test_a_fault_of_the_application_stays_inside(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    signature = hmac.new(b"x", b'{"secret": "s3cret"}', hashlib.sha256).hexdigest()
    headers = {"x-hub-signature-256": f"sha256={signature}", "x-github-delivery": "1"}
    response = await api.post("/webhooks/broken", content=b'{"secret": "s3cret"}', headers=headers)
    assert response.status_code == 500
    assert "missing" not in response.text
    assert "s3cret" not in capsys.readouterr().out


async def test_github_stripe_and_slack(api: Api) -> None:
    await start(api)
    digest = hmac.new(b"It's a Secret to Everybody", BODY, hashlib.sha256).hexdigest()
    github = {"X-Hub-Signature-256": f"sha256={digest}", "X-GitHub-Delivery": "72d3162e"}
    for _ in range(2):
        assert (await api.post("/webhooks/github", content=BODY, headers=github)).status_code == 200
    digest = hmac.new(b"whsec_stripe", f"{int(NOW)}.".encode() + BODY, hashlib.sha256).hexdigest()
    stripe = {"Stripe-Signature": f"t={int(NOW)},v1={'0' * 64},v1={digest},v0=x"}
    for _ in range(2):
        assert (await api.post("/webhooks/stripe", content=BODY, headers=stripe)).status_code == 200
    assert await notes(api) == ["paid", "paid"]
    challenge = b'{"type": "url_verification", "challenge": "c"}'
    digest = hmac.new(b"8f742231b10e8888abcd99yyyzzz85a5", f"v0:{int(NOW)}:".encode() + challenge, "sha256").hexdigest()
    slack = {"X-Slack-Signature": f"v0={digest}", "X-Slack-Request-Timestamp": str(int(NOW))}
    assert (await api.post("/webhooks/slack", content=challenge, headers=slack)).json() == {"challenge": "c"}
    for endpoint in ("github", "stripe", "slack"):
        assert (await api.post(f"/webhooks/{endpoint}", content=BODY)).status_code == 401


SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)

PUBLISHED: list[tuple[Verifier, dict[str, str], bytes, float, str]] = [
    (  # the reference test of the Standard Webhooks libraries
        StandardWebhooks(STANDARD_SECRET),
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        b'{"test": 2432232314}',
        1614265330,
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
    ),
    (  # GitHub's documentation, "Testing the webhook payload validation"
        GitHub("It's a Secret to Everybody"),
        {
            "x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
            "x-github-delivery": "1",
        },
        b"Hello, World!",
        0,
        "1",
    ),
    (  # Slack's documentation, "Verifying requests from Slack"
        Slack("8f742231b10e8888abcd99yyyzzz85a5"),
        {
            "x-slack-request-timestamp": "1531420618",
            "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        },
        SLACK_BODY,
        1531420618,
        hashlib.sha256(b"v0:1531420618:" + SLACK_BODY).hexdigest(),
    ),
]


@pytest.mark.parametrize(("verifier", "headers", "body", "now", "identifier"), PUBLISHED)
def test_published_vectors(
    verifier: Verifier, headers: dict[str, str], body: bytes, now: float, identifier: str
) -> None:
    assert verifier.verify(Delivery("e", headers, body), now) == identifier
    with pytest.raises(VerificationError):
        verifier.verify(Delivery("e", headers, body + b"x"), now)


def test_bad_configuration_is_refused() -> None:
    for make in (lambda: GitHub(""), lambda: Stripe([]), lambda: StandardWebhooks("whsec_ä"), lambda: Slack(["a", ""])):
        with pytest.raises(ValueError, match="secret"):
            make()
    with pytest.raises(ValueError, match="name"):
        Webhook("a/b", GitHub("x"), lambda delivery: None)
