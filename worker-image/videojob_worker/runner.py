"""Runs the stages of one container: stage by stage, into a staging folder, with limits; result and manifest last."""
