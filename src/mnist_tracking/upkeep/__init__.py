"""What deletes, and what diagnoses."""
