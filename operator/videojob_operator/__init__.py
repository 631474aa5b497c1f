"""The operator: observe, decide, render, apply.

`handlers` wires kopf's watch streams to `runtime`'s queue; `cluster` talks to the API server; `render` turns actions into
manifests; `decide` thinks. Arrows point downwards and to the contract (videojob_api); the operator never touches media
bytes and never reads Secrets.
"""
