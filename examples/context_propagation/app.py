"""The application: its interceptors are those of its clients."""

from durability import Application
from examples.context_propagation.interceptor import LanguageInterceptor
from examples.context_propagation.notices import example

app = Application(workflows=example.workflows, activities=example.activities, interceptors=[LanguageInterceptor()])
