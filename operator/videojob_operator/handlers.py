"""Wiring: the only module that imports kopf. Handlers put a key into our queue and return; no `if` about video here."""
