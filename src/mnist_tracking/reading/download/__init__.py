"""Downloads: trials and experiments as files that other tools can read."""
