"""The in-memory twin of the ports: the same semantics, no network, a clock that can be moved."""
