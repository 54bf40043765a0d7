"""Endpoints: a supervisor process for each, whose child serves the user's handlers on loopback."""
