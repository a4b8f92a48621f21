"""How a message travels between the child that reads it and the process that asked.

The child has read a stranger's bytes, so its answer is taken as data (JSON and blobs), never
unpickled: a child that was taken over must not be able to run anything in its parent.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from triage.vocabulary import Address, Attachment, Channel, DeliveryReport, FileSign, Message

LENGTHS = struct.Struct(">II")
MOST_FRAME_BYTES = 1024 * 1024 * 1024


class Broken(Exception):
    """The other side went away or sent nonsense."""


def send_frame(connection: socket.socket, head: Mapping[str, Any], blob: bytes = b"") -> None:
    """Send one frame: a JSON object and some bytes."""
    encoded = json.dumps(head).encode()
    connection.sendall(LENGTHS.pack(len(encoded), len(blob)) + encoded)
    if blob:
        connection.sendall(blob)


def receive_frame(connection: socket.socket, seconds: float | None = None) -> tuple[dict[str, Any], bytes]:
    """Receive one frame; Broken at the end of the connection, TimeoutError after `seconds` in all."""
    deadline = None if seconds is None else time.monotonic() + seconds
    head_bytes, blob_bytes = LENGTHS.unpack(_receive(connection, LENGTHS.size, deadline))
    if head_bytes + blob_bytes > MOST_FRAME_BYTES:
        raise Broken("a frame is too large")
    try:
        head = json.loads(_receive(connection, head_bytes, deadline))
    except ValueError:
        raise Broken("a frame is no JSON") from None
    if not isinstance(head, dict):
        raise Broken("a frame is no object")
    return head, _receive(connection, blob_bytes, deadline)


def _receive(connection: socket.socket, size: int, deadline: float | None) -> bytes:
    received = bytearray(size)
    view = memoryview(received)
    position = 0
    while position < size:
        if deadline is not None:
            # However slowly an answer trickles in, the time is counted as a whole.
            connection.settimeout(max(0.001, deadline - time.monotonic()))
        count = connection.recv_into(view[position:])
        if not count:
            raise Broken("the connection ended")
        position += count
    return bytes(received)


def pack_message(message: Message) -> tuple[dict[str, Any], bytes]:
    """A message as a frame; the files' contents are the bytes, one after the other."""
    head = asdict(message)
    head["date"] = message.date.isoformat() if message.date else None
    for attachment in head["attachments"]:
        attachment["sent"] = len(attachment.pop("content"))
    return head, b"".join(attachment.content for attachment in message.attachments)


def unpack_message(head: Mapping[str, Any], blob: bytes) -> Message:
    """The message in a frame; Broken when it is none."""
    try:
        return Message(
            channel=Channel(head["channel"]),
            subject=str(head["subject"]),
            text=str(head["text"]),
            new_text=str(head["new_text"]),
            message_id=None if head["message_id"] is None else str(head["message_id"]),
            date=datetime.fromisoformat(head["date"]) if head["date"] else None,
            sender=_address(head["sender"]),
            reply_to=_address(head["reply_to"]),
            original_author=_address(head["original_author"]),
            to=_addresses(head["to"]),
            cc=_addresses(head["cc"]),
            attachments=_attachments(head["attachments"], blob),
            in_reply_to=tuple(map(str, head["in_reply_to"])),
            defects=tuple(map(str, head["defects"])),
            auto_reply=bool(head["auto_reply"]),
            bounce=bool(head["bounce"]),
            bulk=bool(head["bulk"]),
            delivery=_delivery(head["delivery"]),
        )
    except (KeyError, TypeError, ValueError):
        raise Broken("a frame is no message") from None


def _delivery(found: Mapping[str, Any] | None) -> DeliveryReport | None:
    if not found:
        return None
    recipients, ids = tuple(map(str, found["recipients"])), tuple(map(str, found["original_ids"]))
    return DeliveryReport(str(found["action"]), str(found["status"]), recipients, ids)


def _address(found: Mapping[str, Any] | None) -> Address | None:
    return Address(str(found["name"]), str(found["address"])) if found else None


def _addresses(found: list[Mapping[str, Any]]) -> tuple[Address, ...]:
    return tuple(Address(str(one["name"]), str(one["address"])) for one in found)


def _attachments(found: list[Mapping[str, Any]], blob: bytes) -> tuple[Attachment, ...]:
    attachments: list[Attachment] = []
    position = 0
    for one in found:
        size, sent = int(one["size"]), int(one["sent"])
        content = blob[position : position + sent]
        position += sent
        signs = tuple(FileSign(sign) for sign in one["signs"])
        attachments.append(
            Attachment(
                str(one["filename"]), str(one["content_type"]), size, str(one["sha256"]), content, "", signs
            )
        )
    return tuple(attachments)
