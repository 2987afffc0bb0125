"""Payloads that nobody reads without the key: AES-GCM in a payload codec, with keys that can be changed."""
