"""The application. Its functions need Pydantic: ``pip install durability-serverless[pydantic]``."""

from durability import Application
from examples.pydantic_models.lending import example

app = Application(workflows=example.workflows, activities=example.activities, data_converter=example.data_converter)
