"""The command `durability dev`: the local cloud in a terminal, with logs and reload."""

from __future__ import annotations

import argparse
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO
from urllib.parse import urlsplit

from durability._local.discovery import DEFAULT_PORT

if TYPE_CHECKING:
    from durability._local.cloud import LocalCloud

_LOG_INTERVAL = 0.2
# What the service writes around every invocation, of which there are many.
_SERVICE_LINE = re.compile(r"^(START|END|REPORT) RequestId: ")


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `dev` to the command line.

    Args:
        commands: sub-commands of the command line.
    """
    parser = commands.add_parser(
        "dev",
        help="run the application on this machine",
        description="Run a SAM template on this machine: moto for the data services, real processes for the functions. "
        "State is in memory and gone at the end. Ctrl-C ends everything.",
    )
    parser.add_argument(
        "--template",
        metavar="FILE",
        help="SAM template (default: template.yaml, or the project's own if there is none)",
    )
    parser.add_argument(
        "--workers",
        action="store_true",
        help="serve no application: everything is left to workers in other processes, as with Temporal's server; "
        "goes without saying where there is no template.yaml and no Application",
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="template parameter; may be given several times",
    )
    parser.add_argument(
        "--variable",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="environment variable of every function; may be given several times",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        help="port at which clients find it, that of the HTTP API; 0 for a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--env-file", metavar="FILE", help="write the variables for workers and clients in other processes to a file"
    )
    parser.add_argument("--stack-name", default="local", metavar="NAME", help="stack name (default: %(default)s)")
    parser.add_argument(
        "--no-freeze", action="store_true", help="do not stop processes between invocations, for debuggers"
    )
    parser.add_argument("--no-reload", action="store_true", help="do not watch the code")
    parser.add_argument(
        "--aws-redelivery",
        action="store_true",
        help="bring messages of failed invocations back after the queue's visibility timeout, as in AWS, not after 1 s",
    )
    parser.add_argument("--verbose", action="store_true", help="show START, END and REPORT lines too")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM.

    Args:
        arguments: parsed command line.

    Returns:
        Exit status.
    """
    from durability._local.cloud import LocalCloud
    from durability._local.identity import REGION
    from durability._local.template import TemplateError
    from durability._local.workers_only import PARAMETERS, find_template

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        parameters = _named_values("--parameter", arguments.parameter)
        template = Path(arguments.template) if arguments.template else find_template()
        elsewhere = template.parent != Path.cwd() and not arguments.template
        if arguments.workers or (elsewhere and "Application" not in parameters):
            parameters = {**PARAMETERS, **parameters}
        cloud = LocalCloud(
            template,
            parameters=parameters,
            import_from=Path.cwd() if elsewhere else None,
            variables=_named_values("--variable", arguments.variable),
            stack_name=arguments.stack_name,
            http_port=arguments.port,
            freeze=not arguments.no_freeze,
            crash_redelivery_delay=None if arguments.aws_redelivery else 1.0,
        ).start()
    except (TemplateError, OSError, ImportError) as error:
        print(f"durability dev: {error}", file=sys.stderr)
        return 1
    try:
        # Requests to the HTTP API are signed for the region, as those to API Gateway are.
        variables = cloud.shared_variables | cloud.environment | {"DURABILITY_HTTP_SIGNING_REGION": REGION}
        cloud.announce(variables)
        if arguments.env_file:
            Path(arguments.env_file).write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
        _describe(cloud, variables)
        logs = threading.Thread(target=_stream_logs, args=(cloud, ended, arguments.verbose), daemon=True)
        logs.start()
        if not arguments.no_reload:
            threading.Thread(target=_reload_on_save, args=(cloud, ended), daemon=True).start()
        ended.wait()
        logs.join()
    finally:
        cloud.stop()
    return 0


def _named_values(option: str, texts: list[str]) -> Mapping[str, str]:
    from durability._local.template import TemplateError

    values = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise TemplateError(option, f"{text!r} is not NAME=VALUE.")
        values[name] = value
    return values


def _describe(cloud: LocalCloud, variables: Mapping[str, str]) -> None:
    print("Ready. Ctrl-C ends it; nothing is kept.\n")
    print(f"  Clients and workers on this machine: Client.connect({urlsplit(cloud.http_url).netloc!r})\n")
    for name, value in sorted(cloud.outputs.items()):
        print(f"  {name:<28} {value}")
    print("\nFor other AWS libraries in another terminal (--env-file writes them to a file):\n")
    for name, value in sorted(variables.items()):
        print(f"  export {name}={value}")
    print(flush=True)


def _stream_logs(cloud: LocalCloud, ended: threading.Event, verbose: bool) -> None:
    """Copy what functions log to the terminal until the end, the last lines included."""
    files = {
        name: function.log.path.open(encoding="utf-8", errors="replace") for name, function in cloud.functions.items()
    }
    partial = dict.fromkeys(files, "")
    last = False
    while not last:
        last = ended.wait(_LOG_INTERVAL)
        for name, file in files.items():
            for line in _new_lines(file, partial, name):
                if verbose or not _SERVICE_LINE.match(line):
                    print(f"{name} | {line}", flush=True)
    for file in files.values():
        file.close()


def _new_lines(file: TextIO, partial: dict[str, str], name: str) -> Iterator[str]:
    *lines, partial[name] = (partial[name] + file.read()).split("\n")
    yield from (line for line in lines if line)


def _reload_on_save(cloud: LocalCloud, ended: threading.Event) -> None:
    from watchfiles import PythonFilter, watch

    roots: set[Path] = {function.spec.code for function in cloud.functions.values()}
    for changes in watch(*roots, watch_filter=PythonFilter(), stop_event=ended, raise_interrupt=False):
        names = sorted({Path(path).name for _, path in changes})
        print(f"reload: {', '.join(names)}", flush=True)
        cloud.reload()
