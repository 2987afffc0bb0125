"""Integrations with AWS."""
