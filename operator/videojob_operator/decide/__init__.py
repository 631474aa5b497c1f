"""The only place where the operator thinks: pure, total, deterministic.

Everything here is a function from frozen values to frozen values. No I/O, no clock (time is part of what was observed), no
chance (jitter comes from the UID), no Kubernetes client. `world` says what can be seen and what can be wanted, `job` decides
about one VideoJob, `queue` about all waiting ones at once, `report` writes status, `recipes` say which stages a kind of work
has.
"""
