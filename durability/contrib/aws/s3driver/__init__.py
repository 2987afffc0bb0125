"""An external storage for payloads on Amazon S3, for buckets of an application's own.

The engine keeps payloads that are too large for its table in the deployment's bucket by itself; this driver is for
those who want payloads elsewhere, or out of the engine's reach altogether.
"""

from durability.contrib.aws.s3driver._client import S3StorageDriverClient
from durability.contrib.aws.s3driver._driver import S3StorageDriver

__all__ = ["S3StorageDriver", "S3StorageDriverClient"]
