"""A function that does nothing: what the runtime client itself costs."""


def handler(event: object, context: object) -> None:
    return None
