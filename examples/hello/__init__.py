"""The smallest complete application."""
