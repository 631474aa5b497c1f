"""Where bytes live. Paths are vetted here: no symlinks, no way out of the folders a container was given."""
