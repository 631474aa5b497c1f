"""The worker: runs the stages of one task document inside one container, and knows no Kubernetes.

`runner` stages, runs, records and reports; `stages` holds one module per kind; `media` speaks FFmpeg's language; `storage`
knows where bytes live; `base` has errors and the only way to start a process.
"""
