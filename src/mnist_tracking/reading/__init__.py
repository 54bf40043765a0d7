"""Looking at what is recorded: trials, searches, comparisons, lineage, downloads. Never writes to the account."""
