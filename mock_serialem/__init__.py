"""A simulated transmission electron microscope with the face of SerialEM."""
