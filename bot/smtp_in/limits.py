"""How many bytes all mail sessions may hold together: beyond that mail is refused for now, so that none is lost."""

from __future__ import annotations


class BytesInFlight:
    """The bytes of messages that are being read or stored, over all sessions; for use in one event loop."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0

    def has_room_for(self, size: int) -> bool:
        """Whether so many bytes more could be held now."""
        return self.held + size <= self._most

    def hold(self) -> Hold:
        """The account of one message, empty at first."""
        return Hold(self)


class Hold:
    """What one message takes of the bytes in flight."""

    def __init__(self, in_flight: BytesInFlight) -> None:
        self._in_flight = in_flight
        self._size = 0

    def grow(self, size: int) -> bool:
        """Take so many bytes more; False, and nothing taken, when there is no room for them."""
        if not self._in_flight.has_room_for(size):
            return False
        self._in_flight.held += size
        self._size += size
        return True

    def release(self) -> None:
        """Give everything back; a second time does nothing."""
        self._in_flight.held -= self._size
        self._size = 0
