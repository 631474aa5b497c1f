"""Writes everything that is generated from the contract; `--check` says what would change and exits 1."""
