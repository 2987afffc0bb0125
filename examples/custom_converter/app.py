"""The application: its data converter and that of its clients are the same."""

from durability import Application
from examples.custom_converter.shelving import example

app = Application(workflows=example.workflows, activities=example.activities, data_converter=example.data_converter)
