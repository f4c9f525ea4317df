"""Choosing targets: by hand, from points, shifts, lattices, polygons and maps."""
