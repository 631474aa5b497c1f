"""The only room that talks to the API server: observe, apply, progress, rights, metrics. It decides nothing."""
