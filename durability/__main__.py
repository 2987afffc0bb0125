"""`python -m durability`: the command line."""

from __future__ import annotations

from durability._cli import main

if __name__ == "__main__":
    main()
