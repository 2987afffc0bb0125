"""The application of a local cloud whose functions serve nothing: all is left to workers."""

from durability.application import Application

app = Application()
