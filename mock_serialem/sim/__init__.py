"""The physics: clock, stage, optics, specimen and camera; nothing here knows SerialEM or pacetomo."""
