"""The runtime: the protocol that carries a run from one workflow task to the next."""
