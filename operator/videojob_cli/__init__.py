"""`videojob` and `kubectl videojob`: sits on top of both sides, and is the only code that sees both.

`main` reads the command line; `client` has the verbs submit, status and wait for other Python programs too; `transfer` moves
files through a short-lived pod made with the caller's own rights; `sources` finds local files that manifests mean; `init`
makes a namespace ready; `embedded` runs manifests without a cluster: the operator's own plan, another apply. It never
decides what a VideoJob does next, and never shows a trace for a fault that can be foreseen.
"""
