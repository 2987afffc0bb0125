"""The project's own stack with nothing for its functions to do: work is left to workers, as with Temporal's server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

NOTHING: Final = "durability.testing._empty:app"
PARAMETERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Application": NOTHING,
        # The functions serve one task queue that no worker may have; this name leaves `default` to workers.
        "TaskQueue": "functions",
        "OtherTaskQueues": "WORKERS",
        "HttpAuthorization": "NONE",
    }
)
"""Parameters of the template under which tasks of any task queue wait for a worker."""
_PACKAGE: Final = Path(__file__).parents[1]


def find_template() -> Path:
    """The template in the working directory, or the project's own, which is in the wheel, or beside the package.

    Raises:
        FileNotFoundError: There is neither.
    """
    for folder in (Path.cwd(), _PACKAGE / "_stack", _PACKAGE.parent):
        if (folder / "template.yaml").is_file():
            return folder / "template.yaml"
    raise FileNotFoundError("there is no template.yaml in the working directory, and none was installed: name one")
