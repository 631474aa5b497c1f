"""FFmpeg's language: probe, argv, filters, progress lines. Pure but for running what it built through base.process."""
