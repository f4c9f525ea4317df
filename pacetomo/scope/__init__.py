"""The microscope as the library sees it, and its SerialEM implementation."""
