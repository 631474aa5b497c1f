"""Actions become manifests: pure functions from frozen values to plain dictionaries, held by golden files."""
