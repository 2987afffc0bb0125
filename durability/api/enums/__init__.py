"""Enumerations of Temporal's API."""
