"""Machinery of any operator: keyed queue, cache, resync, lease, HTTP server. It has never heard of video or Kubernetes
clients; what it needs to do is handed in as functions.
"""
