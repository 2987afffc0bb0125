"""On which version of the code a workflow runs."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from enum import IntEnum


class VersioningBehavior(IntEnum):
    """Whether an open workflow moves to a new version of the code."""

    UNSPECIFIED = 0
    PINNED = 1
    """It stays on the version that it began with."""
    AUTO_UPGRADE = 2
    """Its next task runs on the newest version."""


@dataclass(frozen=True)
class WorkerDeploymentVersion:
    """One version of one deployment.

    Attributes:
        deployment_name: Name of the deployment; has no ``.`` in it.
        build_id: Id of the build.
    """

    deployment_name: str
    build_id: str

    def to_canonical_string(self) -> str:
        """The version as ``<deployment_name>.<build_id>``."""
        return f"{self.deployment_name}.{self.build_id}"

    @staticmethod
    def from_canonical_string(canonical: str) -> WorkerDeploymentVersion:
        """Parse ``<deployment_name>.<build_id>``.

        Raises:
            ValueError: There is no ``.`` in the text.
        """
        name, dot, build_id = canonical.partition(".")
        if not dot:
            raise ValueError(
                f"Cannot parse version string: {canonical}, must be in format <deployment_name>.<build_id>"
            )
        return WorkerDeploymentVersion(name, build_id)


class VersioningOverride(ABC):  # noqa: B024 - a closed set of alternatives, with nothing to call
    """What replaces the versioning behavior of one workflow execution."""


@dataclass(frozen=True)
class PinnedVersioningOverride(VersioningOverride):
    """The execution stays on one version.

    Attributes:
        version: The version.
    """

    version: WorkerDeploymentVersion


@dataclass(frozen=True)
class AutoUpgradeVersioningOverride(VersioningOverride):
    """The execution's next task runs on the newest version."""


@dataclass(frozen=True)
class OneTimeVersioningOverride(VersioningOverride):
    """The execution's tasks run on a version until one of them has completed there.

    Attributes:
        target_version: The version.
    """

    target_version: WorkerDeploymentVersion
