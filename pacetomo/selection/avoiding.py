"""placeholder."""


def kept_places(navigator, folder, item, places, avoid): ...
