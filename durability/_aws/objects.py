"""``PayloadStore`` on an S3 bucket."""

from __future__ import annotations

from typing import Any, Final

from durability._aws.callers import AwsError, Caller
from durability.exceptions import StoredPayloadError

_THERE_ALREADY: Final = frozenset({"PreconditionFailed", "412"})
_PAGE: Final = 1000
"""Objects that one request lists, and that one deletes; S3's maximum for both."""


class S3PayloadStore:
    """See ``PayloadStore``. Only those who have large payloads come here, so boto3 is loaded when one comes."""

    def __init__(self, caller: Caller, bucket: str) -> None:
        self._caller = caller
        self._bucket = bucket

    async def put(self, key: str, body: bytes) -> None:
        """See ``PayloadStore.put``."""
        try:
            await self._request("put_object", Key=key, Body=body, IfNoneMatch="*")
        except AwsError as error:
            if error.code not in _THERE_ALREADY:
                raise

    async def get(self, key: str) -> bytes:
        """See ``PayloadStore.get``."""
        try:
            answer = await self._request("get_object", Key=key)
        except AwsError as error:
            if error.code not in ("NoSuchKey", "404"):
                raise
            raise StoredPayloadError(
                f"the object {key!r} is missing in the bucket {self._bucket!r}: it was deleted, or belongs to another "
                "deployment"
            ) from error
        body: bytes = answer["Body"]
        return body

    async def delete(self, prefix: str) -> None:
        """See ``PayloadStore.delete``."""
        while True:
            found = await self._request("list_objects_v2", Prefix=prefix, MaxKeys=_PAGE)
            keys = [{"Key": entry["Key"]} for entry in found.get("Contents", ())]
            if not keys:
                return
            answer = await self._request("delete_objects", Delete={"Objects": keys, "Quiet": True})
            if answer.get("Errors"):
                first = answer["Errors"][0]
                raise AwsError(first.get("Code", ""), first.get("Message", ""), answer)

    async def _request(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return await self._caller.call("s3", operation, Bucket=self._bucket, **parameters)
