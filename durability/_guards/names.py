"""What workflow code may not use, and what to use instead.

The selection follows ``worker/workflow_sandbox/_restrictions.py`` of Temporal's Python SDK 1.35. Functions of the
standard library that end in one of the functions below (``pathlib.Path.read_text``, ``tempfile.mkstemp``,
``secrets.token_hex``, ``subprocess.run``) need no entry: the call is refused where it would leave the process.
"""

from __future__ import annotations

from typing import Final

FUNCTIONS: Final[dict[str, tuple[str, ...]]] = {
    "builtins": ("breakpoint", "input", "open"),
    "io": ("open",),
    "os": (
        *("access", "chdir", "chmod", "chown", "cpu_count", "execv", "execve", "fork", "getcwd", "getcwdb"),
        *("getloadavg", "getlogin", "getpid", "getppid", "getrandom", "kill", "link", "listdir", "lstat", "mkdir"),
        *("open", "pipe", "posix_spawn", "posix_spawnp", "read", "readlink", "remove", "rename", "replace", "rmdir"),
        *("scandir", "stat", "symlink", "system", "times", "truncate", "umask", "uname", "unlink", "urandom", "utime"),
        *("wait", "waitpid", "write"),
    ),
    "random": (
        *("betavariate", "binomialvariate", "choice", "choices", "expovariate", "gammavariate", "gauss"),
        *("getrandbits", "getstate", "lognormvariate", "normalvariate", "paretovariate", "randbytes", "randint"),
        *("random", "randrange", "sample", "seed", "setstate", "shuffle", "triangular", "uniform"),
        *("vonmisesvariate", "weibullvariate"),
        "_urandom",  # what SystemRandom and with it the module secrets reads
    ),
    "socket": (
        *("create_connection", "create_server", "fromfd", "getaddrinfo", "getfqdn", "gethostbyaddr", "gethostbyname"),
        *("gethostbyname_ex", "gethostname", "getnameinfo", "socketpair"),
    ),
    "subprocess": ("_fork_exec",),
    "threading": ("_start_joinable_thread", "_start_new_thread", "current_thread"),
    "time": (
        *("get_clock_info", "localtime", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
        *("process_time", "process_time_ns", "sleep", "thread_time", "thread_time_ns", "time", "time_ns", "tzset"),
    ),
    "uuid": ("uuid1", "uuid4", "uuid6", "uuid7"),
}
"""Functions by module; those that a Python version does not have are passed over."""

METHODS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "datetime": {"date": ("today",), "datetime": ("now", "utcnow")},
    "os": {"_Environ": ("__delitem__", "__getitem__", "__iter__", "__setitem__")},
}
"""Methods by module and class."""

DISPLAYED: Final = {
    "builtins.breakpoint": "__builtins__.breakpoint",
    "builtins.input": "__builtins__.input",
    "builtins.open": "__builtins__.open",
    "io.open": "__builtins__.open",
    "os._Environ.__delitem__": "os.environ",
    "os._Environ.__getitem__": "os.environ",
    "os._Environ.__iter__": "os.environ",
    "os._Environ.__setitem__": "os.environ",
    "random._urandom": "random.SystemRandom",
    "subprocess._fork_exec": "subprocess.Popen",
    "threading._start_joinable_thread": "threading.Thread",
    "threading._start_new_thread": "threading.Thread",
}
"""What is public about the functions above that are not."""

WARNED: Final = {"as_completed", "wait"}
"""Functions of asyncio that go through sets, with deterministic forms in ``durability.workflow``."""

OBSERVERS: Final = frozenset(
    (
        *("bdb", "cProfile", "faulthandler", "importlib", "inspect", "linecache", "logging", "pdb", "profile"),
        *("traceback", "tracemalloc", "unittest", "warnings"),
        *("_pydev_bundle", "_pydevd_bundle", "_pytest", "coverage", "ddtrace", "debugpy", "loguru", "opentelemetry"),
        *("aws_lambda_powertools", "aws_xray_sdk", "pydevd", "pytest", "sentry_sdk", "structlog"),
    )
)
"""Modules that look at code without giving it anything: they may read clocks and files in the middle of a workflow."""

PASSED_THROUGH: Final = frozenset(
    (
        "annotated_types",
        "attr",
        "attrs",
        "google",
        "msgspec",
        "nexusrpc",
        "pydantic",
        "pydantic_core",
        "typing_extensions",
    )
)
"""Libraries that are known to be deterministic where it counts."""

_ACTIVITY: Final = "do it in an activity"
_REMEDIES: Final = {
    "__builtins__.breakpoint": "pass debug_mode=True to the worker",
    "asyncio.as_completed": "use workflow.as_completed()",
    "asyncio.wait": "use workflow.wait()",
    "datetime": "use workflow.now()",
    "os.environ": "pass configuration as an argument, or read it in an activity",
    "os.getenv": "pass configuration as an argument, or read it in an activity",
    "os.urandom": "use workflow.random(), or an activity for secrets",
    "random": "use workflow.random()",
    "secrets": "use workflow.random() or workflow.uuid4(), or an activity for secrets",
    "threading": "use asyncio.create_task() for concurrency, an activity for threads",
    "time.localtime": "use workflow.now()",
    "time.sleep": "use await workflow.sleep()",
    "time.time": "use workflow.time()",
    "time.time_ns": "use workflow.time_ns()",
    "time": "use workflow.time()",
    "uuid.uuid7": "use workflow.uuid7()",
    "uuid": "use workflow.uuid4()",
}


def remedy(name: str) -> str:
    """What to do instead of using ``name``, a dotted path."""
    while name:
        if name in _REMEDIES:
            return _REMEDIES[name]
        name = name.rpartition(".")[0]
    return _ACTIVITY
