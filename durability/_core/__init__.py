"""The pure core: history in, commands out. No I/O, no clock, no randomness, no AWS library."""
