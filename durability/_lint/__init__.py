"""``durability lint``: what would not replay, found in the source, without running it."""
