"""Support for other libraries. Each module needs its library to be installed."""
