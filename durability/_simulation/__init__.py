"""A deployment in virtual time, on twins of the services, in which processes die and services misbehave."""
