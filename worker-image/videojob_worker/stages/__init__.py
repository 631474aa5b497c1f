"""One module per stage kind, of the same name as its row in videojob_api.stages; each has `run(context) -> StageResult`."""
