"""The three ways background work can fail, and nothing of a message's content in any of them."""


class CareConcernsError(Exception):
    """The root of our own errors; the text names its subject by id, never by content."""


class TryAgainLater(CareConcernsError):
    """Something outside is away for now: retry with back-off, and not before `seconds` have passed."""

    seconds: float = 0.0


class CannotRead(CareConcernsError):
    """This message cannot be read: set it aside in plain sight; `reason` is safe to show and log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BadInput(CareConcernsError):
    """What a person gave us cannot be used; the text tells them what to do about it."""
