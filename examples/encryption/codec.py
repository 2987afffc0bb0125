"""A payload codec that encrypts, and the keys that it takes.

Every payload says which key it was encrypted with. So a key is changed by adding a new one and making it the current
one; old keys stay until no history needs them any more.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from durability.api.common.v1 import Payload
from durability.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes, PayloadCodec

ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"
NONCE_SIZE = 12
"""Bytes; what NIST SP 800-38D recommends for GCM."""


@dataclass(frozen=True)
class KeyRing:
    """Keys by id, and the one that new payloads are encrypted with."""

    keys: Mapping[str, bytes]
    current: str

    def __post_init__(self) -> None:
        if self.current not in self.keys:
            raise ValueError(f"the current key {self.current!r} is not among the keys")

    @classmethod
    def from_environment(cls, variable: str = "PAYROLL_KEYS") -> KeyRing:
        """Read keys from JSON such as ``{"current": "2026-02", "keys": {"2026-02": "<32 bytes in base64>"}}``."""
        stored = json.loads(os.environ[variable])
        return cls({name: base64.b64decode(key) for name, key in stored["keys"].items()}, stored["current"])

    @classmethod
    def generate(cls, name: str) -> KeyRing:
        """A ring with one new key."""
        return cls({name: AESGCM.generate_key(256)}, name)

    def to_json(self) -> str:
        """The form in which the environment holds them."""
        keys = {name: base64.b64encode(key).decode() for name, key in self.keys.items()}
        return json.dumps({"current": self.current, "keys": keys})

    def rotated(self, name: str) -> KeyRing:
        """The same keys with a new one, which becomes the current one."""
        return KeyRing({**self.keys, name: AESGCM.generate_key(256)}, name)


class EncryptionCodec(PayloadCodec):
    """Encrypts whole payloads, metadata included, so that not even the type of a value shows."""

    def __init__(self, ring: KeyRing) -> None:
        self._current = ring.current
        self._ciphers = {name: AESGCM(key) for name, key in ring.keys.items()}

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._encrypt(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._decrypt(payload) for payload in payloads]

    def _encrypt(self, payload: Payload) -> Payload:
        nonce, name = os.urandom(NONCE_SIZE), self._current.encode()
        sealed = self._ciphers[self._current].encrypt(nonce, payload.SerializeToString(), name)
        return Payload(metadata={"encoding": ENCODING, KEY_ID: name}, data=nonce + sealed)

    def _decrypt(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload  # written before there was encryption
        name = payload.metadata[KEY_ID]
        cipher = self._ciphers.get(name.decode())
        if cipher is None:
            raise KeyError(f"a payload is encrypted with the key {name.decode()!r}, which is not on the ring")
        nonce, sealed = payload.data[:NONCE_SIZE], payload.data[NONCE_SIZE:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, sealed, name))
        except InvalidTag:
            raise ValueError(f"a payload does not fit the key {name.decode()!r}: it was changed") from None


def encrypting_converter(ring: KeyRing) -> DataConverter:
    """Encrypts payloads, and messages and stack traces of failures as well."""
    return DataConverter(
        payload_codec=EncryptionCodec(ring), failure_converter_class=DefaultFailureConverterWithEncodedAttributes
    )
