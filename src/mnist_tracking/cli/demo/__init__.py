"""``mnist-tracking demo``: the whole reference workflow, on this machine, through the public classes."""
