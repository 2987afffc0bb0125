"""The light guard: what does not replay is refused while workflow code runs, without a sandbox's second import.

``names`` says what is refused, ``patches`` puts refusals in its place for the length of an activation, ``guard``
decides whether a call is one of workflow code, ``restrictions`` is how users change what is refused.
"""
