"""Machinery of any operator: keyed queue, cache, resync, lease, HTTP servers, budgets, logs.

It has never heard of video, of kopf or of a Kubernetes client. What it needs to do in the world is handed in as functions,
and so is the clock: every test of this room runs without sleeping. It decides nothing about the objects it carries.
"""
