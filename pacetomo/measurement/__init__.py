"""Measuring the stage and the sample by autofocus, beside any acquisition: tilt axis offset, pretilt, rotation."""
