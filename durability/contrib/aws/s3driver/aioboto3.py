"""The driver's client on aioboto3."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from durability.contrib.aws.s3driver._client import S3StorageDriverClient

__all__ = ["new_aioboto3_client"]


class _Aioboto3Client(S3StorageDriverClient):
    def __init__(self, client: Any) -> None:
        self._client = client

    def describe(self) -> Mapping[str, str]:
        region = self._client.meta.region_name
        return {"client_region": region} if region else {}

    async def object_exists(self, *, bucket: str, key: str) -> bool:
        try:
            await self._client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "404":
                return False
            raise
        return True

    async def put_object(self, *, bucket: str, key: str, data: bytes) -> None:
        await self._client.upload_fileobj(io.BytesIO(data), bucket, key)

    async def get_object(self, *, bucket: str, key: str) -> bytes:
        answer = await self._client.get_object(Bucket=bucket, Key=key)
        body: bytes = await answer["Body"].read()
        return body


def new_aioboto3_client(client: Any) -> S3StorageDriverClient:
    """Make a client of the driver.

    Args:
        client: S3 client of ``aioboto3.Session``. It needs ``s3:ListBucket`` besides ``s3:GetObject`` and
            ``s3:PutObject``, or S3 says "forbidden" of objects that are not there.
    """
    return _Aioboto3Client(client)
