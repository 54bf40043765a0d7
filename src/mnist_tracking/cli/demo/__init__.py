"""``mnist-tracking demo``."""
