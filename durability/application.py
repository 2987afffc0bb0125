"""An application: the user's workflows and activities, and the handlers of its Lambda functions."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from durability.common import HeaderCodecBehavior
from durability.converter import DataConverter
from durability.exceptions import ConfigurationError

if TYPE_CHECKING:
    from durability._core.interceptors import WorkflowInboundInterceptor
    from durability._runtime.engine import Engine
    from durability._runtime.frontend import Frontend
    from durability._runtime.registry import WorkflowRegistry
    from durability._runtime.settings import Settings
    from durability.activity._runner import ActivityRunner
    from durability.client import Client
    from durability.webhooks import Webhook
    from durability.worker import Interceptor

__all__ = ["Application", "load_application"]

APPLICATION_VARIABLE: Final = "DURABILITY_APPLICATION"

LambdaHandler = Callable[[Any, Any], Any]


class Application:
    """Takes workflows and activities and gives the handlers of the Lambda functions.

    A user's whole application is modules of plain workflow and activity code, and one short file that makes this
    object::

        app = Application(workflows=[OrderWorkflow], activities=[reserve, charge])

    The functions of ``template.yaml`` find it through the environment variable ``DURABILITY_APPLICATION``.

    Attributes:
        workflows: The workflow classes.
        activities: The activities.
        webhooks: Endpoints for the webhooks of providers.
        data_converter: Converts values to payloads and back.
    """

    def __init__(
        self,
        *,
        workflows: Iterable[type] = (),
        activities: Iterable[Callable[..., Any]] = (),
        webhooks: Iterable[Webhook] = (),
        data_converter: DataConverter = DataConverter.default,
        interceptors: Sequence[Interceptor] = (),
        workflow_failure_exception_types: Sequence[type[BaseException]] = (),
        activity_executor: Executor | None = None,
        build_id: str = "",
        deadlock_detection: bool = True,
        header_codec_behavior: HeaderCodecBehavior = HeaderCodecBehavior.NO_CODEC,
        guarded: bool = True,
        settings: Settings | None = None,
    ) -> None:
        """Create the application.

        Args:
            workflows: Classes decorated with ``workflow.defn``.
            activities: Functions, methods or objects decorated with ``activity.defn``.
            webhooks: Endpoints for the webhooks of providers.
            data_converter: Converts values to payloads and back.
            interceptors: Intercept workflows and activities, outermost first, as those of ``durability.worker.Worker``
                do. One that is a ``durability.client.Interceptor`` as well intercepts ``activity.client()`` too.
            workflow_failure_exception_types: Exceptions that fail a workflow instead of its workflow task.
            activity_executor: Runs activities that are not ``async def``; a thread pool by default.
            build_id: Recorded with every workflow task; the function's version by default.
            deadlock_detection: Whether workflow code that does not yield within two seconds fails its workflow task.
            header_codec_behavior: Whether headers go through the data converter's codec; the clients' own must be
                the same.
            guarded: Whether workflow code that uses what does not replay (clocks, random numbers, files, the network)
                fails its workflow task.
            settings: Of the protocol.

        Raises:
            ValueError: Something is not decorated, or two things have the same name.
        """
        self.workflows = list(workflows)
        self.activities = list(activities)
        self.webhooks = list(webhooks)
        self.data_converter = data_converter
        self._interceptors = interceptors
        self._failure_exception_types = workflow_failure_exception_types
        self._activity_executor = activity_executor
        self._build_id = build_id or os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "")
        self._deadlock_detection = deadlock_detection
        self._header_codec_behavior = header_codec_behavior
        self._guarded = guarded
        self._settings = settings

    @cached_property
    def registry(self) -> WorkflowRegistry:
        """The workflows by name."""
        from durability._core.activities import LOCAL_ACTIVITY_CHECK
        from durability._core.deadlock import DeadlockDetector
        from durability._runtime.registry import WorkflowRegistry

        chain: list[type[WorkflowInboundInterceptor]] = []
        extern_functions: dict[str, Callable[..., Any]] = {}
        if self._interceptors:
            from durability.worker._interceptor import workflow_interceptors

            chain, extern_functions = workflow_interceptors(self._interceptors)
        extern_functions[LOCAL_ACTIVITY_CHECK] = lambda activity_type: self.runner.check_registered(activity_type)
        return WorkflowRegistry(
            self.workflows,
            data_converter=self.data_converter,
            interceptors=chain,
            extern_functions=extern_functions,
            failure_exception_types=self._failure_exception_types,
            deadlock_detector=DeadlockDetector() if self._deadlock_detection else None,
            header_codec=self._header_codec_behavior != HeaderCodecBehavior.NO_CODEC,
            guarded=self._guarded,
        )

    @cached_property
    def runner(self) -> ActivityRunner:
        """The activities by name, the engine's own included."""
        return self._make_runner(lambda: self._client)

    def _make_runner(self, client: Callable[[], Client], *interceptors: Interceptor) -> ActivityRunner:
        """A runner whose activities get this client, with interceptors besides the application's."""
        from durability.activity._runner import ActivityRunner
        from durability.callbacks import built_in_activities

        return ActivityRunner(
            [*self.activities, *built_in_activities()],
            data_converter=self.data_converter,
            interceptors=[*self._interceptors, *interceptors],
            executor=self._activity_executor,
            header_codec=self._header_codec_behavior == HeaderCodecBehavior.CODEC,
            client=client,
        )

    # --- handlers of the Lambda functions ---------------------------------------------------------------------------

    @cached_property
    def workflow_handler(self) -> LambdaHandler:
        """Runs workflow tasks from the workflow queue, and answers queries."""
        from durability._aws.handlers import workflow_handler

        _ = self.registry, self.runner  # a mistake in the registration must fail the deployment, not a task
        return workflow_handler(self._engine, self._run)

    @cached_property
    def activity_handler(self) -> LambdaHandler:
        """Runs attempts of activities from the activity queue."""
        from durability._aws.handlers import activity_handler

        _ = self.runner  # as above
        return activity_handler(self._engine, self._run)

    @cached_property
    def reconciler_handler(self) -> LambdaHandler:
        """Wakes runs that nobody has looked at in time."""
        from durability._aws.handlers import reconciler_handler

        return reconciler_handler(self._engine, self._run)

    @cached_property
    def http_handler(self) -> LambdaHandler:
        """Serves the HTTP API."""
        from durability._http.handler import http_handler

        return http_handler(self)

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.new_event_loop()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        # One loop for the life of the process: connections and held runs belong to it. Nothing runs between
        # invocations.
        return self._loop.run_until_complete(work)

    @cached_property
    def _engine(self) -> Engine:
        from durability._aws.connect import Deployment, aws_ports, milliseconds
        from durability._aws.metrics import count
        from durability._aws.signed import fast_caller
        from durability._runtime.engine import Engine
        from durability._runtime.settings import Settings

        deployment = Deployment.from_environment()
        ports = aws_ports(fast_caller(), deployment)
        return Engine(
            namespace=deployment.namespace,
            store=ports.store,
            queue=ports.queue,
            routes=ports.task_queues,
            timers=ports.timers,
            invoker=ports.invoker,
            factory=self.registry.create,
            runner=self.runner,
            clock=milliseconds,
            to_failure=self.registry.to_failure,
            payload_store=ports.payloads,
            payload_options=self.registry.payload_options,
            count=count,
            settings=_with_retention(self._settings or Settings()),
            build=self._build_id,
            identity=f"{os.environ.get('AWS_LAMBDA_FUNCTION_NAME', 'process')}/{os.getpid()}",
        )

    @cached_property
    def _client(self) -> Client:
        """What activities get from ``activity.client()``: it uses the function's own connections."""
        from durability._runtime.gateway import Gateway

        engine = self._engine
        gateway = Gateway(engine.namespace, engine.store, engine.queue, engine.invoker, engine.clock)
        return self._make_client(gateway, engine.namespace)

    def _make_client(self, frontend: Frontend, namespace: str) -> Client:
        """A client with the application's data converter and interceptors."""
        from durability.client import Client
        from durability.client import Interceptor as ClientInterceptor

        return Client(
            frontend,
            namespace=namespace,
            data_converter=self.data_converter,
            interceptors=[one for one in self._interceptors if isinstance(one, ClientInterceptor)],
        )


def _with_retention(settings: Settings) -> Settings:
    """Settings with the template's retention, if they have none of their own."""
    days = int(os.environ.get("DURABILITY_RETENTION_DAYS") or 0)
    return settings if settings.retention or not days else replace(settings, retention=days * 86_400_000)


def load_application() -> Application:
    """The application that ``DURABILITY_APPLICATION`` names, as ``module:attribute``.

    Raises:
        ConfigurationError: The variable is not set, or does not lead to an ``Application``.
    """
    path = os.environ.get(APPLICATION_VARIABLE, "")
    module_name, separator, attribute = path.partition(":")
    if not separator or not module_name or not attribute:
        raise ConfigurationError(
            f"{APPLICATION_VARIABLE} must be module:attribute, such as orders.app:app; it is {path!r}"
        )
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise ConfigurationError(
                f"{APPLICATION_VARIABLE} is {path!r}: there is no module {error.name!r}"
            ) from error
        raise
    application = getattr(module, attribute, None)
    if not isinstance(application, Application):
        raise ConfigurationError(f"{APPLICATION_VARIABLE} is {path!r}: that is {application!r}, not an Application")
    return application
