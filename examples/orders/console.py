"""What the demo writes: headings, requests as curl commands, and checks that decide its exit code."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import httpx

BOLD, DIM, RED, GREEN = "1", "2", "31", "32"


class Console:
    """Prints a story with the seconds since it began, and remembers its checks. Colours on a terminal only."""

    def __init__(self) -> None:
        self.checks: dict[str, bool] = {}
        self._coloured = sys.stdout.isatty()
        self._began = time.monotonic()

    def heading(self, text: str) -> None:
        """Begin a part of the story."""
        print(
            f"\n{self._paint(f'[{time.monotonic() - self._began:4.1f} s]', DIM)} {self._paint(text, BOLD)}", flush=True
        )

    def say(self, text: str) -> None:
        """Print indented lines."""
        for line in text.splitlines():
            print(f"         {line}", flush=True)

    def check(self, claim: str, holds: bool) -> None:
        """Print whether a claim holds."""
        self.checks[claim] = holds
        self._print_check(claim)

    def summarise(self) -> bool:
        """Print all checks once more; whether every one of them held."""
        failed = sum(not holds for holds in self.checks.values())
        self.heading(
            f"{failed} of {len(self.checks)} checks failed" if failed else f"All {len(self.checks)} checks hold"
        )
        for claim in self.checks:
            self._print_check(claim)
        return not failed

    def request(self, http: httpx.Client, method: str, url: str, body: Any = None) -> httpx.Response:
        """Send a request, and print it as the curl command that does the same, with its answer."""
        command = "curl" if method == "GET" else f"curl -X {method}"
        if body is not None:
            command = f"curl --json '{json.dumps(body)}'"
        self.say(self._paint(f"$ {command} '{http.base_url.join(url)}'", DIM))
        response = http.request(method, url, json=body)
        self.say(f"{response.status_code} {response.text[:500]}".rstrip())
        return response

    def _print_check(self, claim: str) -> None:
        mark = self._paint("✓", GREEN) if self.checks[claim] else self._paint("✗ FAILED", RED)
        print(f"         {mark} {claim}", flush=True)

    def _paint(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._coloured else text
