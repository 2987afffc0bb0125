"""The application that the end-to-end tests deploy to the local cloud."""
