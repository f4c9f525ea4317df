"""Choosing targets: what can be thought out without a microscope, and the session that asks for the rest."""
