"""Models behind endpoints."""
