"""Decisions about one VideoJob: `plan(observed)`, its phases and its policies, one policy a file."""
