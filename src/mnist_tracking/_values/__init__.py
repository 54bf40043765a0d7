"""Values, and what can be done with them without AWS: records, specs, filters, checks, text, names and files."""
