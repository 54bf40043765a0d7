"""Everything that knows about handwritten digits."""
