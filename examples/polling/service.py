"""What is polled: another library, which has a book back some time after it was asked for.

It stands for a service over HTTP. So that the examples need none, it is told how often it has been asked before.
"""

ASKED_IN_VAIN = 3


class NotThereYetError(Exception):
    """The book is still lent to somebody else."""


def ask_for(title: str, asked_before: int) -> str:
    """Ask for a book.

    Raises:
        NotThereYetError: Ask again later.
    """
    if asked_before < ASKED_IN_VAIN:
        raise NotThereYetError(title)
    return f"{title} has arrived, after it was asked for {asked_before + 1} times"
