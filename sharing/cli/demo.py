"""stub"""


def demo() -> None:
    """X"""
